//! A folder as people have them: every kind of image, names of every kind, links, and files that are no images at all.
//! It trains, evaluates and predicts, and what was left out is named.
#![cfg(unix)]

mod cli_support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cli_support::program;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

/// Runs the program; gives what it printed on both sides.
fn frostline(words: &[&OsStr]) -> (String, String) {
    let output = program().args(words).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stderr);
    assert!(output.status.success() && !said.contains("panicked"), "{said}");
    (text(&output.stdout), said)
}

/// Half of the fixtures in each class, one of which has a name that is no UTF-8; gives the number of images.
fn menagerie(root: &Path) -> usize {
    let classes = [root.join(OsStr::from_bytes(b"caf\xE9")), root.join("tee")];
    classes.iter().for_each(|class| std::fs::create_dir(class).unwrap());
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension != "py"));
    names.sort_unstable();
    for (i, path) in names.iter().enumerate() {
        std::fs::copy(path, classes[i % 2].join(path.file_name().unwrap())).unwrap();
    }
    let odd = |bytes: &[u8]| classes[0].join(OsStr::from_bytes(bytes));
    image::RgbImage::from_pixel(1, 1, image::Rgb([9, 99, 199])).save(classes[1].join("1x1.png")).unwrap();
    image::ImageBuffer::from_pixel(5, 3, image::Rgb([60_000u16, 3, 9]))
        .save(classes[1].join("deep.png"))
        .unwrap();
    std::fs::rename(classes[1].join("deep.png"), classes[1].join("deep.jpg")).unwrap();
    std::fs::copy(fixtures().join("palette.png"), odd(b"\xFF\xFE name.png")).unwrap();
    symlink(fixtures().join("lossy.webp"), classes[1].join("linked.webp")).unwrap();
    names.len() + 4
}

#[test]
fn every_kind_of_image_trains_and_what_is_none_is_named() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let images = menagerie(&data);
    let tee = data.join("tee");
    std::fs::write(tee.join("zero.jpg"), b"").unwrap();
    let jpeg = std::fs::read(fixtures().join("grey.jpg")).unwrap();
    std::fs::write(tee.join("cut.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    std::fs::write(tee.join("film.heic"), b"heic").unwrap();
    symlink("nowhere.png", tee.join("broken.png")).unwrap();
    symlink(&data, tee.join("loop")).unwrap();
    let out = root.path().join("run");
    let words =
        "--model vgg11 --weights none --input 32 --pool avg --epochs 1 --batch 7 --val-fraction 0.3 --out";
    let mut train: Vec<&OsStr> = vec![OsStr::new("train"), data.as_os_str()];
    train.extend(words.split(' ').map(OsStr::new));
    train.push(out.as_os_str());
    let (_, said) = frostline(&train);
    let missing = ["zero.jpg: is empty", "cut.jpg: is damaged", "1 .heic", "broken.png", "links back"];
    for named in missing {
        assert!(said.contains(named), "no '{named}' in {said}");
    }
    assert!(said.contains("2 classes"), "{said}");

    let best = out.join("best.safetensors");
    let (json, _) = frostline(&["predict".as_ref(), "--json".as_ref(), best.as_os_str(), data.as_os_str()]);
    assert_eq!(json.lines().count(), images, "{json}");
    assert!(json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}
