//! Paths of a million files in a few tens of megabytes: folders once, file names in one arena.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// An append-only list of paths. About 12 bytes and the file name's own for each.
#[derive(Default)]
pub(super) struct Paths {
    folders: Vec<PathBuf>,
    folder_of: Vec<u32>,
    /// File names, one after another, as `OsStr`'s encoded bytes: names that are not UTF-8 survive.
    names: Vec<u8>,
    /// Where each name ends in `names`.
    ends: Vec<u64>,
}

impl Paths {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Appends `folder/name`. Neighbours of one folder share it.
    pub fn push(&mut self, folder: &Path, name: &OsStr) {
        if self.folders.last().is_none_or(|last| last != folder) {
            self.folders.push(folder.to_path_buf());
        }
        self.folder_of.push((self.folders.len() - 1) as u32);
        self.names.extend_from_slice(name.as_encoded_bytes());
        self.ends.push(self.names.len() as u64);
    }

    /// Appends a whole path; one without a file name (`/`, `..`) is kept as the folder itself.
    pub fn push_path(&mut self, path: &Path) {
        match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => self.push(folder, name),
            _ => self.push(path, OsStr::new("")),
        }
    }

    /// # Panics
    /// When `index` is not below `len()`.
    pub fn get(&self, index: usize) -> PathBuf {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let bytes = &self.names[start..self.ends[index] as usize];
        // SAFETY: `bytes` is exactly what one `push` took from `as_encoded_bytes` in this process.
        let name = unsafe { OsStr::from_encoded_bytes_unchecked(bytes) };
        let folder = &self.folders[self.folder_of[index] as usize];
        if name.is_empty() { folder.clone() } else { folder.join(name) }
    }

    /// Gives back what growing by doubling left over.
    pub fn shrink(&mut self) {
        self.names.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.folder_of.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_was_put_in() {
        let mut paths = Paths::default();
        let given = ["a/b/one.png", "a/b/two.png", "a/c/one.png", "bare.png", "/", "a/b/é.png"];
        given.iter().for_each(|p| paths.push_path(Path::new(p)));
        let back: Vec<PathBuf> = (0..paths.len()).map(|i| paths.get(i)).collect();
        assert_eq!(back, given.map(PathBuf::from));
    }

    #[test]
    fn neighbours_share_their_folder() {
        let mut paths = Paths::default();
        for i in 0..100 {
            paths.push(Path::new("some/long/folder"), OsStr::new(&i.to_string()));
        }
        assert_eq!(paths.folders.len(), 1);
    }
}
