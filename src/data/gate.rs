//! A budget of bytes that threads share: who wants more than is left waits for others to finish.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) struct Gate {
    left: Mutex<u64>,
    freed: Condvar,
    total: u64,
}

/// Bytes held; given back on drop.
pub(super) struct Held<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Gate {
    pub fn new(total: u64) -> Gate {
        Gate { left: Mutex::new(total), freed: Condvar::new(), total }
    }

    /// Waits until `bytes` are left. More than the total is taken as the total, so that nobody waits for ever.
    pub fn hold(&self, bytes: u64) -> Held<'_> {
        let bytes = bytes.min(self.total);
        let left = self.left();
        let mut left =
            self.freed.wait_while(left, |left| *left < bytes).unwrap_or_else(PoisonError::into_inner);
        *left -= bytes;
        Held { gate: self, bytes }
    }

    fn left(&self) -> MutexGuard<'_, u64> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.gate.left() += self.bytes;
        self.gate.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn never_lends_more_than_it_has() {
        let (gate, held, most) = (Gate::new(100), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (gate, held, most) = (&gate, &held, &most);
                scope.spawn(move || {
                    for i in 0..50 {
                        let bytes = 30 + (thread * 7 + i) % 40;
                        let _guard = gate.hold(bytes);
                        most.fetch_max(held.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                        std::thread::yield_now();
                        held.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 100);
        assert_eq!(*gate.left(), 100);
    }

    #[test]
    fn more_than_everything_does_not_wait_for_ever() {
        let gate = Gate::new(10);
        drop(gate.hold(1 << 40));
        assert_eq!(*gate.left(), 10);
    }
}
