//! Writing a file of the kind that its name asks for.

use std::fmt;
use std::path::Path;

use super::keras::{self, Contents};
use super::{Values, safetensors};
use crate::error::{Error, Result};

/// The kinds of file that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Safetensors,
    /// `.keras`: needs the model's configuration.
    KerasArchive,
    /// Keras 3 `.weights.h5`.
    KerasWeights,
    /// Legacy `.h5`: a whole model where there is a configuration, else weights alone.
    KerasLegacy,
}

impl Kind {
    /// By the ending of the file's name.
    ///
    /// # Errors
    /// An ending that no kind has.
    pub fn of(path: &Path) -> Result<Kind> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let endings = [
            (".safetensors", Kind::Safetensors),
            (".keras", Kind::KerasArchive),
            (".weights.h5", Kind::KerasWeights),
            (".h5", Kind::KerasLegacy),
            (".hdf5", Kind::KerasLegacy),
        ];
        let found = endings.iter().find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            Error::weights(
                path,
                "cannot tell what to write; end the name in .safetensors, .keras, .weights.h5 or .h5",
            )
        })
    }

    pub fn is_keras(self) -> bool {
        self != Kind::Safetensors
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Safetensors => "safetensors",
            Kind::KerasArchive => "Keras 3 model (.keras)",
            Kind::KerasWeights => "Keras 3 weights (.weights.h5)",
            Kind::KerasLegacy => "Keras legacy (.h5)",
        })
    }
}

/// Writes `contents` as `kind`; safetensors keep neither the configuration nor the optimizer's state.
///
/// # Errors
/// Those of the writers.
pub fn write(path: &Path, kind: Kind, contents: &Contents<'_>, values: &mut Values<'_, '_>) -> Result<()> {
    match kind {
        Kind::Safetensors => safetensors::write(path, contents.metadata, contents.tensors, values),
        Kind::KerasArchive => keras::write_archive(path, contents, values),
        Kind::KerasWeights => keras::write_weights(path, contents, values),
        Kind::KerasLegacy => keras::write_legacy(path, contents, values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_kind() {
        let of = |name: &str| Kind::of(Path::new(name));
        assert_eq!(of("a/B.KERAS").unwrap(), Kind::KerasArchive);
        assert_eq!(of("a.weights.h5").unwrap(), Kind::KerasWeights);
        assert_eq!(of("a.h5").unwrap(), Kind::KerasLegacy);
        assert_eq!(of("a.safetensors").unwrap(), Kind::Safetensors);
        assert!(of("a.onnx").unwrap_err().to_string().contains("end the name in"));
    }
}
