//! Memory slots from lifetimes: tensors that are never alive together share a buffer.

use std::ops::RangeInclusive;

use crate::gpu::Form;

/// A tensor's size, its form, and the steps during which its content matters.
#[derive(Clone, Debug)]
pub struct Lifetime {
    pub bytes: u64,
    pub form: Form,
    pub steps: RangeInclusive<usize>,
}

/// Memory that tensors of one form share over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub bytes: u64,
    pub form: Form,
}

/// The slot of each tensor, and all slots.
///
/// Largest first, each into the smallest slot that is free for its whole life: a slot is as large as its first
/// tensor, and no tensor is ever moved.
pub fn assign(lifetimes: &[Lifetime]) -> (Vec<usize>, Vec<Slot>) {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lifetimes[i].bytes), *lifetimes[i].steps.start()));
    let mut slot_of = vec![0; lifetimes.len()];
    let mut slots: Vec<Slot> = Vec::new();
    let mut taken: Vec<Vec<usize>> = Vec::new();
    for i in order {
        let Lifetime { bytes, form, .. } = lifetimes[i];
        let free = |slot: &usize| {
            slots[*slot].form == form && taken[*slot].iter().all(|&j| !overlap(&lifetimes[i], &lifetimes[j]))
        };
        let slot = (0..slots.len()).rev().find(free).unwrap_or_else(|| {
            slots.push(Slot { bytes, form });
            slots.len() - 1
        });
        taken.resize(slots.len(), Vec::new());
        taken[slot].push(i);
        slot_of[i] = slot;
    }
    (slot_of, slots)
}

fn overlap(a: &Lifetime, b: &Lifetime) -> bool {
    a.steps.start() <= b.steps.end() && b.steps.start() <= a.steps.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(bytes: u64, steps: RangeInclusive<usize>) -> Lifetime {
        Lifetime { bytes, form: Form::Words, steps }
    }

    #[test]
    fn a_chain_needs_two_slots() {
        let chain: Vec<Lifetime> = (0..6).map(|i| life(100, i..=i + 1)).collect();
        let (slots, sizes) = assign(&chain);
        assert_eq!(sizes.iter().map(|s| s.bytes).collect::<Vec<_>>(), vec![100, 100]);
        assert!(slots.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_small_tensor_takes_the_smallest_slot_that_is_free() {
        let (slots, sizes) = assign(&[life(100, 0..=1), life(40, 0..=1), life(30, 2..=3)]);
        assert_eq!(sizes.iter().map(|s| s.bytes).collect::<Vec<_>>(), vec![100, 40]);
        assert_eq!(slots[2], slots[1]);
    }
}
