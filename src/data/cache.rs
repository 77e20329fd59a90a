//! Decoded pixels of the images that fit a budget, so that a second epoch does not decode them again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Keeps the first images that come until the budget is spent, and never evicts: an epoch visits each image
/// once, and on such a cyclic scan throwing out the oldest would leave no hit at all.
pub(super) struct Cache {
    kept: RwLock<HashMap<u32, Arc<[u8]>>>,
    capacity: usize,
}

impl Cache {
    /// Room for `budget` bytes of images of `image_bytes` each.
    pub fn new(budget: u64, image_bytes: usize) -> Cache {
        let capacity = (budget / image_bytes.max(1) as u64).min(u64::from(u32::MAX)) as usize;
        Cache { kept: RwLock::default(), capacity }
    }

    pub fn get(&self, index: u32) -> Option<Arc<[u8]>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&index).cloned()
    }

    /// Keeps `pixels` if there is room.
    pub fn offer(&self, index: u32, pixels: &Arc<[u8]>) {
        if self.len() < self.capacity {
            let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < self.capacity {
                kept.insert(index, Arc::clone(pixels));
            }
        }
    }

    pub fn len(&self) -> usize {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_first_and_stops_at_the_budget() {
        let cache = Cache::new(25, 10);
        for i in 0..5 {
            cache.offer(i, &Arc::from([i as u8; 10]));
        }
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.get(1).as_deref(), Some(&[1; 10][..]));
        assert_eq!(cache.get(2), None);
    }
}
