//! Downloads against a server on this machine that cuts connections, lies, and forgets ranges.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use frostline::weights::fetch::download;

/// How the server treats one request: which bytes it promises from `start` on, and how many it really sends.
#[derive(Clone, Copy)]
enum Manner {
    Honest,
    /// Sends this many bytes of what it promised and closes.
    CutAfter(usize),
    /// Ignores `Range`.
    NoRanges,
    Status(u16),
}

struct Server {
    url: String,
    /// The `Range` headers seen, empty where there was none.
    ranges: Arc<Mutex<Vec<String>>>,
}

/// Serves `content`; request `i` in manner `manners[i]`, later ones honestly.
fn serve(content: Vec<u8>, manners: Vec<Manner>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/vgg19/file.h5", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = ranges.clone();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let manner = manners.get(number).copied().unwrap_or(Manner::Honest);
            // A client that hangs up early is its own business.
            let _ = answer(stream.unwrap(), &content, manner, &seen);
        }
    });
    Server { url, ranges }
}

fn answer(
    mut stream: TcpStream,
    content: &[u8],
    manner: Manner,
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = value.to_string();
        }
    }
    seen.lock().unwrap().push(range.clone());
    let asked: usize = range.trim_end_matches('-').parse().unwrap_or(0);
    let start = if matches!(manner, Manner::NoRanges) { 0 } else { asked };
    if let Manner::Status(code) = manner {
        return write!(stream, "HTTP/1.1 {code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let rest = &content[start.min(content.len())..];
    match start {
        0 => write!(stream, "HTTP/1.1 200 OK\r\n")?,
        _ => write!(
            stream,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{}\r\n",
            content.len() - 1,
            content.len()
        )?,
    }
    write!(stream, "Content-Length: {}\r\nConnection: close\r\n\r\n", rest.len())?;
    let sent = if let Manner::CutAfter(bytes) = manner { bytes.min(rest.len()) } else { rest.len() };
    stream.write_all(&rest[..sent])
}

fn content() -> Vec<u8> {
    (0..400_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn md5_of(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, content).unwrap();
    frostline::weights::known::md5_of(&path).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_cut_connection_is_resumed_where_it_broke() {
    let content = content();
    let server = serve(content.clone(), vec![Manner::CutAfter(150_000), Manner::CutAfter(100_000)]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("cache/file.h5");
    let mut progress = Vec::new();
    download(&server.url, &md5_of(&content), &target, &mut |have, total| progress.push((have, total)))
        .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content);
    assert_eq!(names(target.parent().unwrap()), ["file.h5"]);
    let ranges = server.ranges.lock().unwrap().clone();
    assert_eq!(ranges, ["", "150000-", "250000-"]);
    assert_eq!(progress.last(), Some(&(400_000, Some(400_000))));
    assert!(progress.windows(2).all(|pair| pair[0].0 <= pair[1].0), "progress never goes back");
}

#[test]
fn a_part_of_an_earlier_run_is_used() {
    let content = content();
    let server = serve(content.clone(), vec![]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.h5");
    std::fs::write(folder.path().join("file.h5.part"), &content[..123_456]).unwrap();
    download(&server.url, &md5_of(&content), &target, &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content);
    assert_eq!(*server.ranges.lock().unwrap(), ["123456-"]);
}

#[test]
fn a_server_without_ranges_starts_again() {
    let content = content();
    let server = serve(content.clone(), vec![Manner::CutAfter(90_000), Manner::NoRanges]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.h5");
    download(&server.url, &md5_of(&content), &target, &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content);
}

#[test]
fn a_wrong_checksum_leaves_nothing_and_says_both() {
    let content = content();
    let server = serve(content.clone(), vec![]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.h5");
    let wrong = "0".repeat(32);
    let message = download(&server.url, &wrong, &target, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains(&wrong) && message.contains(&md5_of(&content)), "{message}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn refusals_and_dead_servers_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.h5");
    let server = serve(content(), vec![Manner::Status(404)]);
    let message = download(&server.url, "", &target, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("answers 404") && message.contains("FROSTLINE_MIRROR"), "{message}");
    let server = serve(content(), vec![Manner::Status(500); 9]);
    let message = download(&server.url, "", &target, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("answers 500"), "{message}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message =
        download(&format!("http://{nobody}/a"), "", &target, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("cannot download") && message.contains("HTTPS_PROXY"), "{message}");
    // A server that speaks no TLS: the handshake is tried and fails as an error like any other.
    let plain = serve(content(), vec![]);
    let message =
        download(&plain.url.replace("http:", "https:"), "", &target, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("cannot download https:"), "{message}");
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
}

#[test]
fn two_downloads_of_one_file_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.h5");
    let other = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.path().join("file.h5.part"))
        .unwrap();
    other.lock().unwrap();
    let message = download("http://127.0.0.1:9/a", "", &target, &mut |_, _| {}).unwrap_err().to_string();
    assert!(message.contains("another process"), "{message}");
}

#[test]
fn a_whole_part_needs_no_server() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.h5");
    std::fs::write(folder.path().join("file.h5.part"), &content).unwrap();
    download("http://127.0.0.1:9/a", &md5_of(&content), &target, &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content);
}
