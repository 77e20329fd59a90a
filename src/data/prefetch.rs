//! Worker threads that load ahead of whoever consumes, a bounded distance, and hand over in order.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::error::{Error, Result};

/// Pixels of one image, (h, w, 3).
pub(super) type Pixels = Arc<[u8]>;

/// Turns an index into pixels, on any thread.
pub(super) trait Load: Send + Sync + 'static {
    fn load(&self, index: u32) -> Result<Pixels>;
}

/// An iterator over (index, outcome) in the order given. Dropping it stops the workers after the image that
/// each has in hand.
pub(super) struct Prefetch {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    source: Arc<dyn Load>,
    order: Vec<u32>,
    state: Mutex<State>,
    /// Something was delivered.
    delivered: Condvar,
    /// Something was taken, or everyone should stop.
    taken: Condvar,
}

struct State {
    /// The outcome of position p lies in slot p % slots.len().
    slots: Vec<Option<Result<Pixels>>>,
    /// Positions below this were begun.
    claimed: usize,
    /// Positions below this were consumed.
    consumed: usize,
    stopped: bool,
}

impl Prefetch {
    /// Starts `workers` threads that are at most `ahead` images in front of the consumer.
    ///
    /// # Errors
    /// The system gives not even one thread.
    pub fn start(source: Arc<dyn Load>, order: Vec<u32>, workers: usize, ahead: usize) -> Result<Prefetch> {
        let ahead = ahead.clamp(1, order.len().max(1));
        let workers = workers.clamp(1, ahead);
        let state = State {
            slots: std::iter::repeat_with(|| None).take(ahead).collect(),
            claimed: 0,
            consumed: 0,
            stopped: false,
        };
        let shared = Arc::new(Shared {
            source,
            order,
            state: Mutex::new(state),
            delivered: Condvar::new(),
            taken: Condvar::new(),
        });
        Ok(Prefetch { workers: spawn(&shared, workers)?, shared })
    }
}

fn spawn(shared: &Arc<Shared>, workers: usize) -> Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for i in 0..workers {
        let shared = Arc::clone(shared);
        match Builder::new().name(format!("decode-{i}")).spawn(move || shared.work()) {
            Ok(thread) => threads.push(thread),
            Err(e) if i == 0 => {
                return Err(Error::Usage(format!(
                    "cannot start a thread to decode images: {e}; raise the limit on processes"
                )));
            }
            // Fewer threads than wished do the same work more slowly.
            Err(_) => break,
        }
    }
    Ok(threads)
}

impl Prefetch {}

impl Iterator for Prefetch {
    type Item = (u32, Result<Pixels>);

    fn next(&mut self) -> Option<Self::Item> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        let position = state.consumed;
        let index = *shared.order.get(position)?;
        let slot = position % state.slots.len();
        state = shared
            .delivered
            .wait_while(state, |s| s.slots[slot].is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let outcome = state.slots[slot].take()?;
        state.consumed += 1;
        shared.taken.notify_all();
        Some((index, outcome))
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.taken.notify_all();
        for worker in self.workers.drain(..) {
            // A worker's panic was already printed; unwinding here as well would abort.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(position) = self.claim() {
            let outcome = self.source.load(self.order[position]);
            let mut state = self.lock();
            let slot = position % state.slots.len();
            state.slots[slot] = Some(outcome);
            self.delivered.notify_all();
        }
    }

    /// The next position that nobody has begun; waits while the consumer is too far behind.
    fn claim(&self) -> Option<usize> {
        let end = self.order.len();
        let full = |s: &mut State| !s.stopped && s.claimed < end && s.claimed >= s.consumed + s.slots.len();
        let mut state = self.taken.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.stopped || state.claimed >= end {
            return None;
        }
        state.claimed += 1;
        Some(state.claimed - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// The first images take longest, so that later ones finish before them.
    #[derive(Default)]
    struct Slow {
        begun: AtomicUsize,
    }

    impl Load for Slow {
        fn load(&self, index: u32) -> Result<Pixels> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(if index.is_multiple_of(4) { 8 } else { 1 }));
            Ok(Arc::from(index.to_le_bytes()))
        }
    }

    #[test]
    fn hands_over_in_order() {
        let order: Vec<u32> = (0..40).rev().collect();
        let prefetch = Prefetch::start(Arc::new(Slow::default()), order.clone(), 4, 9).unwrap();
        let seen: Vec<u32> = prefetch
            .map(|(index, pixels)| {
                assert_eq!(&*pixels.unwrap(), index.to_le_bytes());
                index
            })
            .collect();
        assert_eq!(seen, order);
    }

    #[test]
    fn loads_no_further_ahead_than_told_and_stops_when_dropped() {
        let source = Arc::new(Slow::default());
        let mut prefetch = Prefetch::start(source.clone(), (0..1000).collect(), 3, 5).unwrap();
        assert_eq!(prefetch.next().unwrap().0, 0);
        std::thread::sleep(Duration::from_millis(150));
        assert!(source.begun.load(Ordering::SeqCst) <= 6, "1 consumed, 5 ahead");
        drop(prefetch);
        let begun = source.begun.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(source.begun.load(Ordering::SeqCst), begun, "the workers went on after the drop");
    }
}
