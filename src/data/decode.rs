//! One image file to RGB pixels at the network's input size.
//!
//! What a file is, is decided by its content: a PNG named `.jpg` is read as a PNG. Colours become 8-bit RGB:
//! grey is repeated, 16 bits are rounded to 8, CMYK is converted, transparency is composited on white (Keras
//! drops it, which shows whatever colour hides there). EXIF orientation is applied (Keras ignores it). Of an
//! animation the first frame counts. Colour profiles are ignored, as in Keras.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::complete;
use super::format::{READABLE, sniff};
use super::gate::Gate;
use super::palette_tiff::{self, PaletteTiff};
use super::resize::{self, Filter, Pixels};
use crate::error::{Error, Result};

/// What a decoder makes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// (h, w) in pixels.
    pub size: (u32, u32),
    pub filter: Filter,
    /// Bytes that all decoding at one moment may hold, whatever the number of workers. A larger image is refused.
    pub max_bytes: u64,
}

impl Options {
    /// Square input, the default filter, 512 MiB: an RGB photograph of 150 megapixels still decodes.
    pub fn square(side: u32) -> Options {
        Options { size: (side, side), filter: Filter::default(), max_bytes: 512 << 20 }
    }
}

/// Turns files into (h, w, 3) bytes. Shared by threads, whose memory together stays below `max_bytes`.
pub struct Decoder {
    options: Options,
    gate: Gate,
}

impl Decoder {
    /// # Errors
    /// A size of zero, or one whose pixels no memory holds.
    pub fn new(options: Options) -> Result<Decoder> {
        let (h, w) = options.size;
        if h == 0 || w == 0 || h.max(w) > LARGEST_SIDE {
            let range = format!("each side must lie in 1..={LARGEST_SIDE}");
            return Err(Error::Usage(format!("input size {h}x{w}: {range}")));
        }
        let gate = Gate::new(options.max_bytes);
        Ok(Decoder { options, gate })
    }

    /// (h, w) of what [`Decoder::decode`] returns.
    pub fn size(&self) -> (u32, u32) {
        self.options.size
    }

    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Bytes of one decoded image: h * w * 3.
    pub fn image_bytes(&self) -> usize {
        self.options.size.0 as usize * self.options.size.1 as usize * 3
    }

    /// The image at `path` as RGB, (h, w, 3), 0 to 255.
    ///
    /// # Errors
    /// The file cannot be read, is no image, is damaged or cut short, or is larger than `max_bytes`; the
    /// message names it.
    pub fn decode(&self, path: &Path) -> Result<Vec<u8>> {
        let bytes = self.read(path)?;
        // The decoders are other people's code and the file may be hostile: their panic is the file's fault.
        catch_unwind(AssertUnwindSafe(|| self.decode_bytes(path, &bytes)))
            .unwrap_or_else(|_| Err(Error::data(path, "is damaged: the decoder gave up on it")))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let metadata = std::fs::metadata(path).map_err(Error::io("read", path))?;
        if !metadata.is_file() {
            return Err(Error::data(path, "is not a file"));
        }
        if metadata.len() > self.options.max_bytes {
            return Err(self.too_large(path, "reading", metadata.len()));
        }
        std::fs::read(path).map_err(Error::io("read", path))
    }

    fn decode_bytes(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
        let format = sniff(bytes).ok_or_else(|| Error::data(path, what_instead(bytes)))?;
        if format == ImageFormat::Tiff && palette_tiff::is_one(bytes) {
            return self.decode_palette(path, bytes);
        }
        let fail = |e: ImageError| Error::data(path, explain(format, &e));
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        reader.limits(self.limits());
        let mut decoder = reader.into_decoder().map_err(fail)?;
        let needed = memory(format, bytes, &decoder);
        self.allow(path, decoder.dimensions(), needed)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let _held = self.gate.hold(needed);
        let image = DynamicImage::from_decoder(decoder).map_err(fail)?;
        if !complete::has_its_end(format, bytes) {
            return Err(Error::data(path, CUT_SHORT));
        }
        let fail = |what: String| Error::data(path, what);
        self.fit(flatten(image), orientation).map_err(fail)
    }

    fn decode_palette(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
        let fail = |e| Error::data(path, explain(ImageFormat::Tiff, &palette_tiff::as_image_error(e)));
        let file = bytes.len() as u64;
        let opened = PaletteTiff::open(bytes.to_vec(), self.options.max_bytes).map_err(fail)?;
        let needed = opened.memory().saturating_add(2 * file);
        self.allow(path, (opened.w, opened.h), needed)?;
        let _held = self.gate.hold(needed);
        let orientation = opened.orientation;
        let pixels = opened.read().map_err(fail)?;
        self.fit(pixels, orientation).map_err(|what| Error::data(path, what))
    }

    /// # Errors
    /// More bytes than the limit.
    fn allow(&self, path: &Path, (w, h): (u32, u32), needed: u64) -> Result<()> {
        match needed > self.options.max_bytes {
            true => Err(self.too_large(path, &format!("decoding {w}x{h} pixels of"), needed)),
            false => Ok(()),
        }
    }

    /// The crates' own guard against headers that lie; ours above is exact for honest ones.
    fn limits(&self) -> image::Limits {
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(self.options.max_bytes);
        limits
    }

    fn too_large(&self, path: &Path, doing: &str, needed: u64) -> Error {
        Error::TooLarge {
            what: format!("{doing} {}", path.display()),
            needed,
            limit_name: "the limit for decoding",
            limit: self.options.max_bytes,
            cure: "scale the image down".into(),
        }
    }

    /// Resizes first and turns the small image, so that no second large one exists.
    fn fit(&self, pixels: Pixels, orientation: Orientation) -> Result<Vec<u8>, String> {
        let (h, w) = self.options.size;
        let before_turning = if swaps_sides(orientation) { (w, h) } else { (h, w) };
        let small = resize::resize(pixels, before_turning, self.options.filter)?;
        Ok(turn(small, orientation))
    }
}

/// Bytes that decoding holds at its peak, as measured on images of 48 megapixels: the file, the pixels, and what
/// the format's decoder keeps beside them.
fn memory(format: ImageFormat, file: &[u8], decoder: &impl ImageDecoder) -> u64 {
    let (file_bytes, pixels) = (file.len() as u64, decoder.total_bytes());
    let beside = match format {
        // A second copy of the file; coefficients of 16 bits.
        ImageFormat::Jpeg if complete::jpeg_is_progressive(file) => {
            file_bytes.saturating_add(pixels.saturating_mul(2))
        }
        ImageFormat::Jpeg | ImageFormat::Tiff => file_bytes,
        _ => 0,
    };
    // Deeper pixels are rounded into a second image of a byte per channel.
    let deep = decoder.color_type().bytes_per_pixel() > decoder.color_type().channel_count();
    let rounded = if deep { pixels / 2 } else { 0 };
    file_bytes.saturating_add(pixels).saturating_add(beside).saturating_add(rounded)
}

/// 65,535 is what JPEG can say; its square in RGB still fits 64 bits with room to spare.
const LARGEST_SIDE: u32 = 65_535;

const CUT_SHORT: &str = "is cut short: copy or download it again";

/// Words for a file that is no image.
fn what_instead(bytes: &[u8]) -> String {
    let start = bytes.trim_ascii_start();
    let guess = match bytes {
        [] => return "is empty (0 bytes)".into(),
        _ if bytes.iter().all(|&b| b == 0) => "it holds only zero bytes; copy or download it again",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "it looks like HEIC, AVIF or a video; convert it",
        _ if start.starts_with(b"<") => "it looks like HTML or SVG; a failed download?",
        _ => "it is something else, or damaged at its start",
    };
    format!("is not an image of a kind that is read ({READABLE}): {guess}")
}

fn explain(format: ImageFormat, error: &ImageError) -> String {
    let name = format!("{format:?}").to_uppercase();
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => CUT_SHORT.into(),
        ImageError::Limits(e) => format!("is larger than the limit for decoding allows: {e}"),
        ImageError::Unsupported(e) => format!("is a {name} of a kind that is not read, save it as PNG: {e}"),
        e => format!("is damaged: {e}"),
    }
}

/// Grey or RGB bytes of any decoded image, without a second full-size copy where that can be had.
fn flatten(image: DynamicImage) -> Pixels {
    let (w, h) = (image.width(), image.height());
    let (bytes, channels) = match image {
        DynamicImage::ImageLuma8(grey) => (grey.into_raw(), 1),
        DynamicImage::ImageLuma16(_) => (image.into_luma8().into_raw(), 1),
        _ if image.color().has_alpha() => (on_white(image.into_rgba8().into_raw()), 3),
        _ => (image.into_rgb8().into_raw(), 3),
    };
    Pixels { bytes, h, w, channels }
}

/// Composites RGBA on white, in place: the front of the same memory is the RGB.
fn on_white(mut rgba: Vec<u8>) -> Vec<u8> {
    let pixels = rgba.len() / 4;
    for i in 0..pixels {
        let alpha = u32::from(rgba[4 * i + 3]);
        for c in 0..3 {
            let colour = u32::from(rgba[4 * i + c]);
            rgba[3 * i + c] = ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    rgba.truncate(3 * pixels);
    rgba
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Turns as EXIF says, and makes RGB of grey.
fn turn(pixels: Pixels, orientation: Orientation) -> Vec<u8> {
    let Pixels { bytes, h, w, channels } = pixels;
    let image = match channels {
        1 => ImageBuffer::from_raw(w, h, bytes).map(DynamicImage::ImageLuma8),
        _ => ImageBuffer::from_raw(w, h, bytes).map(DynamicImage::ImageRgb8),
    };
    // `None` would mean fewer bytes than h * w * channels, which `resize` never returns.
    let mut image = image.unwrap_or_default();
    image.apply_orientation(orientation);
    image.into_rgb8().into_raw()
}
