//! Features on disk, from one run to the next: in the user's cache folder, one small file for each image.
//!
//! A *shelf* holds what one prefix makes of images: its key is a hash of everything that decides a bit of the result.
//! Within it an entry is found by a hash of the image file's bytes. Entries appear whole or not at all, and two
//! processes that write the same one write the same bytes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::error::{Error, Result};
use crate::train::digest::{Digest, digest};
use crate::weights::fetch::cache_folder;
use crate::weights::known::hex;

/// The cache of all prefixes.
#[derive(Clone, Debug)]
pub struct FeatureCache {
    folder: PathBuf,
    /// Most bytes of all entries.
    limit: u64,
}

/// The name of the file whose time says when a shelf was last used.
const USED: &str = "used";

impl FeatureCache {
    /// The cache in the user's cache folder, which may grow to `limit` bytes.
    ///
    /// # Errors
    /// The system names no cache folder.
    pub fn of_user(limit: u64) -> Result<FeatureCache> {
        Ok(FeatureCache::in_folder(&cache_folder()?.join("features"), limit))
    }

    pub fn in_folder(folder: &Path, limit: u64) -> FeatureCache {
        FeatureCache { folder: folder.to_path_buf(), limit }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The shelf of one prefix. Shelves that were used longest ago are thrown away until the rest keeps to the limit.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn shelf(&self, key: &Digest) -> Result<Shelf> {
        let folder = self.folder.join(hex(key));
        fs::create_dir_all(&folder).map_err(Error::io("make the folder", &folder))?;
        let used = folder.join(USED);
        fs::write(&used, b"").map_err(Error::io("write", &used))?;
        let others = self.prune(&folder);
        Ok(Shelf {
            room: self.limit.saturating_sub(others),
            bytes: AtomicU64::new(bytes_below(&folder)),
            folder,
        })
    }

    /// Bytes of the shelves that stay beside `own`. What cannot be read or removed is left to a later run.
    fn prune(&self, own: &Path) -> u64 {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let shelf = |path: PathBuf| {
            let used = fs::metadata(path.join(USED)).and_then(|used| used.modified());
            (used.unwrap_or(SystemTime::UNIX_EPOCH), bytes_below(&path), path)
        };
        let mut shelves: Vec<_> = entries.filter(|path| path.is_dir() && path != own).map(shelf).collect();
        shelves.sort();
        let mut total = bytes_below(own) + shelves.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        let mut others = 0;
        for (_, bytes, path) in shelves {
            if total > self.limit && fs::remove_dir_all(&path).is_ok() {
                total -= bytes;
            } else {
                others += bytes;
            }
        }
        others
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// The features that one prefix made.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// Most bytes of this shelf.
    room: u64,
    bytes: AtomicU64,
}

impl Shelf {
    fn path(&self, image: &Digest) -> PathBuf {
        let name = hex(image);
        self.folder.join(&name[..2]).join(&name[2..])
    }

    /// Fills `out` with the features of an image; `false` where they are not here, or damaged.
    pub fn get(&self, image: &Digest, out: &mut [f32]) -> bool {
        let Ok(entry) = fs::read(self.path(image)) else { return false };
        let Some((sum, values)) = entry.split_first_chunk::<16>() else { return false };
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(out);
        if values.len() != bytes.len() || *sum != digest([values]) {
            return false;
        }
        bytes.copy_from_slice(values);
        true
    }

    /// Keeps the features of an image; `false` where the limit is reached or the disk does not take them, which costs
    /// a later run time and this one nothing.
    pub fn put(&self, image: &Digest, values: &[f32]) -> bool {
        let values: &[u8] = bytemuck::cast_slice(values);
        let bytes = 16 + values.len() as u64;
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.room {
            return false;
        }
        self.write(&self.path(image), &[&digest([values])[..], values]).is_ok()
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.persist(path).map(drop).map_err(|e| e.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Digest = [7; 16];

    fn cache(limit: u64) -> (tempfile::TempDir, FeatureCache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = FeatureCache::in_folder(folder.path(), limit);
        (folder, cache)
    }

    fn has(shelf: &Shelf, image: &Digest) -> bool {
        shelf.get(image, &mut [0.0; 3])
    }

    #[test]
    fn what_was_kept_comes_back_and_only_under_its_key() {
        let (_folder, cache) = cache(1 << 20);
        let shelf = cache.shelf(&[1; 16]).unwrap();
        assert!(!has(&shelf, &IMAGE) && shelf.put(&IMAGE, &[1.0, f32::MIN_POSITIVE, -0.0]));
        let mut out = [0.0; 3];
        assert!(cache.shelf(&[1; 16]).unwrap().get(&IMAGE, &mut out));
        assert_eq!(out.map(f32::to_bits), [1.0, f32::MIN_POSITIVE, -0.0].map(f32::to_bits));
        assert!(!has(&cache.shelf(&[2; 16]).unwrap(), &IMAGE));
        assert!(!shelf.get(&IMAGE, &mut [0.0; 4]), "another width is another thing");
    }

    #[test]
    fn a_damaged_entry_is_not_there() {
        let (_folder, cache) = cache(1 << 20);
        let shelf = cache.shelf(&[1; 16]).unwrap();
        assert!(shelf.put(&IMAGE, &[1.0, 2.0, 3.0]));
        let path = shelf.path(&IMAGE);
        let whole = fs::read(&path).unwrap();
        for broken in [&whole[..10], &whole[..whole.len() - 4], &[&whole[..20], &[9], &whole[21..]].concat()]
        {
            fs::write(&path, broken).unwrap();
            assert!(!has(&shelf, &IMAGE));
        }
        assert!(shelf.put(&IMAGE, &[1.0, 2.0, 3.0]) && has(&shelf, &IMAGE));
    }

    #[test]
    fn the_limit_holds_and_the_oldest_shelf_goes_first() {
        let (_folder, cache) = cache(100);
        let old = cache.shelf(&[1; 16]).unwrap();
        // An entry of three numbers takes 28 bytes.
        assert!((0..3).all(|i| old.put(&[i; 16], &[0.0; 3])));
        assert!(!old.put(&[3; 16], &[0.0; 3]), "112 bytes");
        let time = SystemTime::now() - std::time::Duration::from_secs(60);
        let used = fs::File::options().write(true).open(old.folder.join(USED)).unwrap();
        used.set_modified(time).unwrap();
        let new = cache.shelf(&[2; 16]).unwrap();
        assert!(has(&old, &[0; 16]) && !new.put(&[4; 16], &[0.0; 3]), "84 of 100 bytes are another's");
        let smaller = FeatureCache::in_folder(cache.folder(), 50);
        let new = smaller.shelf(&[2; 16]).unwrap();
        assert!(!has(&old, &[0; 16]) && new.put(&[4; 16], &[0.0; 3]));
    }
}
