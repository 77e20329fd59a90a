//! Batches: order, content, broken files, strictness, the cache.

mod data_support;

use std::path::Path;

use data_support::{fill, message, picture, save, write};
use frostline::data::batches::{Batch, Loader, Options};
use frostline::data::resize::Filter;
use frostline::data::split::Split;
use frostline::data::{decode, order};

/// `count` 8x8 images whose red is their index.
fn numbered(root: &Path, count: usize) -> Split {
    fill(root, "all", count, 0);
    Split::from_samples((0..count).map(|i| (root.join(format!("all/{i:03}.png")), i as u32 % 3)))
}

fn options(batch: usize) -> Options {
    let decode = decode::Options { size: (8, 8), filter: Filter::Nearest, max_bytes: 1 << 20 };
    Options { decode, batch, workers: 3, strict: false, cache_bytes: 0 }
}

fn indices(batches: &[Batch]) -> Vec<Vec<u32>> {
    batches.iter().map(|b| b.indices.clone()).collect()
}

fn collect(loader: &Loader, order: Vec<u32>) -> Vec<Batch> {
    loader.batches(order).unwrap().map(|b| b.unwrap()).collect()
}

#[test]
fn come_in_order_with_their_pixels_and_labels_and_a_smaller_last_one() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 23), options(5)).unwrap();
    let wanted = order::epoch(23, 9, 1);
    let batches = collect(&loader, wanted.clone());
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [5, 5, 5, 5, 3]);
    assert_eq!(indices(&batches).concat(), wanted);
    for batch in &batches {
        assert_eq!(batch.pixels.len(), batch.len() * 8 * 8 * 3);
        for (i, &index) in batch.indices.iter().enumerate() {
            assert_eq!(u32::from(batch.pixels[i * 8 * 8 * 3]), index, "the red of the image");
            assert_eq!(batch.labels[i], index % 3);
        }
    }
}

#[test]
fn a_batch_larger_than_the_split_is_one_batch_and_an_empty_order_none() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 4), options(1000)).unwrap();
    assert_eq!(indices(&collect(&loader, order::sequential(4))), [[0, 1, 2, 3]]);
    assert!(collect(&loader, vec![]).is_empty());
}

#[test]
fn a_broken_image_is_named_counted_and_replaced_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 9), options(3)).unwrap();
    write(dir.path(), "all/001.png", b"not a picture at all");
    for _ in 0..2 {
        let batches = collect(&loader, order::sequential(9));
        assert_eq!(indices(&batches), [vec![0, 2, 3], vec![4, 5, 6], vec![7, 8]]);
    }
    let unreadable = loader.unreadable();
    assert_eq!(unreadable.count(), 1, "twice the same image is one image");
    assert!(unreadable.named[&1].contains("001.png"), "{:?}", unreadable.named);
}

#[test]
fn a_file_that_breaks_in_the_middle_of_an_epoch_does_not_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 60), options(4)).unwrap();
    let mut batches = loader.batches(order::sequential(60)).unwrap();
    let first = batches.next().unwrap().unwrap();
    assert_eq!(first.indices, [0, 1, 2, 3]);
    std::fs::remove_file(dir.path().join("all/050.png")).unwrap();
    let rest: Vec<u32> = batches.flat_map(|b| b.unwrap().indices.clone()).collect();
    assert_eq!(rest, (4..60).filter(|&i| i != 50).collect::<Vec<_>>());
    assert!(loader.unreadable().named[&50].contains("050.png"));
}

#[test]
fn strict_refuses_the_first_broken_image_and_then_ends() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 6), Options { strict: true, ..options(2) }).unwrap();
    write(dir.path(), "all/003.png", b"");
    let mut batches = loader.batches(order::sequential(6)).unwrap();
    assert_eq!(batches.next().unwrap().unwrap().indices, [0, 1]);
    let refused = message(batches.next().unwrap());
    assert!(refused.contains("003.png") && refused.contains("empty"), "{refused}");
    assert!(batches.next().is_none());
}

#[test]
fn nothing_but_broken_images_is_an_error_and_not_an_empty_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let bad = write(dir.path(), "bad.png", b"bad");
    let loader = Loader::new(Split::from_samples([(&bad, 0), (&bad, 1)]), options(2)).unwrap();
    let mut batches = loader.batches(vec![0, 1]).unwrap();
    let refused = message(batches.next().unwrap());
    assert!(refused.contains("none of the images") && refused.contains("bad.png"), "{refused}");
    assert!(batches.next().is_none());
}

#[test]
fn the_cache_serves_the_second_epoch_within_its_budget() {
    let dir = tempfile::tempdir().unwrap();
    let five_images = Options { cache_bytes: 5 * 8 * 8 * 3, workers: 1, ..options(4) };
    let loader = Loader::new(numbered(dir.path(), 8), five_images).unwrap();
    assert_eq!(collect(&loader, order::sequential(8)).len(), 2);
    assert_eq!(loader.cached(), 5);
    std::fs::remove_dir_all(dir.path().join("all")).unwrap();
    let second = collect(&loader, order::sequential(8));
    assert_eq!(indices(&second).concat(), [0, 1, 2, 3, 4], "only the cached ones are left");
    assert_eq!(second[0].pixels[3 * 8 * 8 * 3], 3);
}

#[test]
fn buffers_are_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 40), options(4)).unwrap();
    let mut places: Vec<*const u8> = Vec::new();
    for batch in loader.batches(order::sequential(40)).unwrap() {
        places.push(batch.unwrap().pixels.as_ptr());
    }
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 1, "one batch alive at a time needs one buffer");
}

#[test]
fn dropping_an_epoch_halfway_leaves_the_loader_usable() {
    let dir = tempfile::tempdir().unwrap();
    let loader = Loader::new(numbered(dir.path(), 30), options(2)).unwrap();
    for _ in 0..20 {
        let mut batches = loader.batches(order::sequential(30)).unwrap();
        assert!(batches.next().is_some());
    }
    assert_eq!(collect(&loader, order::sequential(30)).len(), 15);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_range() {
    let split = Split::default();
    assert!(message(Loader::new(split.clone(), options(0))).contains("batch 0"));
    let mut zero = options(1);
    zero.decode.size = (0, 8);
    assert!(message(Loader::new(split.clone(), zero)).contains("0x8"));
    let loader = Loader::new(split, options(1)).unwrap();
    assert!(message(loader.batches(vec![0])).contains("split of 0"));
}

#[test]
fn size_and_worker_count_do_not_change_the_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), "big.png", &picture(301, 203, 7));
    let split = Split::from_samples(vec![(path, 0); 12]);
    let mut one = Options::square(32, 1);
    one.workers = 1;
    let mut many = Options::square(32, 12);
    many.workers = 4;
    let (one, many) = (Loader::new(split.clone(), one).unwrap(), Loader::new(split, many).unwrap());
    let singly: Vec<u8> =
        collect(&one, order::sequential(12)).iter().flat_map(|b| b.pixels.clone()).collect();
    assert_eq!(singly, collect(&many, order::sequential(12))[0].pixels);
}
