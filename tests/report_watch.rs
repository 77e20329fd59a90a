//! `frostline watch` as its user meets it: a page over HTTP that follows the run's folder.

mod cli_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cli_support::{frostline, program};
use frostline::report::{Page, Report};
use predicates::prelude::*;
use predicates::str::contains;

/// A running `frostline watch`, ended with the test.
struct Watch {
    process: Child,
    /// `127.0.0.1:PORT`
    address: String,
}

impl Watch {
    fn new(folder: &Path) -> Watch {
        let mut command = program();
        command.args(["watch", "--port", "0"]).arg(folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
        Watch { process, address }
    }

    /// Sends a request and gives the connection, to be read to its end.
    fn ask(&self, path: &str, host: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        BufReader::new(stream)
    }

    fn get(&self, path: &str, host: &str) -> String {
        let mut text = String::new();
        self.ask(path, host).read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_page(folder: &Path, title: &str) {
    Report { title: title.into(), ..Report::default() }.write(&folder.join("report.html")).unwrap();
}

/// Reads lines of an event stream until an event has come.
fn event(events: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    while !line.starts_with("data:") {
        line.clear();
        assert!(events.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
    line
}

#[test]
fn the_page_follows_the_run() {
    let folder = tempfile::tempdir().unwrap();
    write_page(folder.path(), "epoch 1");
    let watch = Watch::new(folder.path());
    let page = watch.get("/", &watch.address);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("<h1>epoch 1</h1>") && page.contains("EventSource"), "{page}");
    let mut events = watch.ask("/events", &watch.address);
    event(&mut events);
    write_page(folder.path(), "epoch 2, which is longer");
    event(&mut events);
    assert!(watch.get("/", "localhost:80").contains("<h1>epoch 2, which is longer</h1>"));
    assert!(watch.get("/other", &watch.address).starts_with("HTTP/1.1 404"));
}

#[test]
fn a_name_bent_to_this_machine_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_page(folder.path(), "secret");
    let watch = Watch::new(folder.path());
    for path in ["/", "/events"] {
        let answer = watch.get(path, "elsewhere.example");
        assert!(answer.starts_with("HTTP/1.1 403") && !answer.contains("secret"), "{answer}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_with_success_though_a_client_listens() {
    let folder = tempfile::tempdir().unwrap();
    write_page(folder.path(), "a run");
    let mut watch = Watch::new(folder.path());
    let mut events = watch.ask("/events", &watch.address);
    event(&mut events);
    let sent = Command::new("kill").args(["-INT", &watch.process.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert!(watch.process.wait().unwrap().success());
}

#[test]
fn what_is_no_run_and_a_port_that_is_taken_are_answered() {
    let watch = || frostline(&["watch"]);
    let folder = tempfile::tempdir().unwrap();
    let no_run = watch().arg(folder.path()).assert().failure();
    no_run.stderr(contains("is no run").and(contains("report.html")).and(contains("frostline train")));
    write_page(folder.path(), "a run");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let busy = watch().arg(folder.path()).args(["--port", &port]).assert().failure();
    busy.stderr(contains(format!("port {port} is taken")).and(contains("--port")));
    let nowhere =
        watch().arg(folder.path()).args(["--listen", "192.0.2.1", "--port", "0"]).assert().failure();
    nowhere.stderr(contains("192.0.2.1").and(contains("--listen")));
}
