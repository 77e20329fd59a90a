//! Which files below a folder are images. The rules, in the order in which they are asked:
//!
//! 1. Hidden files and folders (a leading dot) are passed over.
//! 2. A file with a known image extension, in any case, is an image; whether it decodes shows later, by content.
//! 3. A file of a kind that only other programs read (HEIC, AVIF, SVG, raw photographs) is left out with a warning.
//! 4. Any other file (no extension, `.jfif~`, `.txt`) is an image if its first bytes say so.
//!
//! Links are followed; one that leads back to a folder above it is not.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::format::{self, READABLE};
use crate::error::{Error, Result};

const EXTENSIONS: [&str; 12] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "bmp", "dib", "gif", "webp", "tif", "tiff"];

const FOREIGN: [&str; 18] = [
    "heic", "heif", "avif", "jxl", "jp2", "svg", "psd", "xcf", "cr2", "cr3", "nef", "arw", "dng", "raf",
    "ppm", "pgm", "tga", "exr",
];

/// What was seen beside the images.
#[derive(Default)]
pub(super) struct Notes {
    /// Images of kinds that are not read, by extension.
    pub foreign: BTreeMap<String, usize>,
    /// Entries that the system would not show: broken links, folders without permission, loops.
    pub unreadable: Vec<String>,
}

impl Notes {
    pub fn absorb(&mut self, other: Notes) {
        for (extension, count) in other.foreign {
            *self.foreign.entry(extension).or_default() += count;
        }
        self.unreadable.extend(other.unreadable);
    }

    /// One line per thing that the owner of the folder should know.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = self.unreadable.clone();
        if !self.foreign.is_empty() {
            let kinds: Vec<String> = self.foreign.iter().map(|(e, n)| format!("{n} .{e}")).collect();
            lines.push(format!("left out {}: convert them to {READABLE}", kinds.join(", ")));
        }
        lines
    }
}

/// Calls `take` with the path of each image below `folder`, sorted by name folder by folder.
///
/// # Errors
/// `folder` itself cannot be listed.
pub(super) fn images_below(folder: &Path, take: &mut dyn FnMut(&Path)) -> Result<Notes> {
    std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut notes = Notes::default();
    let mut entries = WalkDir::new(folder).follow_links(true).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if is_hidden(entry.file_name()) => skip(&mut entries, &entry),
            Ok(entry) if entry.file_type().is_file() => match kind(entry.path()) {
                Kind::Image => take(entry.path()),
                Kind::Foreign(extension) => *notes.foreign.entry(extension).or_default() += 1,
                Kind::Other => {}
            },
            Ok(entry) if leads_above(&entry, folder) => {
                notes.unreadable.push(loop_found(entry.path(), folder));
                entries.skip_current_dir();
            }
            Ok(_) => {}
            Err(e) => notes.unreadable.extend(describe(&e)),
        }
    }
    Ok(notes)
}

fn skip(entries: &mut walkdir::IntoIter, entry: &DirEntry) {
    if entry.file_type().is_dir() {
        entries.skip_current_dir();
    }
}

/// Whether `entry` is a link to `folder` or to a folder that holds it: following it would find other classes'
/// images here. The walker itself sees only links to folders that it is inside of.
fn leads_above(entry: &DirEntry, folder: &Path) -> bool {
    entry.path_is_symlink()
        && match (entry.path().canonicalize(), folder.canonicalize()) {
            (Ok(target), Ok(folder)) => folder.starts_with(target),
            _ => false,
        }
}

fn loop_found(link: &Path, above: &Path) -> String {
    format!("{}: not followed, it links back to {} or above", link.display(), above.display())
}

pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// `None` for what rule 1 passes over anyway: a hidden link that leads nowhere is nobody's concern.
fn describe(error: &walkdir::Error) -> Option<String> {
    let path = error.path()?;
    if path.file_name().is_some_and(is_hidden) {
        return None;
    }
    Some(match (error.loop_ancestor(), error.io_error()) {
        (Some(above), _) => loop_found(path, above),
        (None, Some(io)) => format!("{}: passed over: {io}", path.display()),
        (None, None) => format!("{}: passed over", path.display()),
    })
}

enum Kind {
    Image,
    Foreign(String),
    Other,
}

fn kind(path: &Path) -> Kind {
    let extension = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).unwrap_or_default();
    if EXTENSIONS.contains(&extension.as_str()) {
        Kind::Image
    } else if FOREIGN.contains(&extension.as_str()) {
        Kind::Foreign(extension)
    } else if begins_like_an_image(path) {
        Kind::Image
    } else {
        Kind::Other
    }
}

fn begins_like_an_image(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_end(&mut start));
    read.is_ok() && format::sniff(&start).is_some()
}
