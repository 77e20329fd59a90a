//! Downloading the official Keras weights into the user's cache: resumed where it broke off, checked by MD5.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{folder_of, sync_folder};
use super::known::{KNOWN, Known, md5_of};
use crate::error::{Error, Result, unknown};

/// Where Keras itself fetches from.
const HOME: &str = "https://storage.googleapis.com/tensorflow/keras-applications";

/// Another place with the same folders (`BASE/vgg19/<file>`), for closed networks. Files are checked all the same.
pub const MIRROR_ENV: &str = "FROSTLINE_MIRROR";
/// Another cache folder.
pub const CACHE_ENV: &str = "FROSTLINE_CACHE";

/// A connection that brings nothing for this long is given up and resumed.
const PATIENCE: Duration = Duration::from_secs(120);
/// Attempts that bring not one byte before the download is given up.
const FRUITLESS_ATTEMPTS: usize = 3;
/// More than any of the known files; an endless answer must not fill the disk.
const LARGEST: u64 = 2 << 30;

/// Told of progress: bytes at hand, and how many there will be where the server says so.
pub type Progress<'p> = dyn FnMut(u64, Option<u64>) + 'p;

/// The official file of `model`, from the cache or downloaded into it. Gives its path.
///
/// Honours `HTTPS_PROXY`, `NO_PROXY`, [`MIRROR_ENV`] and [`CACHE_ENV`].
///
/// # Errors
/// An unknown model, no network, a server's refusal, a file with the wrong MD5, a full disk. Each says what to do; a
/// broken download keeps its part and goes on from there next time.
pub fn fetch(model: &str, top: bool, progress: &mut Progress<'_>) -> Result<PathBuf> {
    let known = fetchable(model, top)?;
    let base = std::env::var(MIRROR_ENV).unwrap_or_else(|_| HOME.to_string());
    let url = format!("{}/{}/{}", base.trim_end_matches('/'), known.model, known.file);
    let target = cache_folder()?.join(known.file);
    if target.is_file() && md5_of(&target)? == known.md5 {
        return Ok(target);
    }
    download(&url, known.md5, &target, progress)?;
    Ok(target)
}

/// The file that [`fetch`] would give, if it is in the cache already (its MD5 is not computed again).
///
/// # Errors
/// An unknown model, or no home folder.
pub fn cached(model: &str, top: bool) -> Result<Option<PathBuf>> {
    let path = cache_folder()?.join(fetchable(model, top)?.file);
    Ok(path.is_file().then_some(path))
}

fn fetchable(model: &str, top: bool) -> Result<Known> {
    let models = ["vgg16", "vgg19"];
    let found = KNOWN.iter().find(|k| k.model == model && k.top == top && models.contains(&k.model));
    found.copied().ok_or_else(|| unknown("pretrained model", model, &models))
}

/// `FROSTLINE_CACHE`, else the system's cache folder and `frostline` in it.
///
/// # Errors
/// The system names no home folder.
pub fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(CACHE_ENV).filter(|f| !f.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let system = dirs::cache_dir().ok_or_else(|| {
        Error::Usage(format!("no cache folder is known on this system; set {CACHE_ENV} to one"))
    })?;
    Ok(system.join("frostline"))
}

/// Downloads `url` to `target`, by way of `target.part`, which a later call resumes.
///
/// # Errors
/// As [`fetch`].
pub fn download(url: &str, md5: &str, target: &Path, progress: &mut Progress<'_>) -> Result<()> {
    let mut part = target.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let mut file = open_part(&part)?;
    // A run that ended between the last byte and the rename left a whole file, of which no server has more.
    let whole = length(&part, &file)? > 0 && md5_of(&part)? == md5;
    if !whole {
        complete(url, &part, &mut file, progress).inspect_err(|_| remove_if_empty(&part, &file))?;
    }
    file.sync_all().map_err(Error::io("write", &part))?;
    let found = md5_of(&part)?;
    if found != md5 {
        drop(file);
        fs::remove_file(&part).map_err(Error::io("remove", &part))?;
        return Err(Error::weights(
            target,
            format!(
                "what came from {url} has MD5 {found} instead of {md5} and was removed; try again, or check the mirror or proxy in between"
            ),
        ));
    }
    fs::rename(&part, target).map_err(Error::io("rename the finished file to", target))?;
    sync_folder(&folder_of(target))
}

/// A download that brought nothing should leave nothing. That it failed is the news, not whether this works too.
fn remove_if_empty(part: &Path, file: &File) {
    if length(part, file).is_ok_and(|bytes| bytes == 0) {
        let _ = fs::remove_file(part);
    }
}

/// The part, locked, so that two processes do not write into one file.
fn open_part(part: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(part)
        .map_err(Error::io("open", part))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::weights(part, "is being downloaded by another process; wait for it to end"))
        }
        // Some network file systems know no locks; the MD5 still guards the result.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// Asks until all is there. Each attempt that brought something earns a fresh set of attempts.
fn complete(url: &str, part: &Path, file: &mut File, progress: &mut Progress<'_>) -> Result<()> {
    let mut fruitless = 0;
    loop {
        let before = length(part, file)?;
        let problem = match attempt(url, part, file, before, progress)? {
            Attempt::Complete => return Ok(()),
            Attempt::Broken(problem) => problem,
        };
        fruitless = if length(part, file)? > before { 0 } else { fruitless + 1 };
        if fruitless == FRUITLESS_ATTEMPTS {
            let kept = length(part, file)?;
            return Err(Error::weights(part, unreachable_message(url, &problem, kept)));
        }
        std::thread::sleep(Duration::from_millis(200 << fruitless));
    }
}

fn unreachable_message(url: &str, problem: &str, kept: u64) -> String {
    let resumes = if kept > 0 {
        format!("; {kept} bytes are kept and the next try goes on from there")
    } else {
        String::new()
    };
    format!(
        "cannot download {url}: {problem}{resumes}. Check the connection (HTTPS_PROXY is honoured), set {MIRROR_ENV} to a mirror, \
         or download the file elsewhere and give its path as the weights"
    )
}

enum Attempt {
    Complete,
    Broken(String),
}

/// One request for what is missing after `have` bytes.
fn attempt(
    url: &str,
    part: &Path,
    file: &mut File,
    have: u64,
    progress: &mut Progress<'_>,
) -> Result<Attempt> {
    let mut request = agent(url).get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(problem) => return Ok(Attempt::Broken(problem.to_string())),
    };
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_string);
    let from = match response.status().as_u16() {
        206 if header("content-range").is_some_and(|r| r.starts_with(&format!("bytes {have}-"))) => have,
        // The server knows no ranges, or sends another one, or has nothing more: start again.
        200 => 0,
        206 | 416 => return restart(part, file),
        status @ (403 | 404 | 410) => {
            return Err(Error::weights(
                part,
                format!("{url} answers {status}; check {MIRROR_ENV}, or download the file elsewhere"),
            ));
        }
        status => return Ok(Attempt::Broken(format!("the server answers {status}"))),
    };
    let total = header("content-length").and_then(|n| n.parse::<u64>().ok()).map(|n| n.saturating_add(from));
    file.set_len(from).map_err(Error::io("write", part))?;
    receive(&mut response.into_body().into_reader(), part, file, from, total, progress)
}

fn restart(part: &Path, file: &mut File) -> Result<Attempt> {
    file.set_len(0).map_err(Error::io("write", part))?;
    Ok(Attempt::Broken("the server cannot resume; starting again".to_string()))
}

fn receive(
    body: &mut dyn Read,
    part: &Path,
    file: &mut File,
    from: u64,
    total: Option<u64>,
    progress: &mut Progress<'_>,
) -> Result<Attempt> {
    let mut buffer = vec![0; 1 << 17];
    let mut have = from;
    file.seek(SeekFrom::End(0)).map_err(Error::io("write", part))?;
    loop {
        progress(have, total);
        match body.read(&mut buffer) {
            Ok(0) if total.is_none_or(|total| have >= total) => return Ok(Attempt::Complete),
            Ok(0) => return Ok(Attempt::Broken("the connection was cut".to_string())),
            Ok(count) => {
                have += count as u64;
                if have > LARGEST {
                    return Err(Error::weights(
                        part,
                        format!(
                            "the server sends more than {LARGEST} bytes, which no known file has; check {MIRROR_ENV}"
                        ),
                    ));
                }
                file.write_all(&buffer[..count]).map_err(Error::io("write", part))?;
            }
            Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
            Err(problem) => return Ok(Attempt::Broken(problem.to_string())),
        }
    }
}

fn length(part: &Path, file: &File) -> Result<u64> {
    Ok(file.metadata().map_err(Error::io("read", part))?.len())
}

fn agent(url: &str) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_recv_body(Some(PATIENCE));
    // A server on this machine is never behind a proxy.
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    if ["127.0.0.1", "localhost", "[::1]"].iter().any(|local| host.starts_with(local)) {
        config = config.proxy(None);
    }
    config.build().into()
}
