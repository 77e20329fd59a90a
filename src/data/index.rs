//! The images below each class folder, as they lie on the disk.

use std::path::{Path, PathBuf};

use super::format::READABLE;
use super::split::{Builder, Split};
use super::walk::{self, Notes};
use crate::error::{Error, Result};

/// How a folder of images should look, for messages.
pub(super) const EXPECTED: &str = "expected a folder with one folder of images per class (DATA/<class>/*), or \
                        DATA/train/<class>/* beside DATA/val/<class>/*";

/// The folders in `folder` that may be classes: (name, path), sorted by name as Keras sorts them.
pub(super) fn class_folders(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        let path = entry.path();
        if !walk::is_hidden(&entry.file_name()) && path.is_dir() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), path));
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Every image below `folder/<class>`, in order of class and name.
pub(super) struct Indexed {
    pub classes: Vec<String>,
    pub samples: Split,
    pub notes: Notes,
}

impl Indexed {
    pub(super) fn read(folder: &Path) -> Result<Indexed> {
        let mut builder = Builder::default();
        let mut classes: Vec<String> = Vec::new();
        let mut notes = Notes::default();
        for (name, path) in class_folders(folder)? {
            let (id, before) = (classes.len() as u32, builder.len());
            notes.absorb(walk::images_below(&path, &mut |p| builder.push_path(p, id))?);
            if builder.len() == before {
                continue;
            }
            if classes.contains(&name) {
                return Err(Error::data(
                    &path,
                    "another class folder reads the same once its odd bytes are replaced; rename one",
                ));
            }
            classes.push(name);
        }
        Ok(Indexed { classes, samples: builder.finish(), notes })
    }

    pub(super) fn require_images(&self, folder: &Path) -> Result<()> {
        if !self.samples.is_empty() {
            return Ok(());
        }
        let mut loose = 0;
        walk::images_below(folder, &mut |_| loose += 1)?;
        Err(Error::data(
            folder,
            match loose {
                0 => format!("no images here ({READABLE}); {EXPECTED}"),
                n => format!("{n} images lie outside of any class folder; {EXPECTED}"),
            },
        ))
    }

    pub(super) fn require_two_classes(&self, folder: &Path) -> Result<()> {
        self.require_images(folder)?;
        match self.classes.as_slice() {
            [only] => Err(Error::data(
                folder,
                format!("only one class, '{only}': a classifier needs two or more; {EXPECTED}"),
            )),
            _ => Ok(()),
        }
    }
}
