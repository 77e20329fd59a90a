//! What tuning has found on this adapter before, in a file of the user's cache folder.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::Level;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::ops::{Rung, Step};
use crate::weights::known::hex;

/// The winner of one layer and part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub rung: Rung,
    pub level: Level,
    /// Hash of the kernels that competed: when one is edited, the finding no longer counts.
    pub kernels: String,
    /// Median milliseconds of each rung.
    pub ms: BTreeMap<Rung, f64>,
}

/// Findings of one adapter, driver and subgroup size.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Known {
    adapter: String,
    lanes: Option<(u32, u32)>,
    findings: BTreeMap<String, Finding>,
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Known {
    /// What the file of this device in `folder` holds; nothing where there is none, or none that can be read.
    pub fn open(device: &Device, folder: &Path) -> Known {
        let (adapter, lanes) = (device.info().to_string(), device.caps().lanes);
        let name = hex(&Md5::digest(format!("{adapter} {lanes:?}")));
        let path = folder.join("tuning").join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let read: Known = serde_json::from_str(&text).unwrap_or_default();
        let same = read.adapter == adapter && read.lanes == lanes;
        let findings = if same { read.findings } else { BTreeMap::new() };
        Known { adapter, lanes, findings, path: Some(path) }
    }

    /// A finding about the same kernels at this level or above.
    pub fn get(&self, key: &str, kernels: &str, level: Level) -> Option<&Finding> {
        self.findings.get(key).filter(|finding| finding.kernels == kernels && finding.level >= level)
    }

    pub fn insert(&mut self, key: String, finding: Finding) {
        self.findings.insert(key, finding);
    }

    /// Replaces the file as a whole.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn save(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let folder = path.parent().expect("a file in a folder");
        std::fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let text = serde_json::to_string_pretty(self).expect("plain data serialises");
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.persist(path).map(drop).map_err(|error| error.error)
        };
        write().map_err(Error::io("write", path))
    }
}

/// One number for everything that the kernels of these steps are made of.
pub(super) fn hash<'a>(steps: impl Iterator<Item = &'a Step>) -> String {
    let mut digest = Md5::new();
    for step in steps {
        digest.update(step.kernel.wgsl(0, true));
    }
    hex(&digest.finalize())
}
