//! What the tests of the data room share: generated images in temporary folders.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};

use image::{DynamicImage, RgbImage};

/// A gradient whose first pixel says who it is.
pub fn picture(w: u32, h: u32, id: u8) -> DynamicImage {
    RgbImage::from_fn(w, h, |x, y| image::Rgb([id, (x * 255 / w) as u8, (y * 255 / h) as u8])).into()
}

/// Saves by the extension of `name`, makes the folders, and says where.
pub fn save(root: &Path, name: &str, image: &DynamicImage) -> PathBuf {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(&path).unwrap();
    path
}

pub fn write(root: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// `count` small PNGs `folder/NNN.png`; pixel values begin with `id`.
pub fn fill(root: &Path, folder: &str, count: usize, id: u8) {
    for i in 0..count {
        save(root, &format!("{folder}/{i:03}.png"), &picture(8, 8, id + i as u8));
    }
}

/// A path inside the repository's `tests/fixtures/images`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images").join(name)
}

/// The message of what should have been an error.
pub fn message<T>(result: frostline::error::Result<T>) -> String {
    match result {
        Ok(_) => panic!("this should have been an error"),
        Err(error) => error.to_string(),
    }
}
