//! The page of a real run, and `frostline watch` beside it while it grows.

mod cli_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cli_support::{program, training, two_classes};

fn train(data: &Path, out: &Path, options: &[&str]) -> Command {
    let mut command = training(data, out);
    command.arg("--quiet").args(options);
    command
}

#[test]
fn a_run_leaves_its_page() {
    let folder = two_classes(["cold & <b>", "warm"], (6, 3));
    let out = folder.path().join("run");
    let options = ["--stages", "head:2,block5:1@0.0001", "--rotation-range", "20"];
    let mut run = train(Path::new("."), &out, &options);
    assert!(run.current_dir(folder.path()).status().unwrap().success());
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for said in [
        "3 of 3 epochs",
        "frozen: until block4_pool",
        "6 images that were not trained on",
        "rotation_range 20",
        "milliseconds of one step",
        "One step of the last stage over 4 images",
        ">val/warm/warm0.png<",
    ] {
        assert!(page.contains(said), "{said} is missing");
    }
    assert!(page.contains("cold &amp; &lt;b&gt;") && !page.contains("cold & <b>"));
    // Six validate and are few enough to be shown, each with its Grad-CAM; twelve were trained on, and are shown as they
    // were augmented.
    assert_eq!(page.matches("data:image/jpeg").count(), 2 * 6 + 12);
}

/// Block 5 trains on kept results of the others: judging whole images takes more than any step did.
#[test]
fn a_run_over_kept_results_is_judged_on_images() {
    let folder = two_classes(["cold", "warm"], (6, 3));
    let out = folder.path().join("run");
    let options = ["--freeze-until", "block4_pool", "--epochs", "1"];
    assert!(train(folder.path(), &out, &options).status().unwrap().success());
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("6 images that were not trained on"), "the page does not judge");
}

#[test]
fn an_evaluation_writes_its_page() {
    let folder = two_classes(["cold & <b>", "warm"], (6, 3));
    let (out, page) = (folder.path().join("run"), folder.path().join("eval.html"));
    assert!(train(folder.path(), &out, &["--epochs", "1"]).status().unwrap().success());
    let mut eval = program();
    eval.arg("eval").arg(out.join("best.safetensors")).arg(folder.path()).arg("--html").arg(&page);
    assert!(eval.stdout(Stdio::null()).status().unwrap().success());
    let page = std::fs::read_to_string(&page).unwrap();
    for said in [
        "6 images of 2 classes",
        "6 images: ",
        "Which classes it confuses",
        "Highest losses",
        "best.safetensors",
        ">warm/warm0.png<",
    ] {
        assert!(page.contains(said), "{said} is missing");
    }
    assert!(page.contains("cold &amp; &lt;b&gt;") && !page.contains("cold & <b>"));
    assert_eq!(page.matches("data:image/jpeg").count(), 2 * 6, "each image beside its Grad-CAM");
}

/// Kills what it holds when the test ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_page_is_watched_while_the_run_goes_on() {
    let folder = two_classes(["cold & <b>", "warm"], (6, 3));
    let out = folder.path().join("run");
    let options = ["--freeze", "none", "--epochs", "4"];
    let mut run = Ended(train(folder.path(), &out, &options).stdout(Stdio::null()).spawn().unwrap());
    while !out.join("report.html").exists() {
        assert!(run.0.try_wait().unwrap().is_none(), "the run ended before it wrote a page");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut watch = program();
    watch.args(["watch", "--quiet", "--port", "0"]).arg(&out).stdout(Stdio::piped());
    let mut watch = Ended(watch.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(watch.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        BufReader::new(stream)
    };
    // Events come until the page is that of the whole run.
    let mut pages = Vec::new();
    for line in ask("/events").lines().map_while(Result::ok).filter(|line| line.starts_with("data:")) {
        assert_eq!(line, "data: changed");
        let mut page = String::new();
        ask("/").read_to_string(&mut page).unwrap();
        let whole = page.contains("4 of 4 epochs") && page.contains("images that were not trained on");
        pages.push(page);
        if whole {
            break;
        }
    }
    assert!(pages.len() > 1 && !pages[0].contains("4 of 4 epochs"), "{} pages", pages.len());
    assert!(run.0.wait().unwrap().success());
}
