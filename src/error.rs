//! The one error enum of the house. Every message says what happened, where, and what to do next.

use std::path::{Path, PathBuf};

/// Everything that can go wrong, grouped by what the person in front of the screen can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No adapter fits the request; `advice` says how to get one on this system.
    #[error("{problem}\n{advice}")]
    Adapter { problem: String, advice: String },

    /// The device refused; the message carries what the driver said.
    #[error("device: {0}")]
    Device(String),

    /// The device is gone (a driver reset, a watchdog, a card taken out): a new one may serve.
    #[error("the device was lost: {0}")]
    DeviceLost(String),

    /// Shapes that do not fit together, or a value an op cannot take.
    #[error("{op} '{layer}': {what}")]
    Shape { op: &'static str, layer: String, what: String },

    /// Something is larger than the adapter or the memory budget allows.
    #[error("{what} needs {}, {limit_name} is {}; {cure}", apart(*needed, *limit), apart(*limit, *needed))]
    TooLarge { what: String, needed: u64, limit_name: &'static str, limit: u64, cure: String },

    /// The driver or the system has no memory left, though the plan fitted the budget.
    #[error("no memory left: {what} needs {} more; give a smaller --memory, so that batches run in smaller parts, or close other programs", bytes(*needed))]
    OutOfMemory { what: String, needed: u64 },

    /// A weight or checkpoint file that cannot be used.
    #[error("{}: {what}", path.display())]
    Weights { path: PathBuf, what: String },

    /// A folder of images, or one image, that cannot be used.
    #[error("{}: {what}", path.display())]
    Data { path: PathBuf, what: String },

    /// The operating system said no.
    #[error("cannot {action} {}: {source}{}", path.display(), cure(source.kind()))]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    /// A setting that makes no sense; names the setting and what it takes.
    #[error("{0}")]
    Usage(String),

    /// The loss stopped being a number.
    #[error("{0}")]
    Diverged(String),

    /// Ctrl-C or a termination signal; the message says how to go on.
    #[error("{0}")]
    Interrupted(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// For `map_err` on file operations: `action` is a verb, as in "cannot read FILE: ...".
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// A weight file at `path` that cannot be used.
    pub fn weights(path: &Path, what: impl Into<String>) -> Error {
        Error::Weights { path: path.to_path_buf(), what: what.into() }
    }

    /// An image or image folder at `path` that cannot be used.
    pub fn data(path: &Path, what: impl Into<String>) -> Error {
        Error::Data { path: path.to_path_buf(), what: what.into() }
    }
}

/// `411.0 MiB`, `2.0 GiB`, `17 bytes`
pub fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{count} bytes"),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", count as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", count as f64 / 1_073_741_824.0),
    }
}

/// What to do about the commonest refusals of a system.
fn cure(kind: std::io::ErrorKind) -> &'static str {
    use std::io::ErrorKind::{
        FileTooLarge, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    match kind {
        NotFound => "; check the path",
        PermissionDenied | ReadOnlyFilesystem => "; choose another place, or ask for permission",
        StorageFull | QuotaExceeded | FileTooLarge => "; free some space, or choose another disk",
        _ => "",
    }
}

/// `count` so that it reads differently from `other`: to the byte where rounding hides which is larger.
fn apart(count: u64, other: u64) -> String {
    match bytes(count) == bytes(other) {
        true => format!("{count} bytes"),
        false => bytes(count),
    }
}

/// `"unknown model 'vgg91'; did you mean 'vgg19'? known: vgg11, vgg13, ..."`
///
/// # Errors
/// This *is* the error: call it when `asked` is in none of `known`.
pub fn unknown(kind: &str, asked: &str, known: &[impl AsRef<str>]) -> Error {
    let near = known
        .iter()
        .map(AsRef::as_ref)
        .filter(|k: &&str| strsim::damerau_levenshtein(asked, k) <= k.len().max(asked.len()) / 2);
    // Of names at the same distance the one with the same letters: vgg91 is vgg19 and not vgg11.
    let nearest = near.min_by(|a, b| {
        let distance = |k: &str| (strsim::damerau_levenshtein(asked, k), -strsim::jaro(asked, k));
        let (a, b) = (distance(a), distance(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let hint = nearest.map_or(String::new(), |k| format!("; did you mean '{k}'?"));
    let names: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    Error::Usage(format!("unknown {kind} '{asked}'{hint} (known: {})", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name() {
        let message = unknown("model", "vgg91", &["vgg11", "vgg16", "vgg19"]).to_string();
        assert!(message.contains("did you mean 'vgg19'?"), "{message}");
        assert!(message.contains("known: vgg11, vgg16, vgg19"), "{message}");
    }

    #[test]
    fn stays_silent_when_nothing_is_near() {
        let message = unknown("model", "xyzzyplugh", &["vgg11"]).to_string();
        assert!(!message.contains("did you mean"), "{message}");
    }
}
