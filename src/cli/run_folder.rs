//! The folder that a run writes into, and the names of what it writes.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Makes the folder `out`, or a numbered one in `runs` that is named after the data and the model.
///
/// # Errors
/// It cannot be made.
pub fn make(out: Option<&Path>, data: &Path, model: &str) -> Result<PathBuf> {
    let out = match out {
        Some(out) => out.to_path_buf(),
        None => {
            let name = data.file_name().map_or("data".into(), |name| name.to_string_lossy());
            let numbered = (1..).map(|i| PathBuf::from(format!("runs/{name}-{model}-{i}")));
            numbered.into_iter().find(|path| !path.exists()).expect("some number is free")
        }
    };
    std::fs::create_dir_all(&out).map_err(Error::io("make the folder", &out))?;
    Ok(out)
}
