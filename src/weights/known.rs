//! The official Keras Applications files, told by their MD5.
//!
//! Source: the `WEIGHTS_PATH` and `file_hash` lines of keras/src/applications/{vgg16,vgg19,resnet,inception_v3}.py.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::{Digest, Md5};

use super::Format;
use crate::error::{Error, Result};

/// An official weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// `vgg19`.
    pub model: &'static str,
    /// With the 1000-class top?
    pub top: bool,
    /// What its input must go through: `caffe` or `tf`.
    pub preprocessing: &'static str,
    pub file: &'static str,
    pub md5: &'static str,
}

const fn known(
    model: &'static str,
    top: bool,
    preprocessing: &'static str,
    file: &'static str,
    md5: &'static str,
) -> Known {
    Known { model, top, preprocessing, file, md5 }
}

/// All that are recognised; those whose `file` is a VGG can be fetched.
pub const KNOWN: [Known; 8] = [
    known(
        "vgg16",
        true,
        "caffe",
        "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        "64373286793e3c8b2b4e3219cbf3544b",
    ),
    known(
        "vgg16",
        false,
        "caffe",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
    known(
        "vgg19",
        true,
        "caffe",
        "vgg19_weights_tf_dim_ordering_tf_kernels.h5",
        "cbe5617147190e668d6c5d5026f83318",
    ),
    known(
        "vgg19",
        false,
        "caffe",
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
    ),
    known(
        "resnet50",
        true,
        "caffe",
        "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        "2cb95161c43110f7111970584f804107",
    ),
    known(
        "resnet50",
        false,
        "caffe",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    known(
        "inception_v3",
        true,
        "tf",
        "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
        "9a0d58056eeedaa3f26cb7ebd46da564",
    ),
    known(
        "inception_v3",
        false,
        "tf",
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
];

/// The official file with this MD5 (32 hexadecimal digits), if it is one.
pub fn by_md5(md5: &str) -> Option<Known> {
    KNOWN.iter().copied().find(|k| k.md5.eq_ignore_ascii_case(md5))
}

/// The official file at `path`. All of them are legacy weights: a file of another `format` is not read once more.
///
/// # Errors
/// The file cannot be read.
pub fn official(path: &Path, format: Format) -> Result<Option<Known>> {
    match format {
        Format::KerasLegacyWeights => Ok(by_md5(&md5_of(path)?)),
        _ => Ok(None),
    }
}

/// The MD5 of a file, as 32 hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn md5_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hex(&hasher.finalize()))
}

/// Two hexadecimal digits for each byte: a hash as people write it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_of_a_known_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"abc").unwrap();
        // RFC 1321, appendix A.5.
        assert_eq!(md5_of(&path).unwrap(), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn files_are_told_by_their_sum() {
        let found = by_md5("253F8CB515780F3B799900260A226DB6").unwrap();
        assert_eq!((found.model, found.top, found.preprocessing), ("vgg19", false, "caffe"));
        assert!(by_md5("").is_none());
        assert!(KNOWN.iter().all(|k| k.md5.len() == 32));
    }
}
