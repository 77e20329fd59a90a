//! The folder that a run writes into: whose it is, and that only one run at a time writes there.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::train::run::keeper::{BEST, HISTORY, LAST};

/// What tells a run's folder from any other.
const OF_A_RUN: [&str; 4] = ["run.json", BEST, LAST, HISTORY];

/// The file that is locked; it says nothing.
const LOCK: &str = ".lock";

/// A run's folder. While it lives no other process gets the same one; the system takes the lock back even from a
/// process that was killed.
#[derive(Debug)]
pub struct RunFolder {
    pub path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder `out`, or a numbered one in `runs` that is named after the data and the model. Where `out`
    /// holds a run already, that is refused, or removed under `overwrite`.
    ///
    /// # Errors
    /// The folder cannot be made or written, holds a run, or belongs to one that is going on.
    pub fn begin(out: Option<&Path>, data: &Path, model: &str, overwrite: bool) -> Result<RunFolder> {
        let path = match out {
            Some(out) => {
                std::fs::create_dir_all(out).map_err(Error::io("make the folder", out))?;
                out.to_path_buf()
            }
            None => numbered(data, model)?,
        };
        let folder = RunFolder::of(&path)?;
        let there: Vec<&str> = OF_A_RUN.into_iter().filter(|name| path.join(name).exists()).collect();
        if !there.is_empty() && !overwrite {
            return Err(Error::Usage(format!(
                "{} holds a run already ({}); go on with it by --resume {}, give another --out, or --overwrite to replace it",
                path.display(),
                there.join(", "),
                path.display()
            )));
        }
        for file in there.into_iter().map(|name| path.join(name)) {
            std::fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        }
        Ok(folder)
    }

    /// The folder of a run that goes on.
    ///
    /// # Errors
    /// It cannot be written, or belongs to a run that is going on.
    pub fn of(path: &Path) -> Result<RunFolder> {
        let file = path.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&file);
        let lock = lock.map_err(Error::io("write into", path))?;
        match lock.try_lock() {
            Ok(()) => Ok(RunFolder { path: path.to_path_buf(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Usage(format!(
                "another run is writing into {}: wait for it, or give another --out",
                path.display()
            ))),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", &file)(e)),
        }
    }
}

/// A start that failed leaves no folder behind.
impl Drop for RunFolder {
    fn drop(&mut self) {
        let mut entries = std::fs::read_dir(&self.path).into_iter().flatten();
        if entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK)) {
            // Whatever stands in the way of tidying up is no matter.
            let _ = std::fs::remove_file(self.path.join(LOCK));
            let _ = std::fs::remove_dir(&self.path);
        }
    }
}

/// The first number that is free; of two runs that begin at once each gets its own.
fn numbered(data: &Path, model: &str) -> Result<PathBuf> {
    let runs = Path::new("runs");
    std::fs::create_dir_all(runs).map_err(Error::io("make the folder", runs))?;
    let name = data.file_name().map_or("data".into(), |name| name.to_string_lossy());
    for number in 1.. {
        let path = runs.join(format!("{name}-{model}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io("make the folder", &path)(e)),
        }
    }
    unreachable!("some number is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_held_is_refused_until_it_is_let_go() {
        let root = tempfile::tempdir().unwrap();
        let begin = || RunFolder::begin(Some(root.path()), Path::new("data"), "vgg16", false);
        let held = begin().unwrap();
        let message = begin().unwrap_err().to_string();
        assert!(message.contains("another run is writing into"), "{message}");
        drop(held);
        assert!(!root.path().exists(), "what was made and not used is gone");
        begin().unwrap();
    }

    #[test]
    fn a_run_that_is_there_stays_unless_it_is_to_be_replaced() {
        let root = tempfile::tempdir().unwrap();
        let (best, other) = (root.path().join(BEST), root.path().join("notes.txt"));
        std::fs::write(&best, b"old").unwrap();
        std::fs::write(&other, b"mine").unwrap();
        let begin = |overwrite| RunFolder::begin(Some(root.path()), Path::new("data"), "vgg16", overwrite);
        let message = begin(false).unwrap_err().to_string();
        assert!(message.contains("holds a run already (best.safetensors)"), "{message}");
        assert_eq!(std::fs::read(&best).unwrap(), b"old");
        begin(true).unwrap();
        assert!(!best.exists() && other.exists());
    }
}
