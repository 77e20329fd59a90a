//! A hash of everything that decides a bit of something.

use md5::{Digest as _, Md5};

/// A hash of 128 bits.
pub type Digest = [u8; 16];

/// Hashes parts, each behind its length, so that no two lists of parts run into each other.
pub fn digest<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Digest {
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
