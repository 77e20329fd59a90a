//! What kind of file is this? By its content, never by its name.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Source;
use super::safetensors::Safetensors;
use crate::error::{Error, Result};

/// Opens a weight file of any kind that is read here.
/// # Errors
/// The file is missing, of another kind (the message says which, and what to do), truncated or corrupt.
pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    let head = head(path)?;
    if looks_like_safetensors(&head) {
        return Ok(Box::new(Safetensors::open(path)?));
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
