//! What kind of file is this? By its content, never by its name.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::Source;
use super::keras::{self, Keras};
use super::npz::Npz;
use super::safetensors::Safetensors;
use super::torch::Torch;
use super::zipped::Zipped;
use crate::error::{Error, Result};

/// Opens a weight file of any kind that is read here.
///
/// # Errors
/// The file is missing, of another kind (the message says which, and what to do), truncated or corrupt.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    let head = head(path)?;
    if head.starts_with(b"PK") {
        return open_zip(path);
    }
    if is_hdf5(path, &head)? {
        return Ok(Box::new(Keras::open(path)?));
    }
    if looks_like_safetensors(&head) {
        let plain = Safetensors::open(path)?;
        return if Torch::recognises(&plain) {
            Ok(Box::new(Torch::new(plain)?))
        } else {
            Ok(Box::new(plain))
        };
    }
    Err(Error::weights(path, refusal(&head)))
}

/// The first bytes of the file, as many as any of the tests here needs.
fn head(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(Error::weights(path, "is a folder; give a weight file"));
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(64).read_to_end(&mut head).map_err(Error::io("read", path))?;
    Ok(head)
}

fn open_zip(path: &Path) -> Result<Box<dyn Source>> {
    match keras::open_archive(path, Zipped::open(path)?)? {
        Ok(model) => Ok(Box::new(model)),
        Err(zip) => Ok(Box::new(Npz::open(path, zip)?)),
    }
}

/// An HDF5 file may start with a user block of 512, 1024, 2048, ... bytes, and its signature stands behind that.
fn is_hdf5(path: &Path, head: &[u8]) -> Result<bool> {
    const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";
    if head.starts_with(SIGNATURE) {
        return Ok(true);
    }
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    for power in 9..20 {
        let mut found = [0; 8];
        let read = file.seek(SeekFrom::Start(1 << power)).and_then(|_| file.read_exact(&mut found));
        match read {
            Ok(()) if &found == SIGNATURE => return Ok(true),
            Ok(()) => continue,
            Err(_) => break,
        }
    }
    Ok(false)
}

fn looks_like_safetensors(head: &[u8]) -> bool {
    head.get(8) == Some(&b'{')
}

/// Why the file is not read, as precisely as its first bytes tell.
fn refusal(head: &[u8]) -> String {
    let known: [(&[u8], &str); 8] = [
        (b"\x93NUMPY", "is a single NumPy array; save named arrays with numpy.savez"),
        (
            b"\x80\x02",
            "is a Python pickle (an old PyTorch file); load it in PyTorch and save it as safetensors",
        ),
        (b"GGUF", "is a GGUF file of a language model; give a safetensors or Keras file"),
        (b"version https://git-lfs", "is a Git LFS pointer, not the file itself; run 'git lfs pull'"),
        (b"\x1f\x8b", "is gzip-compressed; unpack it first"),
        (b"<!DOCTYPE", "is a web page, not a weight file; download the file itself"),
        (b"<html", "is a web page, not a weight file; download the file itself"),
        (b"<?xml", "is an XML document, probably a server's error message; download the file again"),
    ];
    let found = known.iter().find(|(magic, _)| head.starts_with(magic));
    match found {
        Some((_, advice)) => (*advice).to_string(),
        None if head.is_empty() => "is empty; get the file again".to_string(),
        None => "is no weight file that is read here (safetensors, Keras .h5 or .keras, .npz); check the file, or get it again".to_string(),
    }
}
