//! TIFF with a palette, which the `image` crate refuses. The pixels are stored as those of a grey TIFF are: they are read
//! as grey levels, and looked up in the file's colour map.
//!
//! Source: TIFF 6.0, sections 2 (image file directory) and 5 (palette-colour images).

use std::io::Cursor;

use image::error::{DecodingError, LimitError, LimitErrorKind, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ImageError, ImageFormat};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{TiffError, TiffFormatError, TiffResult};

use super::resize::Pixels;

const INTERPRETATION: u16 = 262;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// A file whose header has been read.
pub(super) struct PaletteTiff {
    decoder: Decoder<Cursor<Vec<u8>>>,
    pub w: u32,
    pub h: u32,
    pub orientation: Orientation,
    /// Of an index: 1, 2, 4 or 8.
    bits: u32,
    /// 16 bits each: all reds, all greens, all blues.
    map: Vec<u16>,
}

/// Whether these bytes are a TIFF with a palette.
pub(super) fn is_one(tiff: &[u8]) -> bool {
    interpretation(tiff).is_some_and(|at| read_u16(tiff, at) == Some(PALETTE))
}

impl PaletteTiff {
    /// `limit` is the most bytes that the decoder may take for pixels.
    ///
    /// # Errors
    /// A damaged file, or indices of another size than 1, 2, 4 or 8 bits.
    pub fn open(mut tiff: Vec<u8>, limit: u64) -> TiffResult<PaletteTiff> {
        if let Some(at) = interpretation(&tiff) {
            let grey =
                if tiff[0] == b'I' { BLACK_IS_ZERO.to_le_bytes() } else { BLACK_IS_ZERO.to_be_bytes() };
            tiff[at..at + 2].copy_from_slice(&grey);
        }
        let mut limits = Limits::default();
        limits.decoding_buffer_size = usize::try_from(limit).unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        let mut decoder = Decoder::new(Cursor::new(tiff))?.with_limits(limits);
        let (w, h) = decoder.dimensions()?;
        let bits = decoder.find_tag_unsigned::<u32>(Tag::BitsPerSample)?.unwrap_or(1);
        let map = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap)?.unwrap_or_default();
        let turned = decoder.find_tag_unsigned::<u8>(Tag::Orientation)?;
        let orientation = turned.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
        if ![1, 2, 4, 8].contains(&bits) || map.len() < 3 << bits {
            return Err(TiffFormatError::InconsistentSizesEncountered.into());
        }
        Ok(PaletteTiff { decoder, w, h, orientation, bits, map })
    }

    /// Bytes that [`PaletteTiff::read`] holds beside the file: an index and three colours a pixel.
    pub fn memory(&self) -> u64 {
        (u64::from(self.w) * u64::from(self.h)).saturating_mul(4)
    }

    /// RGB pixels.
    ///
    /// # Errors
    /// A damaged or cut file, or a compression that the decoder does not know.
    pub fn read(mut self) -> TiffResult<Pixels> {
        let DecodingResult::U8(packed) = self.decoder.read_image()? else {
            return Err(TiffFormatError::InconsistentSizesEncountered.into());
        };
        let (per_byte, colours) = (8 / self.bits as usize, 1 << self.bits);
        // Rows begin at whole bytes, and the first pixel lies in the highest bits.
        let stride = (self.w as usize).div_ceil(per_byte);
        let index = |row: &[u8], x: usize| {
            let shift = 8 - self.bits as usize * (x % per_byte + 1);
            usize::from(row[x / per_byte] >> shift) % colours
        };
        // Some programs write 8 bits into the 16 of the map; libtiff tells by the same sign.
        let shift = if self.map.iter().all(|level| *level < 256) { 0 } else { 8 };
        let mut bytes = Vec::with_capacity(3 * self.w as usize * self.h as usize);
        for row in packed.chunks_exact(stride).take(self.h as usize) {
            for x in 0..self.w as usize {
                let at = index(row, x);
                bytes.extend([0, 1, 2].map(|colour| (self.map[colour * colours + at] >> shift) as u8));
            }
        }
        Ok(Pixels { bytes, h: self.h, w: self.w, channels: 3 })
    }
}

/// The same words as for the files that the `image` crate reads.
pub(super) fn as_image_error(error: TiffError) -> ImageError {
    let format = ImageFormat::Tiff;
    match error {
        TiffError::IoError(error) => ImageError::IoError(error),
        TiffError::LimitsExceeded => {
            ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory))
        }
        TiffError::UnsupportedError(what) => {
            let kind = UnsupportedErrorKind::GenericFeature(what.to_string());
            ImageError::Unsupported(UnsupportedError::from_format_and_kind(format.into(), kind))
        }
        error => ImageError::Decoding(DecodingError::new(format.into(), error)),
    }
}

/// Where the value of the tag stands that says what the samples mean, in the first directory of a classic TIFF.
fn interpretation(tiff: &[u8]) -> Option<usize> {
    if read_u16(tiff, 2)? != 42 {
        return None;
    }
    let directory = match tiff.first_chunk::<8>()? {
        [b'I', .., a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        [.., a, b, c, d] => u32::from_be_bytes([*a, *b, *c, *d]),
    } as usize;
    let entries = usize::from(read_u16(tiff, directory)?);
    let mut places = (0..entries).map(|entry| directory + 2 + 12 * entry);
    let entry = places.find(|at| read_u16(tiff, *at) == Some(INTERPRETATION))?;
    (entry + 12 <= tiff.len()).then_some(entry + 8)
}

/// In the byte order that the file begins with.
fn read_u16(tiff: &[u8], at: usize) -> Option<u16> {
    let bytes = tiff.get(at..)?.first_chunk::<2>()?;
    Some(if tiff[0] == b'I' { u16::from_le_bytes(*bytes) } else { u16::from_be_bytes(*bytes) })
}
