//! Members of a zip, whose declared sizes are checked against the file before anything is read for them.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::error::{Error, Result};

/// Deflate packs at most 1032 bytes into one.
const DEFLATE_LIMIT: u64 = 1032;

/// The largest JSON member that is read: thousands of layers.
const LARGEST_TEXT: u64 = 64 << 20;

/// An open zip file.
pub(super) struct Zipped {
    path: PathBuf,
    length: u64,
    archive: Archive,
}

impl Zipped {
    /// # Errors
    /// The file cannot be read, or its central directory is corrupt or cut off.
    pub(super) fn open(path: &Path) -> Result<Zipped> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|e| corrupt(path, "its list of members", e))?;
        Ok(Zipped { path: path.to_path_buf(), length, archive })
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.archive.index_for_name(name)
    }

    /// Names of all members.
    pub(super) fn names(&self) -> Vec<String> {
        self.archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
    }

    /// Declared length of a member once unpacked; at most what its packed bytes can hold.
    ///
    /// # Errors
    /// The declared lengths contradict each other or the file.
    pub(super) fn unpacked_length(&mut self, index: usize) -> Result<u64> {
        let length = self.length;
        let member = as_stored(&mut self.archive, &self.path, index)?;
        let (packed, unpacked, name) = (member.compressed_size(), member.size(), name_of(&member));
        let most = match member.compression() {
            zip::CompressionMethod::Stored => packed,
            _ => packed.saturating_mul(DEFLATE_LIMIT),
        };
        if packed > length || unpacked > most {
            return Err(corrupt(
                &self.path,
                &name,
                format!("{packed} bytes packed and {unpacked} unpacked in a file of {length}"),
            ));
        }
        Ok(unpacked)
    }

    /// Declared length of a member as it lies in the file.
    ///
    /// # Errors
    /// The member's header is corrupt.
    pub(super) fn packed_length(&mut self, index: usize) -> Result<u64> {
        Ok(as_stored(&mut self.archive, &self.path, index)?.compressed_size())
    }

    /// Where the member's bytes lie in the file (start, length), unless they are compressed.
    ///
    /// # Errors
    /// The member's header is corrupt, or it reaches beyond the end of the file.
    pub(super) fn in_place(&mut self, index: usize) -> Result<Option<(u64, u64)>> {
        self.unpacked_length(index)?;
        let length = self.length;
        let member = as_stored(&mut self.archive, &self.path, index)?;
        if member.compression() != zip::CompressionMethod::Stored || member.encrypted() {
            return Ok(None);
        }
        let start = member.data_start().unwrap_or(u64::MAX);
        match start.checked_add(member.size()) {
            Some(end) if end <= length => Ok(Some((start, member.size()))),
            _ => Err(corrupt(&self.path, &name_of(&member), "it reaches beyond the end of the file")),
        }
    }

    /// Hands the unpacking reader of a member to `use_it`; it ends after the declared length.
    ///
    /// # Errors
    /// The member is corrupt or encrypted, and those of `use_it`.
    pub(super) fn with_member<T>(
        &mut self,
        index: usize,
        use_it: impl FnOnce(&mut dyn Read) -> std::io::Result<T>,
    ) -> Result<T> {
        let declared = self.unpacked_length(index)?;
        let path = &self.path;
        let member = self.archive.by_index(index).map_err(|e| corrupt(path, "a member", e))?;
        let name = name_of(&member);
        use_it(&mut member.take(declared)).map_err(|e| corrupt(path, &name, e))
    }

    /// A member as text.
    ///
    /// # Errors
    /// It is too large for what it should be, corrupt, or not UTF-8.
    pub(super) fn text(&mut self, index: usize) -> Result<String> {
        let declared = self.unpacked_length(index)?;
        if declared > LARGEST_TEXT {
            return Err(corrupt(&self.path, "a text member", format!("{declared} bytes")));
        }
        self.with_member(index, |member| {
            let mut text = String::new();
            member.read_to_string(&mut text).map(|_| text)
        })
    }

    pub(super) fn into_file(self) -> File {
        self.archive.into_inner().into_inner()
    }
}

type Archive = ZipArchive<BufReader<File>>;

/// A member whose reader does not unpack.
fn as_stored<'z>(
    archive: &'z mut Archive,
    path: &Path,
    index: usize,
) -> Result<ZipFile<'z, BufReader<File>>> {
    archive.by_index_raw(index).map_err(|e| corrupt(path, "a member", e))
}

fn name_of(member: &ZipFile<'_, BufReader<File>>) -> String {
    member.name().map_or_else(|_| "a member".to_string(), |name| format!("'{name}'"))
}

fn corrupt(path: &Path, place: &str, problem: impl Into<Problem>) -> Error {
    let problem = problem.into().0;
    Error::weights(
        path,
        format!("cannot be unpacked at {place}: {problem}; the file is damaged or cut short, get it again"),
    )
}

struct Problem(String);

impl From<ZipError> for Problem {
    fn from(error: ZipError) -> Problem {
        Problem(error.to_string())
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Problem {
        Problem(error.to_string())
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem(text)
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Problem {
        Problem(text.to_string())
    }
}
