//! Decoding: every kind of file that people have, and every way in which one is broken.
//! The fixtures are made by `tests/fixtures/images/make.py`.

mod data_support;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use data_support::{fixture, message, picture, save, write};
use frostline::data::decode::{Decoder, Options};
use frostline::data::resize::Filter;
use frostline::error::{Error, Result};
use image::{DynamicImage, ImageBuffer, ImageFormat, Rgba};

fn decode_at(path: &Path, size: (u32, u32), filter: Filter) -> Result<Vec<u8>> {
    Decoder::new(Options { size, filter, max_bytes: 1 << 20 })?.decode(path)
}

fn decode(path: &Path, h: u32, w: u32) -> Vec<u8> {
    decode_at(path, (h, w), Filter::Nearest).unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(path: &Path) -> String {
    let said = message(decode_at(path, (8, 8), Filter::Bilinear));
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(said.contains(&*name), "names the file: {said}");
    said
}

const QUADRANTS: [[u8; 3]; 4] = [[220, 40, 40], [40, 200, 40], [40, 40, 220], [230, 220, 40]];

/// Four pixels of a 24x16 fixture, one in the middle of each quadrant.
fn quadrants(path: &Path) -> [[u8; 3]; 4] {
    let rgb = decode(path, 16, 24);
    [(3, 5), (3, 18), (12, 5), (12, 18)].map(|(y, x)| std::array::from_fn(|c| rgb[(y * 24 + x) * 3 + c]))
}

#[track_caller]
fn assert_near(got: [[u8; 3]; 4], want: [[u8; 3]; 4], tolerance: u8, name: &str) {
    let near = |(g, w): (&[u8; 3], &[u8; 3])| (0..3).all(|c| g[c].abs_diff(w[c]) <= tolerance);
    assert!(got.iter().zip(&want).all(near), "{name}: {got:?} is not {want:?}");
}

#[test]
fn every_lossless_kind_gives_exactly_its_colours() {
    for name in [
        "animated.gif",
        "animated.png",
        "animated.webp",
        "cmyk.tif",
        "deflate.tif",
        "lzw.tif",
        "palette.bmp",
        "palette.png",
        "palette.tif",
    ] {
        assert_near(quadrants(&fixture(name)), QUADRANTS, 0, name);
    }
}

#[test]
fn every_lossy_kind_gives_its_colours_nearly() {
    for name in ["cmyk.jpg", "ycck.jpg", "progressive.jpg", "restart.jpg", "jpeg.tif", "lossy.webp"] {
        assert_near(quadrants(&fixture(name)), QUADRANTS, 12, name);
    }
}

#[test]
fn exif_orientation_is_obeyed_in_every_format_that_has_it() {
    let jpegs = (1..=8).map(|i| format!("exif_{i}.jpg"));
    let others = ["png", "webp", "tif"].map(|e| format!("exif_6.{e}"));
    for name in jpegs.chain(others) {
        assert_near(quadrants(&fixture(&name)), QUADRANTS, 6, &name);
    }
}

#[test]
fn grey_and_one_bit_images_have_three_equal_channels() {
    let luma =
        QUADRANTS.map(|[r, g, b]| (0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)) as u8);
    assert_near(quadrants(&fixture("grey.jpg")), luma.map(|v| [v; 3]), 3, "grey.jpg");
    for name in ["one_bit.png", "one_bit.tif"] {
        assert_near(quadrants(&fixture(name)), luma.map(|v| [if v > 100 { 255 } else { 0 }; 3]), 0, name);
    }
}

#[test]
fn transparency_is_composited_on_white() {
    let mut red_to_white = QUADRANTS;
    red_to_white[0] = [255; 3];
    for name in ["transparent.gif", "transparent_palette.png"] {
        assert_near(quadrants(&fixture(name)), red_to_white, 0, name);
    }
    let dir = tempfile::tempdir().unwrap();
    let half = ImageBuffer::from_pixel(2, 2, Rgba([100u8, 0, 255, 128]));
    let path = save(dir.path(), "half.png", &half.into());
    assert_eq!(decode(&path, 1, 1), [177, 127, 255]);
    let grey = image::GrayAlphaImage::from_pixel(2, 2, image::LumaA([0, 0]));
    let path = save(dir.path(), "grey.png", &grey.into());
    assert_eq!(decode(&path, 1, 1), [255; 3]);
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let dir = tempfile::tempdir().unwrap();
    for extension in ["png", "tif"] {
        let rgb: ImageBuffer<_, Vec<u16>> = ImageBuffer::from_pixel(3, 3, image::Rgb([0, 0x8080, 0xFFFF]));
        let path = save(dir.path(), &format!("rgb.{extension}"), &DynamicImage::ImageRgb16(rgb));
        assert_eq!(decode(&path, 1, 1), [0, 128, 255]);
        let grey: ImageBuffer<_, Vec<u16>> = ImageBuffer::from_pixel(3, 3, image::Luma([0x4141]));
        let path = save(dir.path(), &format!("grey.{extension}"), &DynamicImage::ImageLuma16(grey));
        assert_eq!(decode(&path, 1, 1), [0x41; 3]);
    }
}

#[test]
fn a_single_pixel_fills_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let pixel = DynamicImage::from(image::RgbImage::from_pixel(1, 1, image::Rgb([9, 8, 7])));
    for name in ["one.png", "one.bmp", "one.gif", "one.webp", "one.tiff"] {
        let path = save(dir.path(), name, &pixel);
        for filter in Filter::ALL {
            let rgb = decode_at(&path, (5, 3), filter).unwrap();
            assert_eq!(rgb, [9, 8, 7].repeat(15), "{name}");
        }
    }
}

#[test]
fn the_content_decides_and_not_the_extension() {
    let dir = tempfile::tempdir().unwrap();
    let png = save(dir.path(), "real.png", &picture(9, 9, 77));
    for name in ["lies.jpg", "lies.tiff", "nothing"] {
        let path = dir.path().join(name);
        std::fs::copy(&png, &path).unwrap();
        assert_eq!(decode(&path, 9, 9), decode(&png, 9, 9));
    }
}

#[test]
fn squashes_to_the_size_whatever_the_aspect_ratio() {
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), "wide.png", &picture(400, 10, 50));
    let rgb = decode_at(&path, (20, 30), Filter::Bilinear).unwrap();
    assert_eq!(rgb.len(), 20 * 30 * 3);
    let greens: Vec<u8> = (0..30).map(|x| rgb[(10 * 30 + x) * 3 + 1]).collect();
    assert!(greens.is_sorted() && greens[0] < 10 && greens[29] > 245, "the whole width is there: {greens:?}");
}

#[test]
fn both_filters_agree_with_pillow() {
    let source = fixture("resize_source.png");
    for (w, h) in [(16, 20), (64, 51), (1, 1)] {
        for (filter, tolerance) in [(Filter::Nearest, 0), (Filter::Bilinear, 1)] {
            let pillow =
                image::open(fixture(&format!("resize_{}_{w}x{h}.png", filter.name()))).unwrap().into_rgb8();
            let ours = decode_at(&source, (h, w), filter).unwrap();
            let worst = ours.iter().zip(pillow.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst <= tolerance, "{} {w}x{h}: differs by {worst}", filter.name());
        }
    }
}

#[test]
fn files_cut_short_are_refused_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "exif_1.jpg",
        "progressive.jpg",
        "restart.jpg",
        "resize_source.png",
        "palette.bmp",
        "transparent.gif",
        "exif_6.webp",
        "lossy.webp",
        "lzw.tif",
        "cmyk.tif",
        "palette.tif",
    ] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for keep in [whole.len() / 3, whole.len() / 2, whole.len() * 4 / 5] {
            let path = write(dir.path(), &format!("{keep}_{name}"), &whole[..keep]);
            let said = refusal(&path);
            assert!(said.contains("cut short") || said.contains("damaged"), "{said}");
        }
    }
}

#[test]
fn a_jpeg_without_its_end_is_refused_but_one_with_bytes_after_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = std::fs::read(fixture("exif_1.jpg")).unwrap();
    let endless = write(dir.path(), "endless.jpg", &whole[..whole.len() - 2]);
    assert!(refusal(&endless).contains("cut short"));
    whole.extend_from_slice(b"a camera's private appendix");
    let longer = write(dir.path(), "longer.jpg", &whole);
    assert_near(quadrants(&longer), QUADRANTS, 6, "longer.jpg");
}

#[test]
fn files_that_are_no_images_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty.jpg", b"", "is empty (0 bytes)"),
        ("zeros.jpg", &[0; 4096], "only zero bytes"),
        ("page.jpg", b"<!DOCTYPE html><html>404</html>", "HTML"),
        ("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        ("notes.jpg", b"just some notes", "not an image"),
        ("icon.jpg", b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0", "not an image"),
    ];
    for (name, bytes, expected) in cases {
        let said = refusal(&write(dir.path(), name, bytes));
        assert!(said.contains(expected), "{said}");
    }
}

/// A big-endian TIFF of one strip whose pixels are `bits` wide, packed into rows of whole bytes.
fn palette_tiff(bits: u16, (w, h): (u16, u16), rows: &[u8], map: &[u16]) -> Vec<u8> {
    const SHORT: u16 = 3;
    let entries = [
        (256, 1, w),
        (257, 1, h),
        (258, 1, bits),
        (259, 1, 1), // not compressed
        (262, 1, 3), // a palette
        (273, 1, 134),
        (277, 1, 1),
        (278, 1, h),
        (279, 1, rows.len() as u16),
        (320, map.len() as u16, 134 + rows.len() as u16),
    ];
    let mut file = [b"MM".as_slice(), &42u16.to_be_bytes(), &8u32.to_be_bytes()].concat();
    file.extend((entries.len() as u16).to_be_bytes());
    for (tag, count, value) in entries {
        let value = if count > 1 { [0, value] } else { [value, 0] };
        [tag, SHORT, 0, count, value[0], value[1]].iter().for_each(|word| file.extend(word.to_be_bytes()));
    }
    file.resize(134, 0);
    assert_eq!(file.len(), 134, "the directory ends with 'no further one'");
    file.extend(rows);
    map.iter().for_each(|level| file.extend(level.to_be_bytes()));
    file
}

/// Indices of 1, 2 and 4 bits, and maps that hold 8 bits in their 16.
#[test]
fn a_palette_of_any_width_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for (bits, rows) in [(1, [0b0100_0000, 0b1010_0000]), (2, [0b0001_0000, 0b0100_0100])] {
        for one in [1, 257] {
            let levels = |list: [u16; 2]| {
                let mut levels = list.map(|level| level * one).to_vec();
                levels.resize(1 << bits, 0);
                levels
            };
            let map = [levels([10, 200]), levels([20, 100]), levels([30, 50])].concat();
            let path = write(dir.path(), "few.tif", &palette_tiff(bits, (3, 2), &rows, &map));
            let (off, on) = ([10, 20, 30], [200, 100, 50]);
            assert_eq!(decode(&path, 2, 3), [off, on, off, on, off, on].concat(), "{bits} bits, {one}");
        }
    }
    let map: Vec<u16> = (0..48).map(|level| level * 257).collect();
    let path = write(dir.path(), "nibbles.tif", &palette_tiff(4, (3, 1), &[0x0F, 0x70], &map));
    assert_eq!(decode(&path, 1, 3), [0, 16, 32, 15, 31, 47, 7, 23, 39]);
    let path = write(dir.path(), "short.tif", &palette_tiff(8, (3, 1), &[0, 1, 2], &map));
    assert!(refusal(&path).contains("damaged"), "{}", refusal(&path));
}

/// Sixteen levels of grey are a kind of TIFF that the decoder lacks.
#[test]
fn a_kind_that_the_decoder_lacks_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut grey = palette_tiff(4, (3, 1), &[0x0F, 0x70], &[0; 48]);
    let interpretation = 10 + 4 * 12 + 8;
    grey[interpretation + 1] = 1;
    let said = refusal(&write(dir.path(), "grey.tif", &grey));
    assert!(said.contains("save it as PNG") && said.contains("TIFF"), "{said}");
}

#[test]
fn folders_and_missing_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refusal(dir.path()).contains("not a file"));
    assert!(refusal(&dir.path().join("gone.png")).contains("cannot read"));
}

/// A PNG that announces 20,000 x 20,000 pixels, or really has them, needs 1.2 GB.
#[test]
fn an_enormous_image_is_refused_before_its_memory_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut png = Vec::new();
    picture(20, 20, 0).write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
    png[16..20].copy_from_slice(&20_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&20_000u32.to_be_bytes());
    let sum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&sum.to_be_bytes());
    let path = write(dir.path(), "huge.png", &png);
    let decoder = Decoder::new(Options::square(64)).unwrap();
    match decoder.decode(&path) {
        Err(Error::TooLarge { needed, what, .. }) => {
            assert!(needed >= 1_200_000_000, "{needed}");
            assert!(what.contains("20000x20000") && what.contains("huge.png"), "{what}");
        }
        other => panic!("{other:?}"),
    }
}

/// A progressive JPEG keeps its coefficients beside the pixels: it needs three times the plain one.
#[test]
fn what_a_decoder_keeps_beside_the_pixels_counts() {
    let needed = |name: &str, max_bytes: u64| {
        let options = Options { size: (8, 8), filter: Filter::Nearest, max_bytes };
        match Decoder::new(options).unwrap().decode(&fixture(name)) {
            Err(Error::TooLarge { needed, .. }) => needed,
            other => panic!("{other:?}"),
        }
    };
    let (pixels, file) = (24 * 16 * 3, |name| std::fs::metadata(fixture(name)).unwrap().len());
    assert_eq!(needed("exif_1.jpg", 1000), pixels + 2 * file("exif_1.jpg"));
    assert_eq!(needed("progressive.jpg", 1000), 3 * pixels + 2 * file("progressive.jpg"));
    assert_eq!(needed("palette.png", 1000), pixels + file("palette.png"));
}

#[test]
fn a_file_larger_than_the_limit_is_not_even_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.jpg");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(decode_at(&path, (8, 8), Filter::Bilinear), Err(Error::TooLarge { .. })));
}

/// The CRC of PNG, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |c: u32, _| if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 };
    !bytes.iter().fold(!0, |c, b| (0..8).fold(c ^ u32::from(*b), step))
}

/// Random damage: whatever happens, it is a result and never a panic or a hang.
#[test]
fn flipped_bytes_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<PathBuf> = std::fs::read_dir(fixture("")).unwrap().map(|e| e.unwrap().path()).collect();
    let mut state = 1u64;
    let mut refused = 0;
    for path in names {
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..12 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 20) as u8;
            }
            let damaged = write(dir.path(), "damaged", &bytes);
            match decode_at(&damaged, (8, 8), Filter::Bilinear) {
                Ok(rgb) => assert_eq!(rgb.len(), 8 * 8 * 3),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("damaged"), "{error}");
                }
            }
        }
    }
    assert!(refused > 20, "only {refused} were refused");
}
