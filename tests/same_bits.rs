//! Same seed, same adapter: the same bits, from every command that trains. Each runs twice, in processes of its own, and
//! what it leaves is compared without its clocks. (`resume.rs` does so for runs that were killed. `profile` trains too,
//! and leaves nothing but times; `--tune` chooses by times.)

mod cli_support;

use std::path::Path;

use cli_support::{frostline, tensors, two_classes};
use serde_json::Value;

/// Images of two classes at DATA, a new folder at OUT for each run; `left` is what is compared, of the folder and of what
/// was printed.
fn twice(command: &str, left: fn(&Path, &str) -> Vec<Vec<u8>>) {
    let data = two_classes(["cold", "warm"], (3, 1));
    let run = || {
        let out = tempfile::tempdir().unwrap();
        let place = |folder: &Path| folder.to_str().unwrap().to_owned();
        let words = command.replace("DATA", &place(data.path())).replace("OUT", &place(out.path()));
        let words: Vec<&str> = words.split_whitespace().collect();
        let done = frostline(&words).current_dir(env!("CARGO_MANIFEST_DIR")).assert().success();
        left(out.path(), std::str::from_utf8(&done.get_output().stdout).unwrap())
    };
    let (first, second) = (run(), run());
    let equal: Vec<bool> = first.iter().zip(&second).map(|(a, b)| a == b).collect();
    assert!(first.len() == second.len() && equal.iter().all(|equal| *equal), "{command}: {equal:?}");
    assert!(first.iter().all(|part| !part.is_empty()), "{command} left nothing to compare");
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A CSV file without the column of this name.
fn without(column: &str, path: &Path) -> Vec<u8> {
    let text = String::from_utf8(read(path)).unwrap();
    let at = text.lines().next().unwrap().split(',').position(|name| name == column).expect(column);
    let rows = text.lines().map(|line| {
        let fields = line.split(',').enumerate().filter(|(i, _)| *i != at);
        fields.map(|(_, field)| field).collect::<Vec<_>>().join(",")
    });
    rows.collect::<Vec<_>>().join("\n").into_bytes()
}

const SMALL: &str = "--layers conv8,pool,conv8,pool --weights none --input 32 --pool avg --batch 4 --seed 5";

/// Two stages, dropout, augmentation of every sort, micro-batches, and an average of the weights.
#[test]
fn train() {
    let varied = "--head 8 --dropout 0.5 --stages head:2,all:2 --rotation-range 30 --zoom-range 0.3 --hue-range 20 \
                  --horizontal-flip --erase-probability 0.5 --mixup-alpha 0.2 --ema 0.9 --optimizer rmsprop";
    twice(&format!("train DATA {SMALL} {varied} --memory 2M --json --out OUT/run"), |out, _| {
        let run = out.join("run");
        let history = without("seconds", &run.join("history.csv"));
        vec![
            read(&run.join("best.safetensors")),
            format!("{:?}", tensors(&run.join("last.safetensors"))).into_bytes(),
            history,
        ]
    });
}

#[test]
fn lr_find() {
    twice(&format!("lr-find DATA {SMALL} --steps 20 --json --out OUT/lr.svg"), |out, printed| {
        let printed: Value = serde_json::from_str(printed).unwrap();
        vec![printed["points"].to_string().into_bytes(), read(&out.join("lr.svg"))]
    });
}

#[test]
fn step() {
    let step = "step DATA --model vgg11 --weights none --input 32 --batch 4 --freeze block3_pool --seed 2";
    twice(&format!("{step} --trace OUT/trace.jsonl"), |out, printed| {
        vec![read(&out.join("trace.jsonl")), printed.into()]
    });
}

#[test]
fn sweep() {
    let sweep = "sweep DATA --input 32 --points none,block4_pool --seeds 1 --epochs 1 --batch 4 --out OUT";
    twice(sweep, |out, _| {
        vec![without("seconds_per_epoch", &out.join("sweep.csv")), read(&out.join("sweep.png"))]
    });
}

#[test]
fn demo() {
    twice("demo --data DATA --json --out OUT", |out, printed| {
        let mut printed: Value = serde_json::from_str(printed).unwrap();
        for own in ["seconds", "sheet"] {
            printed.as_object_mut().unwrap().remove(own).expect(own);
        }
        vec![printed.to_string().into_bytes(), read(&out.join("predictions.png"))]
    });
}
