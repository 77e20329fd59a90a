//! Contact sheets: images in a grid with captions below.

use std::path::Path;

use font8x8::{BASIC_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

use crate::error::{Error, Result};
use crate::weights::file;

/// An image with two lines of caption.
pub struct Tile {
    /// (side, side, 3) RGB.
    pub pixels: Vec<u8>,
    pub caption: [String; 2],
    /// Colour of the caption's second line: green for right, red for wrong, ink where neither is meant.
    pub good: Option<bool>,
}

const GAP: u32 = 8;
const LINE: u32 = 12;
/// What a sheet is drawn on.
pub const PAPER: Rgb<u8> = Rgb([250, 250, 248]);
const INK: Rgb<u8> = Rgb([30, 34, 40]);
const GOOD: Rgb<u8> = Rgb([20, 120, 60]);
const BAD: Rgb<u8> = Rgb([190, 40, 40]);

/// Draws `tiles` of `side` pixels in rows of `columns`.
pub fn draw(tiles: &[Tile], side: u32, columns: u32) -> RgbImage {
    let rows = (tiles.len() as u32).div_ceil(columns);
    let longest = tiles.iter().flat_map(|tile| &tile.caption).map(|text| text.chars().count() as u32).max();
    let width = side.max(8 * longest.unwrap_or(0));
    let (cell_w, cell_h) = (width + GAP, side + GAP + 2 * LINE);
    let mut sheet = RgbImage::from_pixel(columns * cell_w + GAP, rows * cell_h + GAP, PAPER);
    for (i, tile) in (0u32..).zip(tiles) {
        let (x, y) = (GAP + i % columns * cell_w, GAP + i / columns * cell_h);
        for (j, rgb) in (0u32..).zip(tile.pixels.chunks_exact(3)) {
            sheet.put_pixel(x + j % side, y + j / side, Rgb([rgb[0], rgb[1], rgb[2]]));
        }
        let colour = match tile.good {
            None => INK,
            Some(true) => GOOD,
            Some(false) => BAD,
        };
        write(&mut sheet, &tile.caption[0], (x, y + side + 3), width, INK);
        write(&mut sheet, &tile.caption[1], (x, y + side + 3 + LINE), width, colour);
    }
    sheet
}

/// Eight pixels a character, cut off at `width`.
pub(super) fn write(sheet: &mut RgbImage, text: &str, (x, y): (u32, u32), width: u32, colour: Rgb<u8>) {
    for (i, character) in (0..width / 8).zip(text.chars()) {
        let glyph = BASIC_FONTS.get(character).unwrap_or([0; 8]);
        for (row, bits) in (0u32..).zip(glyph) {
            for column in (0..8).filter(|column| bits & (1 << column) != 0) {
                sheet.put_pixel(x + 8 * i + column, y + row, colour);
            }
        }
    }
}

/// Writes a picture as PNG, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn save_png(picture: &RgbImage, path: &Path) -> Result<()> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| Error::data(path, format!("cannot be encoded: {e}")))?;
    file::replace_by(path, bytes.get_ref())
}
