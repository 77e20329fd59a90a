//! Resizing 8-bit pixels to the network's input: squashed to (h, w) whatever the aspect ratio, as Keras does.

use std::str::FromStr;

use fast_image_resize as fir;

use crate::error::{Error, unknown};

/// How pixels are made out of more or fewer pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Anti-aliased: a triangle as wide as the reduction, as Pillow's `BILINEAR`.
    #[default]
    Bilinear,
    /// One source pixel per output pixel, the ones that Pillow's `NEAREST` takes: what Keras'
    /// `flow_from_directory` does by default. Faithful, but it aliases.
    Nearest,
}

impl Filter {
    pub const ALL: [Filter; 2] = [Filter::Bilinear, Filter::Nearest];

    pub fn name(self) -> &'static str {
        match self {
            Filter::Bilinear => "bilinear",
            Filter::Nearest => "nearest",
        }
    }
}

impl FromStr for Filter {
    type Err = Error;

    /// # Errors
    /// An unknown name; the message suggests the nearest.
    fn from_str(name: &str) -> Result<Self, Error> {
        let known = Self::ALL.map(Self::name);
        Self::ALL
            .into_iter()
            .find(|f| f.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| unknown("resize filter", name, &known))
    }
}

/// Pixels of 1 (grey) or 3 (RGB) bytes, row by row: `bytes` is (h, w, channels).
pub(super) struct Pixels {
    pub bytes: Vec<u8>,
    pub h: u32,
    pub w: u32,
    pub channels: usize,
}

/// `image` at (h, w), same channels.
///
/// # Errors
/// What the resizing crate says, in words; not reached while `bytes` fits the dimensions.
pub(super) fn resize(image: Pixels, (h, w): (u32, u32), filter: Filter) -> Result<Pixels, String> {
    if (image.h, image.w) == (h, w) {
        return Ok(image);
    }
    match filter {
        Filter::Nearest => Ok(nearest(&image, h, w)),
        Filter::Bilinear => bilinear(image, h, w).map_err(|e| format!("cannot be resized: {e}")),
    }
}

fn bilinear(image: Pixels, h: u32, w: u32) -> Result<Pixels, Box<dyn std::error::Error>> {
    let kind = if image.channels == 1 { fir::PixelType::U8 } else { fir::PixelType::U8x3 };
    let source = fir::images::Image::from_vec_u8(image.w, image.h, image.bytes, kind)?;
    let mut target = fir::images::Image::new(w, h, kind);
    let triangle = fir::ResizeAlg::Convolution(fir::FilterType::Bilinear);
    let options = fir::ResizeOptions::new().resize_alg(triangle);
    fir::Resizer::new().resize(&source, &mut target, &options)?;
    Ok(Pixels { bytes: target.into_vec(), h, w, channels: image.channels })
}

fn nearest(image: &Pixels, h: u32, w: u32) -> Pixels {
    let (rows, columns) = (positions(image.h, h), positions(image.w, w));
    let c = image.channels;
    let stride = image.w as usize * c;
    let mut bytes = Vec::with_capacity(rows.len() * columns.len() * c);
    for row in rows {
        let line = &image.bytes[row * stride..][..stride];
        for &column in &columns {
            bytes.extend_from_slice(&line[column * c..][..c]);
        }
    }
    Pixels { bytes, h, w, channels: c }
}

/// The source position of each of `to` outputs: centre (x + 0.5) * from / to, rounded down.
///
/// Summed step by step in f64 because Pillow does, so that ties fall on the same side.
/// Source: Pillow, `Geometry.c`, the scale-only affine transform.
fn positions(from: u32, to: u32) -> Vec<usize> {
    let step = f64::from(from) / f64::from(to);
    let mut centre = step * 0.5;
    (0..to)
        .map(|_| {
            let position = (centre as usize).min(from as usize - 1);
            centre += step;
            position
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(bytes: &[u8], w: u32) -> Pixels {
        let h = bytes.len() as u32 / w;
        Pixels { bytes: bytes.to_vec(), h, w, channels: 1 }
    }

    #[test]
    fn nearest_takes_the_middle_pixel() {
        assert_eq!(positions(6, 2), [1, 4]);
        assert_eq!(positions(4, 2), [1, 3]);
        assert_eq!(positions(2, 5), [0, 0, 1, 1, 1]);
        assert_eq!(positions(1, 3), [0, 0, 0]);
    }

    #[test]
    fn bilinear_averages_where_nearest_aliases() {
        let stripes: Vec<u8> = (0..64 * 4).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect();
        let smooth = resize(grey(&stripes, 64), (4, 16), Filter::Bilinear).unwrap();
        assert!(smooth.bytes.iter().all(|p| (90..=110).contains(p)), "{:?}", smooth.bytes);
        let aliased = resize(grey(&stripes, 64), (4, 16), Filter::Nearest).unwrap();
        assert!(aliased.bytes.iter().all(|&p| p == 0), "{:?}", aliased.bytes);
    }

    #[test]
    fn names_are_answered() {
        assert_eq!("Nearest".parse::<Filter>().unwrap(), Filter::Nearest);
        let message = "bilinaer".parse::<Filter>().unwrap_err().to_string();
        assert!(message.contains("did you mean 'bilinear'"), "{message}");
    }
}
