//! Thousands of damaged copies of every fixture: no panic, no hang, no allocation that the file does not justify, and
//! every error names the file. The damage is drawn from a fixed seed, so a failure can be repeated.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use frostline::weights::keras::{self, Contents};
use frostline::weights::{self, Outgoing};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

mod heap_support;

/// Opens and reads everything; the number of values, or the error's text.
fn read_all(path: &Path) -> Result<usize, String> {
    let mut source = weights::open(path).map_err(|e| e.to_string())?;
    let mut values = 0;
    for index in 0..source.entries().len() {
        values += source.read(index).map_err(|e| e.to_string())?.len();
    }
    for index in 0..source.optimizer().map_or(0, |state| state.slots.len()) {
        values += source.read_slot(index).map_err(|e| e.to_string())?.len();
    }
    Ok(values)
}

/// Runs `read_all`; gives its result, the peak of the heap above what was there, and the seconds it took.
fn measured(path: &Path) -> (Result<usize, String>, usize, f64) {
    let start = Instant::now();
    let (result, peak) = heap_support::peak_of(|| read_all(path));
    (result, peak, start.elapsed().as_secs_f64())
}

fn fixtures() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in
        ["tests/fixtures/small", "tests/fixtures/keras/mini32", "tests/fixtures/keras/mini64_nested"]
    {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().to_string();
            let weights = [".h5", ".keras", ".npz"].iter().any(|e| name.ends_with(e))
                || name.ends_with("torchvision.stored.safetensors");
            if weights {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Flips, extreme numbers, copied stretches, cuts: half of them in the first 30 kB, where the metadata are.
fn damage(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    let mut place = |length: usize| {
        let reach = if random.random() { length } else { length.min(30_000) };
        (random.random_range(0..reach), random.random::<u64>())
    };
    let (_, kind) = place(bytes.len());
    match kind % 4 {
        0 => bytes.truncate(place(bytes.len()).0),
        1 => {
            for _ in 0..1 + kind / 4 % 8 {
                let (at, bit) = place(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
        }
        2 => {
            const EXTREMES: [u64; 8] = [0, 1, u64::MAX, 1 << 31, 1 << 40, i64::MAX as u64, 96, 0xffff];
            let (at, choice) = place(bytes.len());
            let value = EXTREMES[(choice % 8) as usize].to_le_bytes();
            let width = 1 << (choice / 8 % 4);
            for (byte, new) in bytes[at..].iter_mut().zip(&value[..width]) {
                *byte = *new;
            }
        }
        _ => {
            let ((from, _), (to, length)) = (place(bytes.len()), place(bytes.len()));
            let length = (length as usize % 64).min(bytes.len() - from.max(to));
            bytes.copy_within(from..from + length, to);
        }
    }
}

#[test]
fn no_damage_panics_hangs_or_allocates_beyond_reason() {
    let cases: u64 = std::env::var("FROSTLINE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged-file");
    let whole: Vec<(PathBuf, Vec<u8>)> =
        fixtures().into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
    assert!(whole.len() > 25);
    let (mut refused, mut read, mut largest, mut slowest) = (0, 0, 0, 0.0f64);
    let begun = Instant::now();
    for case in 0..cases {
        let mut random = ChaCha8Rng::seed_from_u64(case);
        let (original, bytes) = &whole[random.random_range(0..whole.len())];
        let mut bytes = bytes.clone();
        damage(&mut bytes, &mut random);
        std::fs::write(&path, &bytes).unwrap();
        let (result, peak, seconds) = measured(&path);
        // All tensors at once are at most some times the file; a parser's tables a few times more.
        let justified = (64 << 20) + 8 * bytes.len();
        assert!(
            peak <= justified,
            "case {case} ({}): {peak} bytes for a file of {}",
            original.display(),
            bytes.len()
        );
        assert!(seconds < 10.0, "case {case} ({}): {seconds:.1} s", original.display());
        match result {
            Ok(_) => read += 1,
            Err(message) => {
                assert!(message.contains("damaged-file"), "case {case} ({}): {message}", original.display());
                refused += 1;
            }
        }
        (largest, slowest) = (largest.max(peak), slowest.max(seconds));
    }
    let total = begun.elapsed().as_secs_f64();
    println!(
        "{cases} damaged files: {refused} refused, {read} read; largest heap {} KiB, slowest {slowest:.2} s, {total:.1} s in all",
        largest >> 10
    );
    assert!(refused > cases / 4 && read > 0);
}

#[test]
fn every_short_cut_of_the_start_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged-file");
    for original in fixtures() {
        let bytes = std::fs::read(&original).unwrap();
        for length in (0..bytes.len().min(4096)).step_by(97) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let message =
                read_all(&path).expect_err(&format!("{} cut to {length} bytes was read", original.display()));
            assert!(message.contains("damaged-file"), "{message}");
        }
    }
}

#[test]
fn a_few_bytes_that_claim_terabytes_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged-file");
    // The bias of 4 values in a contiguous dataset: its dimension becomes 2^40.
    let mut bytes = std::fs::read("tests/fixtures/small/f64.h5").unwrap();
    let twice = [4u64.to_le_bytes(), 4u64.to_le_bytes()].concat(); // the extent and its maximum
    let dimension = bytes.windows(16).position(|w| w == twice).unwrap();
    bytes[dimension..dimension + 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let (result, peak, _) = measured(&path);
    assert!(result.is_err() && peak < 16 << 20, "{result:?} with {peak} bytes");
    // A chunked one: 2^31 rows that no chunk holds.
    let mut bytes = std::fs::read("tests/fixtures/small/f16_packed.h5").unwrap();
    let shape = [5u64.to_le_bytes(), 4u64.to_le_bytes()].concat();
    let dimension = bytes.windows(16).position(|w| w == shape).unwrap();
    bytes[dimension..dimension + 8].copy_from_slice(&(1u64 << 31).to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let (result, peak, _) = measured(&path);
    assert!(result.is_err() && peak < 64 << 20, "{result:?} with {peak} bytes");
}

#[test]
fn one_long_name_listed_thousands_of_times_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged-file");
    let long = "x".repeat(60_000);
    let mut tensors: Vec<Outgoing> =
        (0..3000).map(|i| Outgoing::f32(format!("dense_{i}/kernel"), &[1, 1])).collect();
    tensors.push(Outgoing::f32(format!("{long}/kernel"), &[1, 1]));
    let contents = Contents { tensors: &tensors, config: None, state: None, metadata: &BTreeMap::new() };
    keras::write_legacy(&path, &contents, &mut |_| Ok(Cow::Owned(vec![1.0]))).unwrap();
    assert_eq!(weights::open(&path).unwrap().entries().len(), 3001);
    // Every name becomes a reference (length, address of the heap, number) to the long one: 180 MB in all.
    let mut bytes = std::fs::read(&path).unwrap();
    let start = [60_000u32.to_le_bytes().as_slice(), &96u64.to_le_bytes()].concat();
    let last = bytes.windows(start.len()).position(|w| w == start).unwrap();
    let reference = bytes[last..last + 16].to_vec();
    for slot in bytes[last - 3000 * 16..last].chunks_exact_mut(16) {
        slot.copy_from_slice(&reference);
    }
    std::fs::write(&path, &bytes).unwrap();
    let (result, peak, seconds) = measured(&path);
    assert!(
        result.is_err() && peak < 64 << 20 && seconds < 10.0,
        "{result:?} with {peak} bytes in {seconds} s"
    );
}
