//! Permutations keyed by (seed, what for, which one): the order of an epoch, the members of a split.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a generator is for: two uses of one seed never share a stream.
#[derive(Clone, Copy)]
enum Purpose {
    Epoch = 1,
    Split = 2,
}

/// The order in which epoch `epoch` visits `n` samples: a permutation of `0..n`.
///
/// It depends on nothing but the arguments, so batch size, worker count and a resumed run change nothing.
pub fn epoch(n: u32, seed: u64, epoch: u64) -> Vec<u32> {
    permutation(n, generator(seed, Purpose::Epoch, epoch))
}

/// The order in which evaluation visits `n` samples: as they lie in the split.
pub fn sequential(n: u32) -> Vec<u32> {
    (0..n).collect()
}

/// A permutation of class `class`'s samples: its first members go to validation.
pub(super) fn split(n: u32, seed: u64, class: u64) -> Vec<u32> {
    permutation(n, generator(seed, Purpose::Split, class))
}

fn generator(seed: u64, purpose: Purpose, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8] = purpose as u8;
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(stream);
    generator
}

/// Fisher-Yates. Written out because a run resumed after an upgrade of the `rand` crate must see the same
/// order, which its `shuffle` does not promise.
fn permutation(n: u32, mut generator: ChaCha8Rng) -> Vec<u32> {
    let mut order = sequential(n);
    for last in (1..order.len()).rev() {
        // Multiply-shift: the bias is below (last + 1) / 2^64.
        let pick = (u128::from(generator.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, pick as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_each_sample_once() {
        let mut order = epoch(1000, 7, 3);
        assert_ne!(order, sequential(1000));
        order.sort_unstable();
        assert_eq!(order, sequential(1000));
    }

    #[test]
    fn differs_by_seed_epoch_and_purpose() {
        let order = epoch(50, 7, 3);
        assert_eq!(order, epoch(50, 7, 3));
        assert_ne!(order, epoch(50, 8, 3));
        assert_ne!(order, epoch(50, 7, 4));
        assert_ne!(order, split(50, 7, 3));
    }

    /// A resumed run reads this order from the seed alone: it must never change.
    #[test]
    fn is_the_same_in_every_version() {
        assert_eq!(epoch(10, 42, 0), GOLDEN);
    }

    const GOLDEN: [u32; 10] = [8, 2, 7, 0, 4, 6, 9, 3, 1, 5];

    #[test]
    fn takes_zero_and_one() {
        assert!(epoch(0, 1, 1).is_empty());
        assert_eq!(epoch(1, 1, 1), [0]);
    }

    /// Position 0 of 3 takes each value about a third of the time (3000 epochs, six standard deviations).
    #[test]
    fn is_fair() {
        let mut counts = [0i32; 3];
        for e in 0..3000 {
            counts[epoch(3, 1, e)[0] as usize] += 1;
        }
        assert!(counts.iter().all(|c| (c - 1000).abs() < 155), "{counts:?}");
    }
}
