//! Opening folders: layouts, classes, the stratified split, names, links, and what is refused.

mod data_support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data_support::{fill, fixture, message, picture, save, write};
use frostline::data::folder::{Dataset, Options};
use frostline::data::split::{Sample, Split, UNLABELLED};

fn open(root: &Path) -> Dataset {
    Dataset::open(root, &Options::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(root: &Path) -> String {
    let said = message(Dataset::open(root, &Options::default()));
    assert!(said.contains(&*root.to_string_lossy()), "names the folder: {said}");
    said
}

fn names(split: &Split, root: &Path) -> Vec<(String, u32)> {
    let relative = |p: PathBuf| p.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    split.samples().map(|s| (relative(s.path), s.class)).collect()
}

fn divided(root: &Path, val_fraction: f64, seed: u64) -> Dataset {
    Dataset::open(root, &Options { val_fraction, seed, strict: false }).unwrap()
}

#[test]
fn train_and_val_folders_are_taken_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for (folder, count) in
        [("train/cat", 2), ("train/ant", 1), ("val/ant", 1), ("val/cat", 1), ("test/cat", 3)]
    {
        fill(dir.path(), folder, count, 0);
    }
    let data = open(dir.path());
    assert_eq!(data.classes, ["ant", "cat"]);
    let own = |list: &[(&str, u32)]| list.iter().map(|(n, c)| (n.to_string(), *c)).collect::<Vec<_>>();
    let train = own(&[("train/ant/000.png", 0), ("train/cat/000.png", 1), ("train/cat/001.png", 1)]);
    assert_eq!(names(&data.train, dir.path()), train);
    assert_eq!(names(&data.val, dir.path()), own(&[("val/ant/000.png", 0), ("val/cat/000.png", 1)]));
}

#[test]
fn classes_sort_as_in_keras_by_code_point() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["b", "B", "a10", "a2", "Z", "é"] {
        fill(dir.path(), class, 1, 0);
    }
    assert_eq!(open(dir.path()).classes, ["B", "Z", "a10", "a2", "b", "é"]);
}

#[test]
fn a_flat_folder_is_divided_by_class_and_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    for (class, count) in [("a", 50), ("b", 10), ("c", 2), ("d", 1)] {
        fill(dir.path(), class, count, 0);
    }
    let data = divided(dir.path(), 0.2, 3);
    assert_eq!(data.val.class_counts(4), [10, 2, 1, 0]);
    assert_eq!(data.train.class_counts(4), [40, 8, 1, 1]);
    let mut all = names(&data.train, dir.path());
    all.extend(names(&data.val, dir.path()));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 63, "nothing lost, nothing twice");
    assert!(all.iter().all(|(name, class)| name.as_bytes()[0] == b'a' + *class as u8));
    assert!(data.warnings.iter().any(|w| w.contains("'d' has a single image")), "{:?}", data.warnings);
}

#[test]
fn the_division_follows_the_seed_alone() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "a", 30, 0);
    fill(dir.path(), "b", 30, 0);
    let val = |seed| names(&divided(dir.path(), 0.3, seed).val, dir.path());
    assert_eq!(val(1), val(1));
    assert_ne!(val(1), val(2));
    let class = |c| val(1).into_iter().filter(|v| v.1 == c).map(|v| v.0[2..].to_string()).collect::<Vec<_>>();
    assert_ne!(class(0), class(1), "each class has its own permutation");
}

#[test]
fn the_fraction_may_be_nothing_but_not_everything() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "a", 3, 0);
    fill(dir.path(), "b", 3, 0);
    assert!(divided(dir.path(), 0.0, 1).val.is_empty());
    assert_eq!(divided(dir.path(), 0.999, 1).train.class_counts(2), [1, 1]);
    for bad in [1.0, -0.1, f64::NAN] {
        let options = Options { val_fraction: bad, ..Options::default() };
        assert!(message(Dataset::open(dir.path(), &options)).contains("--val-fraction"));
    }
}

#[test]
fn a_train_folder_alone_is_divided() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "train/a", 5, 0);
    fill(dir.path(), "train/b", 5, 0);
    let data = open(dir.path());
    assert_eq!(data.classes, ["a", "b"]);
    assert_eq!((data.train.len(), data.val.len()), (8, 2));
}

#[test]
fn a_class_may_be_called_train() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["bus", "car", "train"] {
        fill(dir.path(), class, 2, 0);
    }
    assert_eq!(open(dir.path()).classes, ["bus", "car", "train"]);
}

#[test]
fn folders_below_a_class_belong_to_it() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "a/one/deep", 2, 0);
    fill(dir.path(), "a/two", 2, 0);
    fill(dir.path(), "b", 2, 0);
    let data = divided(dir.path(), 0.0, 0);
    assert_eq!(data.train.class_counts(2), [4, 2]);
}

#[test]
fn what_is_no_image_is_left_out_and_what_is_hidden_too() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "a", 1, 0);
    fill(dir.path(), "b", 1, 0);
    let png = std::fs::read(fixture("palette.png")).unwrap();
    write(dir.path(), "a/no_extension", &png);
    write(dir.path(), "a/SHOUTING.JPEG", b"decoding will tell");
    for hidden in
        ["a/.hidden.png", "a/.cache/x.png", ".git/x.png", "a/Thumbs.db", "a/labels.txt", "readme.txt"]
    {
        let content: &[u8] = if hidden.ends_with("png") { &png } else { b"words" };
        write(dir.path(), hidden, content);
    }
    write(dir.path(), "__MACOSX/._x", &png);
    write(dir.path(), "b/phone.HEIC", b"heic");
    let data = divided(dir.path(), 0.0, 0);
    assert_eq!(data.classes, ["a", "b"]);
    let found: Vec<String> = names(&data.train, dir.path()).into_iter().map(|n| n.0).collect();
    assert_eq!(found, ["a/000.png", "a/SHOUTING.JPEG", "a/no_extension", "b/000.png"]);
    assert_eq!(data.warnings.len(), 1, "{:?}", data.warnings);
    assert!(data.warnings[0].contains("1 .heic"), "{:?}", data.warnings);
}

#[test]
fn strict_makes_errors_of_warnings() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "a", 2, 0);
    fill(dir.path(), "b", 2, 0);
    let strict = Options { strict: true, ..Options::default() };
    assert!(Dataset::open(dir.path(), &strict).is_ok());
    write(dir.path(), "b/phone.heic", b"heic");
    assert!(message(Dataset::open(dir.path(), &strict)).contains(".heic"));
}

#[test]
fn class_sets_that_differ_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["train/ant", "train/bee", "val/bee", "val/cow"] {
        fill(dir.path(), folder, 1, 0);
    }
    let said = refusal(dir.path());
    assert!(said.contains("train has images of 'ant'") && said.contains("val has images of 'cow'"), "{said}");
    assert!(!said.contains("bee"), "{said}");
}

#[test]
fn folders_that_cannot_be_a_data_set_say_what_is_expected() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refusal(dir.path()).contains("no images here"));
    fill(dir.path(), "loose", 2, 0);
    let said = refusal(dir.path());
    assert!(said.contains("only one class, 'loose'") && said.contains("DATA/<class>"), "{said}");
    assert!(refusal(&dir.path().join("loose")).contains("2 images lie outside of any class folder"));
    assert!(refusal(&dir.path().join("loose/000.png")).contains("is a file"));
    assert!(refusal(&dir.path().join("gone")).contains("cannot open the data folder"));
}

#[test]
fn an_empty_val_folder_is_an_error_and_not_a_run_without_validation() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "train/a", 1, 0);
    fill(dir.path(), "train/b", 1, 0);
    std::fs::create_dir_all(dir.path().join("val/a")).unwrap();
    assert!(message(Dataset::open(dir.path(), &Options::default())).contains("no images here"));
}

#[test]
fn a_labelled_folder_takes_its_ids_from_the_model() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "cat", 1, 0);
    fill(dir.path(), "ant", 2, 0);
    let known = ["cow", "cat", "ant"].map(String::from);
    let split = Split::open_labelled(dir.path(), &known).unwrap();
    assert_eq!(split.class_counts(3), [0, 1, 2]);
    let said = message(Split::open_labelled(dir.path(), &known[..2]));
    assert!(said.contains("unknown classes 'ant'") && said.contains("'cow', 'cat'"), "{said}");
}

#[test]
fn a_flat_list_takes_files_and_folders_as_given() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "many/below", 2, 0);
    let single = write(dir.path(), "single.weird", b"the user said so");
    let split = Split::open_flat(&[single.clone(), dir.path().join("many")]).unwrap();
    let first = Sample { path: single, class: UNLABELLED };
    assert_eq!(split.samples().next(), Some(first));
    assert_eq!(split.len(), 3);
    std::fs::create_dir(dir.path().join("void")).unwrap();
    assert!(message(Split::open_flat(&[dir.path().join("void")])).contains("no images"));
    assert!(message(Split::open_flat(&[dir.path().join("gone.png")])).contains("gone.png"));
    assert!(message(Split::open_flat::<&Path>(&[])).contains("at least one"));
}

#[test]
fn the_same_bytes_on_both_sides_are_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), "train/a", 4, 0);
    fill(dir.path(), "train/b", 4, 10);
    fill(dir.path(), "val/a", 2, 100);
    fill(dir.path(), "val/b", 2, 200);
    assert!(open(dir.path()).warnings.is_empty());
    std::fs::copy(dir.path().join("train/b/002.png"), dir.path().join("val/a/again.png")).unwrap();
    let warnings = open(dir.path()).warnings;
    let said = warnings.join(" ");
    assert!(
        said.contains("also train: 1, such as") && said.contains("again.png") && said.contains("002.png"),
        "{said}"
    );
}

/// Equal size and equal first 4 KiB, but another last byte.
#[test]
fn files_that_only_begin_alike_are_not_duplicates() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(fixture("resize_bilinear_64x51.png")).unwrap();
    for name in ["train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png"] {
        *bytes.last_mut().unwrap() = name.as_bytes()[name.len() - 5];
        write(dir.path(), name, &bytes);
    }
    assert_eq!(open(dir.path()).warnings, [""; 0]);
    write(dir.path(), "val/b/5.png", &bytes);
    std::fs::copy(dir.path().join("train/a/1.png"), dir.path().join("val/b/6.png")).unwrap();
    let warnings = open(dir.path()).warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("6.png"), "{warnings:?}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_to_files_and_folders_are_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(elsewhere.path(), "pictures", 3, 0);
        fill(dir.path(), "b", 1, 0);
        symlink(elsewhere.path().join("pictures"), dir.path().join("a")).unwrap();
        symlink(elsewhere.path().join("pictures/000.png"), dir.path().join("b/linked.png")).unwrap();
        let data = divided(dir.path(), 0.0, 0);
        assert_eq!(data.train.class_counts(2), [3, 2]);
        assert!(data.warnings.is_empty(), "{:?}", data.warnings);
    }

    #[test]
    fn loops_and_broken_links_are_warned_about_and_end() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), "a", 1, 0);
        fill(dir.path(), "b", 1, 0);
        symlink(dir.path(), dir.path().join("a/up")).unwrap();
        symlink("nowhere.png", dir.path().join("b/broken.png")).unwrap();
        let data = divided(dir.path(), 0.0, 0);
        assert_eq!(data.train.class_counts(2), [1, 1], "{:?}", data.warnings);
        assert!(data.warnings.iter().any(|w| w.contains("links back")), "{:?}", data.warnings);
        assert!(data.warnings.iter().any(|w| w.contains("broken.png")), "{:?}", data.warnings);
    }

    #[test]
    fn names_that_are_not_utf8_are_read() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), "a", 1, 0);
        let class = dir.path().join(OsStr::from_bytes(b"b\xFF"));
        std::fs::create_dir(&class).unwrap();
        let odd = class.join(OsStr::from_bytes(b"caf\xE9.png"));
        std::fs::rename(save(dir.path(), "c.png", &picture(4, 4, 1)), &odd).unwrap();
        let data = divided(dir.path(), 0.0, 0);
        assert_eq!(data.classes, ["a", "b\u{FFFD}"]);
        assert_eq!(data.train.path(1), odd);
        assert!(image::open(data.train.path(1)).is_ok());
    }

    #[test]
    fn pipes_are_no_images_and_nobody_waits_for_them() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), "a", 1, 0);
        fill(dir.path(), "b", 1, 0);
        let pipe = dir.path().join("b/pipe.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(divided(dir.path(), 0.0, 0).train.len(), 2);
    }
}
