//! Counter-based random numbers: a hash of what the number is for, so that micro-batching and resuming change nothing.
//! The WGSL twin is `shaders/random.wgsl`; both give the same bits.

/// What a random number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub seed: u32,
    pub layer: u32,
    /// Number of the optimizer step, from 0.
    pub iteration: u32,
    /// Index of the sample within the whole batch.
    pub sample: u32,
}

impl Key {
    /// The random word of one element of the sample; four neighbours share one hash.
    pub fn word(self, element: u32) -> u32 {
        let mut key = pcg4d([self.seed, self.layer, self.iteration, self.sample]);
        key[0] ^= element / 4;
        pcg4d(key)[element as usize % 4]
    }
}

/// Four well-mixed words from four counters.
///
/// Source: Jarzynski and Olano, *Hash Functions for GPU Rendering*, JCGT 9(3), 2020, section 4.2.
pub fn pcg4d(key: [u32; 4]) -> [u32; 4] {
    let mut v = key.map(|k| k.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    stir(&mut v);
    v = v.map(|word| word ^ (word >> 16));
    stir(&mut v);
    v
}

fn stir(v: &mut [u32; 4]) {
    v[0] = v[0].wrapping_add(v[1].wrapping_mul(v[3]));
    v[1] = v[1].wrapping_add(v[2].wrapping_mul(v[0]));
    v[2] = v[2].wrapping_add(v[0].wrapping_mul(v[1]));
    v[3] = v[3].wrapping_add(v[1].wrapping_mul(v[2]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_uniform_and_each_counter_matters() {
        let key = Key { seed: 1, layer: 2, iteration: 3, sample: 4 };
        let words: Vec<u32> = (0..4096).map(|i| key.word(i)).collect();
        let mean = words.iter().map(|&w| f64::from(w) / 4_294_967_296.0).sum::<f64>() / 4096.0;
        // The standard deviation of this mean is 0.0045.
        assert!((mean - 0.5).abs() < 0.018, "{mean}");
        let others = [
            Key { seed: 2, ..key },
            Key { layer: 3, ..key },
            Key { iteration: 4, ..key },
            Key { sample: 5, ..key },
        ];
        for other in others {
            let same = (0..4096).filter(|&i| other.word(i) >> 31 == words[i as usize] >> 31).count();
            assert!((1900..2196).contains(&same), "{other:?}: {same} of 4096 top bits agree");
        }
    }
}
