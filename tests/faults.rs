//! What goes wrong outside of the program: no memory, a lost device, signals, a reader that goes away (what goes wrong
//! where a run is written to stands in `places.rs`). Each ends in one or two lines that say what happened and what to do,
//! and never in a panic.
#![cfg(unix)]

mod cli_support;
mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cli_support::{program, training, two_classes};
use frostline::error::Error;
use frostline::gpu::adapter::Choice;
use frostline::gpu::{Buffer, Device};
use frostline::graph::{Graph, Store};
use frostline::nn::{Architecture, Freeze, Head, Network, Pool, Preprocessing, init, vgg};
use frostline::optim::Sgd;
use frostline::train::run::DataSettings;
use frostline::train::run::setup;
use frostline::train::schedule::stages::Stage;
use frostline::train::{FeatureSamples, Fit, Metrics, Observer, Run, Session, Watcher};

/// The command under a limit of the shell's, such as `ulimit -f 100`.
fn under(limit: &str, command: &Command) -> Command {
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(format!("{limit}; exec \"$@\"")).arg("bash").arg(command.get_program());
    shell.args(command.get_args()).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked") && !said.contains("a bug in Frostline"), "{said}");
    said
}

/// The command fails with code 1, and each of `words` stands in what it says.
fn fails(mut command: Command, words: &[&str]) {
    let output = command.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no '{word}' in: {said}"));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn own_device() -> Arc<Device> {
    let choice = Choice::Name(support::device().info().name.clone());
    Arc::new(Device::open(&choice).unwrap())
}

/// VGG11 with few filters, and dropout in its head.
fn narrow() -> Architecture {
    let base = vgg::base("vgg11", &[4, 8, 8, 16, 16]).unwrap();
    let head = Head { pool: Pool::Avg, hidden: vec![8], dropout: 0.5, classes: 2, ..Head::default() };
    Architecture::stack("vgg11", base, 32, Preprocessing::Rescale, head.layers().unwrap())
}

fn head() -> Graph {
    let graph = Network::new(narrow(), &Freeze::All, 0.0).unwrap().graph;
    frostline::graph::cut::cut(&graph).unwrap().rest
}

/// Loses the device behind the first step.
struct Loses(Arc<Device>);

impl Observer for Loses {
    fn step(&mut self, _epoch: usize, _done: usize, _metrics: &Metrics) {
        self.0.lose();
    }
}

#[test]
fn a_device_lost_in_the_middle_of_a_run_is_an_error_of_its_own() {
    let graph = head();
    let mut store = Store::new(own_device());
    init::parameters(&graph, &mut store, 1, |_| true).unwrap();
    let width = graph.values[0].shape.numel() as usize;
    let values = vec![0.5; width * 12];
    let (labels, indices) = ((0..12).map(|i| i % 2).collect(), (0..12).collect());
    let train = FeatureSamples { values, width, labels, indices, batch: 2 };
    let fit = Fit { batch: 2, ..Fit::new(&graph, &train, Arc::new(Sgd::default())) };
    let mut loses = Loses(store.device().clone());
    let error = fit.run(&mut store, &mut loses).unwrap_err();
    assert!(matches!(error, Error::DeviceLost(_)), "{error}");
    // Whatever is asked of it afterwards says the same, and nothing panics.
    assert!(matches!(store.read("dense/kernel"), Err(Error::DeviceLost(_))));
    assert!(matches!(store.write("more", &[1.0; 100_000]), Err(Error::DeviceLost(_))));
    assert!(matches!(loses.0.wait(), Err(Error::DeviceLost(_))));
}

/// Loses the device behind the fifth step, once.
struct LosesOnce {
    device: Option<Arc<Device>>,
    steps: usize,
}

impl Observer for LosesOnce {
    fn step(&mut self, _epoch: usize, _done: usize, _metrics: &Metrics) {
        self.steps += 1;
        if let Some(device) = self.device.take_if(|_| self.steps == 5) {
            device.lose();
        }
    }
}

impl Watcher for LosesOnce {}

/// A run of four epochs of three steps, saved after each; gives its weights, and how often a device was opened anew.
fn weights_of_a_run(data: &Path, folder: &Path, loses: bool) -> (Vec<Vec<f32>>, usize) {
    std::fs::create_dir(folder).unwrap();
    let (settings, images) = DataSettings::open(data, &Default::default(), None).unwrap();
    let architecture = narrow();
    let stages = vec![Stage { freeze: Freeze::Until("block4_pool".into()), epochs: 4, rate: 0.01 }];
    let run = Run { batch: 2, save_every: 0, stages, ..Run::new(settings, architecture) };
    let mut store = Store::new(own_device());
    let device = loses.then(|| store.device().clone());
    let mut session = Session::begin(run, images, &mut store, u64::MAX, folder).unwrap();
    let mut opened = 0;
    let reopen = |error: &Error| {
        assert!(error.to_string().contains("the device was lost"), "{error}");
        opened += 1;
        Ok(own_device())
    };
    session.go_on_losing(&mut store, &mut LosesOnce { device, steps: 0 }, reopen).unwrap();
    let graph = setup::graph(&session.run, &session.run.stages[0]).unwrap();
    (graph.params.iter().map(|p| store.read(&p.name).unwrap()).collect(), opened)
}

/// A run that loses its device goes on with a new one from what was last saved, and ends with the same bits.
#[test]
fn a_run_survives_the_loss_of_its_device() {
    let folder = two_classes(["cold", "warm"], (3, 1));
    let at = |name: &str| folder.path().join(name);
    let (unbroken, none) = weights_of_a_run(folder.path(), &at("unbroken"), false);
    let (broken, once) = weights_of_a_run(folder.path(), &at("broken"), true);
    assert_eq!((none, once), (0, 1));
    assert!(unbroken == broken, "the run that lost its device ended with other weights");
}

/// Run by the test below in a process of its own that may have 4 GiB of addresses.
#[test]
fn child_that_asks_for_too_much() {
    if std::env::var_os("FROSTLINE_CHILD").is_none() {
        return;
    }
    let device = own_device();
    let more = |_| device.buffer("a large buffer", 1 << 30);
    let error = (0..16).map(more).collect::<Result<Vec<Buffer>, Error>>().err().expect("16 GiB of 4");
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    assert!(
        error.to_string().contains("a large buffer") && error.to_string().contains("--memory"),
        "{error}"
    );
    let granted = device.grants(8 << 30);
    assert!((512 << 20..4 << 30).contains(&granted), "{granted} granted of 4 GiB");
    assert_eq!(device.live_bytes(), 0);
    device.buffer("a small buffer", 1 << 20).expect("the failed ones were given back");
}

#[test]
fn a_driver_without_memory_is_an_error_and_what_it_grants_is_found_out() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_asks_for_too_much"]);
    let mut child = under("ulimit -v 4194304", &child);
    let output = child.env("FROSTLINE_CHILD", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_budget_that_holds_not_even_one_image_is_refused() {
    let folder = two_classes(["cold", "warm"], (3, 1));
    let mut command = training(folder.path(), &folder.path().join("run"));
    command.args(["--epochs", "1", "--memory", "1M"]);
    fails(command, &["a single sample", "--memory", "smaller --input"]);
}

/// What is planned and what fits is said before anything else is done (here there is no place to write into).
#[cfg(target_os = "linux")]
#[test]
fn the_batch_that_fits_is_named_and_auto_takes_it() {
    let folder = two_classes(["cold", "warm"], (3, 1));
    let plan = |options: &[&str]| {
        let mut command = program();
        command.arg("train").arg(folder.path()).args(["--model", "vgg11", "--weights", "none"]);
        command
            .args(["--input", "224", "--pool", "avg", "--freeze", "none", "--out", "/proc/run"])
            .args(options);
        said(&command.output().unwrap())
    };
    let all = plan(&["--batch", "6", "--memory", "8G"]);
    assert!(all.contains("of 8.0 GiB") && !all.contains("in parts"), "{all}");
    let planned = all.split("memory    ").nth(1).unwrap().split(" MiB planned").next().unwrap();
    // A little less would be met by the evaluation beside the step, which then runs in smaller batches.
    let less = format!("{}M", (planned.parse::<f64>().unwrap() * 0.75) as u64);
    let parts = plan(&["--batch", "6", "--memory", &less]);
    let fitting = parts.split("6 images in parts whose gradients add up: at most ").nth(1).expect(&parts);
    let fitting = fitting.split(" fit in one pass").next().unwrap();
    let auto = plan(&["--batch", "auto", "--memory", &less]);
    assert!(auto.contains(&format!("batch     {fitting} images, as --batch auto chose")), "{auto}");
    assert!(!auto.contains("in parts"), "{auto}");
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = program();
    child.args(["plan", "--model", "vgg19", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(said(&output), "");
    assert_eq!(output.status.code(), Some(141));
}

/// SIGTERM from the first moment on: the run ends without a panic, and each file that it left is whole.
#[test]
fn a_signal_at_any_moment_leaves_whole_files() {
    let folder = two_classes(["cold", "warm"], (3, 1));
    for (number, moment) in [0, 60, 200, 500, 1100].into_iter().enumerate() {
        let out = folder.path().join(format!("run{number}"));
        let mut child = training(folder.path(), &out);
        child.args(["--epochs", "100000"]);
        let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = said(&output);
        assert!(
            matches!(output.status.code(), None | Some(1)),
            "after {moment} ms: {:?} {said}",
            output.status
        );
        let left = if out.exists() { names(&out) } else { Vec::new() };
        assert!(!left.iter().any(|name| name.ends_with(".part")), "after {moment} ms: {left:?}");
        for checkpoint in left.iter().filter(|name| name.ends_with(".safetensors")) {
            frostline::train::Checkpoint::open(&out.join(checkpoint)).unwrap();
        }
    }
}
