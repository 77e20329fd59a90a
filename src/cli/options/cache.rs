//! The options of the feature cache.

use crate::cli::shared::{Shared, bytes};
use crate::error::Result;
use crate::train::features::cache::FeatureCache;

/// Where the results of frozen layers stay from one run to the next.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Feature cache")]
pub struct CacheArgs {
    /// Most bytes of the feature cache in the user's cache folder, such as 20G; 0 for none
    #[arg(long, value_parser = bytes, default_value = "10G")]
    pub cache_limit: u64,
    /// With augmentation: draw K fixed variants of each image once, and cache those
    #[arg(long, value_name = "K")]
    pub cache_augment: Option<usize>,
}

impl CacheArgs {
    /// The cache, unless it is switched off or the system has no place for it.
    pub fn open(&self, shared: &Shared) -> Option<FeatureCache> {
        if self.cache_limit == 0 {
            return None;
        }
        let cache: Result<FeatureCache> = FeatureCache::of_user(self.cache_limit);
        cache.inspect_err(|error| shared.say(format_args!("warning   no feature cache: {error}"))).ok()
    }
}
