//! Presets and scenarios: each is a line of options that yields to those that the user gives.

use std::ffi::{OsStr, OsString};

use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::cli::shared::Shared;

/// A named line of options of `frostline train`.
pub struct Preset {
    pub name: &'static str,
    pub about: &'static str,
    pub options: &'static [&'static str],
}

/// What both forms of the recipe share.
const RECIPE: &str = "--model vgg19 --weights imagenet --input 256 --freeze 5 --head 1024,1024 --dropout 0.5,0 \
                      --batch 16 --epochs 50 --optimizer sgd --lr 0.0001 --momentum 0.9 --patience 10 \
                      --rotation-range 30 --width-shift-range 0.3 --height-shift-range 0.3 --zoom-range 0.3 \
                      --horizontal-flip";

/// The recipe of the post *Transfer learning using Keras*, as published and mended.
pub const PRESETS: [Preset; 2] = [
    Preset {
        name: "seed",
        about: "the published recipe: VGG19, layers[:5] frozen, SGD, augmentation, with its mistakes",
        options: &[RECIPE, "--preprocessing rescale --resize nearest --augment-validation"],
    },
    Preset {
        name: "seed-fixed",
        about: "the published recipe with its mistakes mended",
        options: &[RECIPE, "--preprocessing caffe --resize bilinear"],
    },
];

/// The four settings of transfer learning: few or many images, like or unlike those of the pretraining.
pub const SCENARIOS: [Preset; 4] = [
    Preset {
        name: "1",
        about: "few images, like ImageNet's: everything is frozen, a classifier trains on the features",
        options: &[
            "--freeze all --pool avg --optimizer adam --lr 0.003 --weight-decay 0.1 --epochs 60 --patience 15",
        ],
    },
    Preset {
        name: "2",
        about: "many images, like ImageNet's: the head first, then ever more blocks, the first one never",
        options: &["--pool avg --stages head:10@0.003,block5:5@0.0001,block2:15@0.00003 --block-factor 0.7 \
                  --optimizer adam --patience 5"],
    },
    Preset {
        name: "3",
        about: "few images, unlike ImageNet's: a classifier trains on the features of an early layer",
        options: &[
            "--layer block2_pool --freeze all --pool avg --optimizer adam --lr 0.003 --epochs 100 --patience 40",
        ],
    },
    Preset {
        name: "4",
        about: "many images, unlike ImageNet's: the whole network trains, gently at first",
        options: &[
            "--freeze none --pool avg --optimizer adam --lr 0.0001 --warm-up 1 --schedule cosine --epochs 30 \
                  --patience 8",
        ],
    },
];

/// What `seed-fixed` mends, one line each.
pub const MENDED: [&str; 5] = [
    "validation images stay as they are; the recipe augmented them, so that its accuracies are of other images",
    "pixels become BGR minus ImageNet's mean, as the weights expect; the recipe fed RGB/255",
    "each validation image counts once per epoch; the recipe's steps ran over them 32 times",
    "images are resized with anti-aliasing; the recipe's loader took the nearest pixel",
    "the checkpoint says what it is; the recipe's vgg16_1.h5 holds a VGG19",
];

/// Options that stand for others: who gives the first means to replace the second.
const INSTEAD: [(&str, &str); 5] = [
    ("--freeze-until", "--freeze"),
    ("--stages", "--freeze"),
    ("--layers", "--model"),
    ("--layers", "--layer"),
    ("--from", "--weights"),
];

/// The command line with the options of its `--preset` or `--scenario` in place of those that it does not give itself.
/// Other subcommands than `train`, and names that no table knows, stay as they are: the parser answers for them.
pub fn expand(args: Vec<OsString>) -> Vec<OsString> {
    let train = args.iter().position(|arg| arg == "train");
    let preset = value(&args, "--preset").and_then(|name| find(&PRESETS, &name));
    let scenario = value(&args, "--scenario").and_then(|name| find(&SCENARIOS, &name));
    let (Some(train), Some(preset)) = (train, preset.or(scenario)) else { return args };
    let added: Vec<OsString> = preset.beside(&args).into_iter().map(OsString::from).collect();
    let mut out = args;
    out.splice(train + 1..train + 1, added);
    out
}

impl Preset {
    /// Its options, but for those that the command line gives itself or replaces.
    fn beside(&self, args: &[OsString]) -> Vec<&'static str> {
        let instead = |name: &str| INSTEAD.iter().any(|(given, other)| *other == name && gives(args, given));
        let mut words = self.options.iter().flat_map(|options| options.split_whitespace()).peekable();
        let mut beside = Vec::new();
        while let Some(name) = words.next() {
            let value = words.next_if(|word| !word.starts_with("--"));
            if !gives(args, name) && !instead(name) {
                beside.push(name);
                beside.extend(value);
            }
        }
        beside
    }
}

/// What `--preset` takes.
pub fn names(table: &[Preset]) -> PossibleValuesParser {
    table.iter().map(|preset| PossibleValue::new(preset.name).help(preset.about)).collect::<Vec<_>>().into()
}

/// What `--scenario` takes.
pub fn scenarios() -> PossibleValuesParser {
    let auto = PossibleValue::new("auto").help("look at the images, recommend one of them, and do it");
    let known = SCENARIOS.iter().map(|preset| PossibleValue::new(preset.name).help(preset.about));
    known.chain([auto]).collect::<Vec<_>>().into()
}

/// The command line with this scenario in place of `auto`.
pub fn with_scenario(mut args: Vec<OsString>, scenario: u8) -> Vec<OsString> {
    if let Some(at) = args.iter().position(|arg| arg == "--scenario") {
        args[at + 1] = OsString::from(scenario.to_string());
    } else if let Some(arg) = args.iter_mut().find(|arg| assigned(arg, "--scenario").is_some()) {
        *arg = OsString::from(format!("--scenario={scenario}"));
    }
    args
}

fn find<'a>(table: &'a [Preset], name: &OsStr) -> Option<&'a Preset> {
    table.iter().find(|preset| name == preset.name)
}

/// Whether the command line has this option, as `--name value` or `--name=value`.
fn gives(args: &[OsString], name: &str) -> bool {
    args.iter().any(|arg| arg == name || assigned(arg, name).is_some())
}

fn value(args: &[OsString], name: &str) -> Option<OsString> {
    let next = || args.iter().position(|arg| arg == name).and_then(|i| args.get(i + 1)).cloned();
    args.iter().find_map(|arg| assigned(arg, name)).or_else(next)
}

fn assigned(arg: &OsStr, name: &str) -> Option<OsString> {
    arg.to_str()?.strip_prefix(name)?.strip_prefix('=').map(OsString::from)
}

/// Says what a preset or scenario stands for beside the options of this process' command line.
pub fn describe(preset: Option<&str>, scenario: Option<&str>, shared: &Shared) {
    let named = |table, name: Option<&str>| name.and_then(|name| find(table, name.as_ref()));
    let found = [("preset", named(&PRESETS[..], preset)), ("scenario", named(&SCENARIOS[..], scenario))];
    let Some((what, found)) = found.into_iter().find_map(|(what, found)| Some((what, found?))) else {
        return;
    };
    let line: Vec<OsString> = std::env::args_os().collect();
    shared.say(format_args!("{what:<10}{}: {}", found.name, found.about));
    shared.say(format_args!("          {}", found.beside(&line).join(" ")));
    if found.name == "seed-fixed" {
        MENDED.iter().for_each(|line| shared.say(format_args!("mended    {line}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn every_line_of_options_parses() {
        for (option, table) in [("--preset", &PRESETS[..]), ("--scenario", &SCENARIOS[..])] {
            for preset in table {
                let line = expand(words(&format!("frostline train DATA {option} {}", preset.name)));
                Cli::try_parse_from(&line).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            }
        }
    }

    #[test]
    fn what_the_user_gives_wins() {
        let line = expand(words(
            "frostline -q train DATA --preset=seed --input 64 --epochs=2 --freeze-until block1_pool",
        ));
        let line: Vec<_> = line.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(&line[..4], ["frostline", "-q", "train", "--model"]);
        assert_eq!(line.iter().filter(|word| word.starts_with("--input")).count(), 1);
        assert_eq!(line.iter().filter(|word| word.starts_with("--epochs")).count(), 1);
        assert!(!line.contains(&"--freeze") && line.contains(&"--freeze-until"));
        Cli::try_parse_from(&line).unwrap();
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        for line in
            ["frostline doctor", "frostline train DATA --preset sead", "frostline augment X --preset seed"]
        {
            assert_eq!(expand(words(line)), words(line));
        }
    }
}
