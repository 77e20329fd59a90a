//! What the driver compiled, kept between runs in a file of the user's cache folder.
//!
//! Drivers that keep a cache of their own, as Mesa does, gain nothing by it.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A driver's cache of pipelines and its file.
pub(super) struct Disk {
    pub raw: wgpu::PipelineCache,
    path: PathBuf,
    /// What the file held.
    before: Vec<u8>,
}

impl Disk {
    /// The cache for this adapter in `folder`; `None` where the adapter has no such thing.
    pub fn open(device: &wgpu::Device, folder: &Path) -> Option<Disk> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = wgpu::util::pipeline_cache_key(&device.adapter_info())?;
        let path = folder.join("pipelines").join(key);
        let before = std::fs::read(&path).unwrap_or_default();
        let descriptor = wgpu::PipelineCacheDescriptor {
            label: Some("pipelines"),
            data: Some(before.as_slice()).filter(|data| !data.is_empty()),
            fallback: true,
        };
        // SAFETY: the file holds what `get_data` gave, replaced as a whole under a name of the adapter's own; wgpu checks
        // its header against adapter and driver, and falls back to an empty cache.
        let raw = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Disk { raw, path, before })
    }

    /// Replaces the file where there is more than it held. A cache that cannot be written is no loss.
    pub fn save(&self) {
        let data = self.raw.get_data().unwrap_or_default();
        if data.is_empty() || data == self.before {
            return;
        }
        let write = || {
            let folder = self.path.parent().expect("a file in a folder");
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&data)?;
            file.persist(&self.path).map(drop).map_err(|error| error.error)
        };
        let _: std::io::Result<()> = write();
    }
}
