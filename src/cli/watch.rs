//! `frostline watch`: the page of a run, served while the run goes on.

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tiny_http::{Header, Request, Response, Server};

use super::shared::Shared;
use crate::error::{Error, Result};
use crate::report::page::FILE;
use crate::train::interrupt;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline watch runs/clipart8-vgg16-1")]
pub struct Args {
    /// The folder of a run, as 'frostline train' says it at its beginning
    pub run: PathBuf,
    /// Port of the page; 0 takes any that is free
    #[arg(long, default_value_t = 8617)]
    pub port: u16,
    /// Address to listen on; with another one than the default, other machines can read the page
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
}

/// How often Ctrl-C and changes of the page are looked for.
const TICK: Duration = Duration::from_millis(200);
/// After so long without news a line is sent that says nothing, to find out whether somebody still listens.
const SILENCE: Duration = Duration::from_secs(15);

/// Put into the page that is served, in front of the end of its body.
const LIVE: &str = include_str!("watch.js");

/// What an event stream begins with. Its end is the end of the connection.
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
    Connection: close\r\n\r\nretry: 1000\n\n";

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let page = args.run.join(FILE);
    if !page.is_file() {
        return Err(Error::Usage(format!(
            "{} is no run: it holds no {FILE}; give the folder that 'frostline train' writes into",
            args.run.display()
        )));
    }
    let (server, address) = open(SocketAddr::new(args.listen, args.port))?;
    interrupt::listen();
    println!("http://{address}/");
    if !address.ip().is_loopback() {
        shared.say(format_args!("warning   whoever reaches {address} can read the page"));
    }
    shared.say(format_args!("watching  {}; Ctrl-C ends it", args.run.display()));
    while !interrupt::asked() {
        let request = server.recv_timeout(TICK).map_err(Error::io("serve", &page))?;
        if let Some(request) = request {
            answer(request, &page, address.ip().is_loopback());
        }
    }
    Ok(())
}

fn open(address: SocketAddr) -> Result<(Server, SocketAddr)> {
    let refused = |e: std::io::Error| match e.kind() {
        ErrorKind::AddrInUse => Error::Usage(format!(
            "port {} is taken, perhaps by another 'frostline watch'; choose one with --port, 0 for any that is free",
            address.port()
        )),
        _ => Error::Usage(format!("cannot listen on {address}: {e}; choose with --listen and --port")),
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let server = Server::from_listener(listener, None);
    server.map(|server| (server, bound)).map_err(|e| refused(std::io::Error::other(e)))
}

/// Answers one request. A client that went away is no error.
fn answer(request: Request, page: &Path, loopback: bool) {
    let status = |text: &str, code: u16| Response::from_string(text).with_status_code(code);
    let _ = match request.url() {
        _ if loopback && !is_local(&request) => {
            request.respond(status("this page is for the machine that it runs on\n", 403))
        }
        "/" => match std::fs::read_to_string(page) {
            Ok(text) => request.respond(html(&text)),
            Err(_) => request.respond(status("the run's page is gone\n", 404)),
        },
        "/events" => {
            let page = page.to_path_buf();
            thread::spawn(move || follow(&mut *request.into_writer(), &page));
            Ok(())
        }
        _ => request.respond(status("there is only /\n", 404)),
    };
}

/// Whether the request was meant for this machine. A page elsewhere whose name was bent to 127.0.0.1 asks with its own
/// name, and must not read this one.
fn is_local(request: &Request) -> bool {
    let host = request.headers().iter().find(|header| header.field.equiv("Host"));
    let Some(host) = host.map(|header| header.value.as_str()) else { return true };
    let name = match host.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn html(page: &str) -> Response<std::io::Cursor<Vec<u8>>> {
    let end = page.rfind("</body>").unwrap_or(page.len());
    let live = format!("{}<script>{LIVE}</script>{}", &page[..end], &page[end..]);
    let header =
        |name: &str, value: &str| Header::from_bytes(name, value).expect("a header of plain letters");
    Response::from_data(live)
        .with_header(header("Content-Type", "text/html; charset=utf-8"))
        .with_header(header("Cache-Control", "no-store"))
}

/// Sends an event at once, which also tells a client that comes back, and whenever the page has changed.
fn follow(client: &mut dyn Write, page: &Path) {
    let mut send = |text: &[u8]| client.write_all(text).and_then(|()| client.flush()).is_ok();
    let mut seen = version(page);
    let mut spoken = Instant::now();
    let mut connected = send(STREAM) && send(b"data: changed\n\n");
    while connected && !interrupt::asked() {
        thread::sleep(TICK);
        let now = version(page);
        if now.is_some() && now != seen {
            connected = send(b"data: changed\n\n");
            (seen, spoken) = (now, Instant::now());
        } else if spoken.elapsed() > SILENCE {
            connected = send(b": nothing new\n\n");
            spoken = Instant::now();
        }
    }
}

/// The page is replaced whole, so that its time and length tell one from the next.
fn version(page: &Path) -> Option<(SystemTime, u64)> {
    let about = page.metadata().ok()?;
    Some((about.modified().ok()?, about.len()))
}
