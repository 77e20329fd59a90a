//! Images that both train and validate: the validation accuracy then flatters.
//!
//! Cheap by stages: sizes of all files, then the first bytes of files that share a size across the split, then
//! all bytes of those that share both.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::split::Split;

/// Bytes of a file's start that stage two compares: past the headers, where pictures differ.
const HEAD: u64 = 4096;

/// Files that stage two opens: a second or so from a disk, however large the data set.
const MOST_OPENED: usize = 10_000;

/// One file of either side.
#[derive(Clone, Copy)]
struct Candidate {
    /// Size first, then hash of the head: what the stages compare.
    key: u64,
    validates: bool,
    index: u32,
}

/// Lines about images of `val` whose bytes are also in `train`, with one example.
pub(super) fn warnings(train: &Split, val: &Split) -> Vec<String> {
    let path =
        |c: &Candidate| if c.validates { val.path(c.index as usize) } else { train.path(c.index as usize) };
    let mut all = sized(train, false);
    all.extend(sized(val, true));
    let mut groups = groups_on_both_sides(all);
    let left_out = keep_the_smallest(&mut groups);
    let alike: Vec<_> =
        groups.into_par_iter().flat_map_iter(|group| groups_on_both_sides(heads(group, &path))).collect();
    let pairs: Vec<_> = alike.par_iter().flat_map_iter(|group| same_bytes(group, &path)).collect();

    let mut lines = Vec::new();
    if let Some((validates, trains)) = pairs.first() {
        let (count, a, b) = (pairs.len(), path(validates), path(trains));
        let (a, b) = (a.display(), b.display());
        lines.push(format!(
            "validation images whose very bytes also train: {count}, such as {a} = {b}; remove them from one side"
        ));
    }
    if left_out > 0 {
        lines.push(format!(
            "duplicates were not looked for among {left_out} files of equal sizes: too many to read"
        ));
    }
    lines
}

/// Candidates keyed by file size; empty files and files that cannot be asked are nobody's duplicates.
fn sized(split: &Split, validates: bool) -> Vec<Candidate> {
    let size = |index: usize| std::fs::metadata(split.path(index)).map_or(0, |m| m.len());
    (0..split.len())
        .into_par_iter()
        .map(|i| Candidate { key: size(i), validates, index: i as u32 })
        .filter(|c| c.key > 0)
        .collect()
}

/// Groups of equal key that have members on both sides of the split.
fn groups_on_both_sides(mut all: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    all.sort_unstable_by_key(|c| (c.key, c.validates, c.index));
    all.chunk_by(|a, b| a.key == b.key)
        .filter(|group| group.iter().any(|c| c.validates) && group.iter().any(|c| !c.validates))
        .map(<[Candidate]>::to_vec)
        .collect()
}

/// Drops the largest groups until the rest may be opened; returns how many files were dropped.
fn keep_the_smallest(groups: &mut Vec<Vec<Candidate>>) -> usize {
    groups.sort_by_key(Vec::len);
    let mut opened = 0;
    let keep = groups.iter().take_while(|group| {
        opened += group.len();
        opened <= MOST_OPENED
    });
    let keep = keep.count();
    groups.drain(keep..).map(|group| group.len()).sum()
}

/// The same candidates keyed by a hash of how their files begin.
fn heads(group: Vec<Candidate>, path: &impl Fn(&Candidate) -> PathBuf) -> Vec<Candidate> {
    let key = |c: &Candidate| {
        let mut head = Vec::new();
        File::open(path(c)).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&head);
        Some(hasher.finish())
    };
    group.into_iter().filter_map(|c| Some(Candidate { key: key(&c)?, ..c })).collect()
}

/// (validation, training) for each validation image whose bytes a training image has.
fn same_bytes(group: &[Candidate], path: &impl Fn(&Candidate) -> PathBuf) -> Vec<(Candidate, Candidate)> {
    let mut by_hash: HashMap<u64, Candidate> = HashMap::new();
    for candidate in group.iter().filter(|c| !c.validates) {
        if let Some(hash) = hash_file(&path(candidate)) {
            by_hash.entry(hash).or_insert(*candidate);
        }
    }
    let validating = group.iter().filter(|c| c.validates);
    validating.filter_map(|c| Some((*c, *by_hash.get(&hash_file(&path(c))?)?))).collect()
}

/// 64 bits of the whole file: among files of equal size and start, a chance match is out of the question.
fn hash_file(path: &Path) -> Option<u64> {
    let mut reader = BufReader::new(File::open(path).ok()?);
    let mut hasher = DefaultHasher::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match reader.read(&mut chunk).ok()? {
            0 => return Some(hasher.finish()),
            n => hasher.write(&chunk[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(size: u64, count: usize) -> Vec<Candidate> {
        (0..count).map(|i| Candidate { key: size, validates: i == 0, index: i as u32 }).collect()
    }

    #[test]
    fn only_what_lies_on_both_sides_is_looked_at() {
        let mut all = group(7, 3);
        all.push(Candidate { key: 8, validates: true, index: 9 });
        all.push(Candidate { key: 9, validates: false, index: 9 });
        let groups = groups_on_both_sides(all);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].len(), 3);
    }

    #[test]
    fn the_largest_groups_are_left_out_and_counted() {
        let mut groups = vec![group(1, MOST_OPENED), group(2, 10), group(3, 20)];
        assert_eq!(keep_the_smallest(&mut groups), MOST_OPENED);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [10, 20]);
    }
}
