//! Writing a file so that a crash leaves either the old one or the new one, never a part.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What [`replace`] hands to its closure: buffered, and seekable for formats that patch their own headers.
pub type Writer<'a> = BufWriter<&'a File>;

/// Writes `path` under a temporary name in the same folder, then fsync, rename, fsync of the folder.
///
/// When `write` fails, the temporary file is removed and what stood at `path` stays as it was.
///
/// # Errors
/// Those of `write`, and whatever the system says of the folder: missing, read-only, full.
pub fn replace(path: &Path, write: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
    let folder = folder_of(path);
    let temporary = temporary_file(path, &folder)?;
    let mut writer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    write(&mut writer)?;
    writer.flush().map_err(Error::io("write", path))?;
    drop(writer);
    temporary.as_file().sync_all().map_err(Error::io("write", path))?;
    temporary.persist(path).map_err(|e| Error::io("rename the finished file to", path)(e.error))?;
    sync_folder(&folder)
}

/// As [`replace`], by these bytes.
///
/// # Errors
/// Those of [`replace`].
pub fn replace_by(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |out| out.write_all(bytes).map_err(Error::io("write", path)))
}

/// The folder that `path` stands in; `.` where it names none.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn temporary_file(path: &Path, folder: &Path) -> Result<tempfile::NamedTempFile> {
    if path.file_name().is_none() || path.is_dir() {
        return Err(Error::weights(path, "is a folder; give the name of a file to write"));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".frostline-").suffix(".part");
    // A temporary file is private by default; the finished one should be as readable as any other.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(Error::io("create a file beside", path))
}

/// The rename itself must reach the disk too. Windows has no such call and needs none.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let handle = File::open(folder).map_err(Error::io("open the folder", folder))?;
        handle.sync_all().map_err(Error::io("flush the folder", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, b"old").unwrap();
        let failed = replace(&path, |w| {
            w.write_all(b"half").map_err(Error::io("write", &path))?;
            Err(Error::Usage("stop".into()))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_finished_write_replaces_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::fs::write(&path, b"old").unwrap();
        replace(&path, |w| w.write_all(b"new").map_err(Error::io("write", &path))).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let path = Path::new("no-such-folder-here/a.bin");
        let message = replace(path, |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("no-such-folder-here"), "{message}");
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let message = replace(folder.path(), |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("is a folder"), "{message}");
    }
}
