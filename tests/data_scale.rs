//! A million images in bounded memory. Alone in its file, because it reads the memory of the whole process.
#![cfg(target_os = "linux")]

mod data_support;

use data_support::{picture, save};
use frostline::data::batches::{Loader, Options};
use frostline::data::order;
use frostline::data::split::Split;

const MILLION: u32 = 1_000_000;

/// Most memory that this process ever held, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Measured: 41 MiB for the list, 53 MiB with the first batch.
#[test]
fn a_million_paths_and_the_first_batch_stay_small() {
    let before = peak_mib();
    let dir = tempfile::tempdir().unwrap();
    let name = |i: u32| format!("class_{:03}/picture_number_{i:07}.png", i / 10_000);
    let split = Split::from_samples((0..MILLION).map(|i| (dir.path().join(name(i)), i / 10_000)));
    let listed = peak_mib() - before;
    assert!(listed < 100, "{listed} MiB for the list");

    let visited = order::epoch(MILLION, 5, 0);
    for &index in &visited[..80] {
        save(dir.path(), &name(index), &picture(4, 4, 1));
    }
    let loader = Loader::new(split, Options { workers: 2, ..Options::square(96, 32) }).unwrap();
    let batch = loader.batches(visited.clone()).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.indices, visited[..32]);
    assert_eq!(batch.labels[31], visited[31] / 10_000);
    let all = peak_mib() - before;
    assert!(all < 200, "{all} MiB with the first batch");
}
