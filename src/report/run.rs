//! From a run to its page: what its settings say before it begins, and what each epoch adds.

use serde_json::Value;

use crate::data::augmentation::Augmentation;
use crate::error::Result;
use crate::graph::Choices;
use crate::report::page::Report;
use crate::report::sections::setting::Fact;
use crate::report::sections::summary::{Figure, Summary};
use crate::report::sections::{curves::Curves, freeze, receipt::Receipt, shares::Share};
use crate::study::explain::{self, Explanation, thousands};
use crate::train::pretrained::Start;
use crate::train::shares::Shares;
use crate::train::{EpochRow, History, Run, Stage};

impl Report {
    /// The page of a run as its settings say it; [`Report::follow`] adds the epochs.
    ///
    /// # Errors
    /// A stage that cannot be planned.
    pub fn of(run: &Run) -> Result<Report> {
        let data = run.data.path.file_name().map_or("images".into(), |name| name.to_string_lossy());
        Ok(Report {
            title: format!("{} on {data}", run.architecture.model),
            setting: setting(run),
            freeze: stages(run)?,
            receipt: Receipt { facts: receipt(run), hashes: Vec::new() },
            ..Report::default()
        })
    }

    /// Brings the page up to the end of the latest epoch.
    pub fn follow(&mut self, run: &Run, history: &History) {
        let best = history.best_by(run.monitor);
        self.summary = Summary { state: state(run, history), figures: figures(best, &self.freeze) };
        self.curves = Curves {
            best: best.map(|best| best.epoch),
            stages: beginnings(run).into_iter().skip(1).collect(),
            history: history.clone(),
        };
        self.shares = history.rows.iter().map(share).collect();
        self.receipt.hashes = history.rows.iter().map(|row| (row.epoch, row.weights.clone())).collect();
    }
}

fn share(row: &EpochRow) -> Share {
    let Shares { input, device, host } = row.shares;
    Share { name: format!("epoch {}", row.epoch + 1), input, host, device }
}

/// The first epoch of each stage, counted from 0, and what is frozen from there on.
fn beginnings(run: &Run) -> Vec<(usize, String)> {
    let mut next = 0;
    let begin = |stage: &Stage| {
        let first = next;
        next += stage.epochs;
        (first, format!("frozen: {}", stage.freeze))
    };
    run.stages.iter().map(begin).collect()
}

fn stages(run: &Run) -> Result<Vec<freeze::Stage>> {
    let named = run.stages.iter().zip(beginnings(run)).map(|(stage, (first, frozen))| {
        let name = match run.stages.len() {
            1 => String::new(),
            _ => format!("Epochs {} to {}, {frozen}", first + 1, first + stage.epochs),
        };
        Ok(freeze::Stage { name, explanation: explain(run, stage)? })
    });
    named.collect()
}

fn explain(run: &Run, stage: &Stage) -> Result<Explanation> {
    Explanation::of(&explain::Setting {
        architecture: run.architecture.clone(),
        freeze: stage.freeze.clone(),
        batch: run.batch,
        rule: run.optimizer.rule(),
        memory: run.memory(),
        precision: run.precision,
    })
}

fn state(run: &Run, history: &History) -> String {
    let (done, all) = (history.rows.len(), run.epochs());
    let seconds: f64 = history.rows.iter().map(|row| row.seconds).sum();
    match done {
        0 => format!("The first of {all} epochs is under way."),
        _ => format!("{done} of {all} epochs in {}.", duration(seconds)),
    }
}

fn figures(best: Option<&EpochRow>, stages: &[freeze::Stage]) -> Vec<Figure> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let accuracy = best.map(|best| {
        let (accuracy, of) = match best.val_acc {
            Some(accuracy) => (accuracy, "validation"),
            None => (best.acc, "training"),
        };
        Figure::new(percent(accuracy), format!("{of} accuracy, best in epoch {}", best.epoch + 1))
    });
    // Of several stages the last one trains most: the others save more than it does.
    let saved = stages.last().map(|stage| {
        let explanation = &stage.explanation;
        [
            Figure::new(percent(explanation.backward_saved()), "of the gradient work skipped"),
            Figure::new(percent(explanation.memory_saved()), "of a step's memory saved"),
        ]
    });
    accuracy.into_iter().chain(saved.into_iter().flatten()).collect()
}

fn setting(run: &Run) -> Vec<Fact> {
    let (data, architecture) = (&run.data, &run.architecture);
    let stage = |(stage, (first, frozen)): (&Stage, (usize, String))| {
        format!("epochs {} to {}, {frozen}, rate {}", first + 1, first + stage.epochs, stage.rate)
    };
    let stages: Vec<String> = run.stages.iter().zip(beginnings(run)).map(stage).collect();
    let mut facts = vec![
        Fact::new(
            "data",
            format!(
                "{}: {} classes, {} images to train on, {} to validate",
                data.path.display(),
                data.classes.len(),
                thousands(data.train as u64),
                thousands(data.val as u64)
            ),
        ),
        Fact::new(
            "model",
            format!(
                "{} at {}x{}, {} preprocessing",
                architecture.model, architecture.input[0], architecture.input[1], architecture.preprocessing
            ),
        ),
        Fact::new("first weights", start(&run.start)),
        Fact::new("optimizer", in_words(&run.optimizer)),
        Fact::new("stages", stages.join("; ")),
        Fact::new("schedule", in_words(&run.schedule)),
        Fact::new("batch", run.batch.to_string()),
        Fact::new("augmentation", augmentation(&run.augmentation)),
    ];
    facts.extend(run.plateau.map(|rule| Fact::new("plateau", in_words(&rule))));
    facts.extend(run.stopping.map(|rule| Fact::new("early stopping", in_words(&rule))));
    facts
}

/// The ranges that do something.
fn augmentation(ranges: &Augmentation) -> String {
    let [ranges, none] = [ranges, &Augmentation::default()].map(fields);
    let changed = ranges.into_iter().filter(|(name, value)| none.get(name) != Some(value));
    match in_words(&changed.collect::<serde_json::Map<_, _>>()) {
        words if words.is_empty() => "none".to_owned(),
        words => words,
    }
}

fn receipt(run: &Run) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("version", format!("Frostline {}", run.version)),
        Fact::new("seed", run.seed.to_string()),
        Fact::new("precision", run.precision.name()),
        Fact::new("first weights", start(&run.start)),
    ];
    if let Some(place) = &run.place {
        facts.push(Fact::new("adapter", place.adapter.clone()));
        facts.push(Fact::new("driver", place.driver.clone()));
        facts.push(Fact::new("memory for plans", format!("{} bytes", thousands(place.memory))));
        facts.push(Fact::new("rungs", rungs(&place.choices)));
    }
    facts
}

fn rungs(choices: &Choices) -> String {
    let chosen: Vec<String> = choices.iter().map(|(site, rung)| format!("{site}: {}", rung.name())).collect();
    match chosen.len() {
        0 => "each op's default on this adapter".to_owned(),
        _ => chosen.join("; "),
    }
}

fn start(start: &Start) -> String {
    match start {
        Start::Random => "random".to_owned(),
        Start::Weights(weights) => weights.path.display().to_string(),
        Start::Checkpoint(path) => path.display().to_string(),
    }
}

/// A rule and its numbers as `adam, beta1 0.9, beta2 0.999`.
fn in_words(rule: &impl serde::Serialize) -> String {
    let (mut names, mut numbers) = (Vec::new(), Vec::new());
    sort_out(serde_json::to_value(rule).unwrap_or_default(), "", &mut names, &mut numbers);
    names.into_iter().chain(numbers).collect::<Vec<_>>().join(", ")
}

/// Strings, and numbers and switches with their names, from all levels of some settings; what is not set is left out.
fn sort_out(value: Value, name: &str, names: &mut Vec<String>, numbers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.into_iter().for_each(|(name, v)| sort_out(v, &name, names, numbers)),
        Value::String(text) => names.push(text),
        // Most are f32, whose digits as f64 nobody wrote.
        Value::Number(number) => numbers.extend(number.as_f64().map(|n| format!("{name} {}", n as f32))),
        Value::Bool(on) => numbers.push(format!("{name} {on}")),
        Value::Array(_) => numbers.push(format!("{name} {value}")),
        Value::Null => {}
    }
}

fn fields(settings: &impl serde::Serialize) -> serde_json::Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    }
}

/// `1 h 2 min`, `3 min 20 s`, `4.2 s`
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!([4.21, 59.4, 200.0, 7260.0].map(duration), ["4.2 s", "59.4 s", "3 min 20 s", "2 h 1 min"]);
    }

    #[test]
    fn rules_begin_with_their_name() {
        let common = serde_json::json!({ "clip": null, "weight_decay": 0.5 });
        let rule = serde_json::json!({ "beta1": 0.9, "rule": "adam", "common": common, "epsilon": 1e-7f32 });
        assert_eq!(in_words(&rule), "adam, beta1 0.9, weight_decay 0.5, epsilon 0.0000001");
    }

    #[test]
    fn augmentation_names_what_it_changes() {
        assert_eq!(augmentation(&Augmentation::default()), "none");
        let flips = Augmentation { horizontal_flip: true, rotation_range: 30.0, ..Augmentation::default() };
        assert_eq!(augmentation(&flips), "horizontal_flip true, rotation_range 30");
    }
}
