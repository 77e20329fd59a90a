//! The image formats that are read.

use image::ImageFormat;

/// Their names, for messages.
pub(super) const READABLE: &str = "JPEG, PNG, BMP, GIF, WebP or TIFF";

/// The format that the first bytes announce, if it is one that we read.
pub(super) fn sniff(bytes: &[u8]) -> Option<ImageFormat> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    image::guess_format(bytes).ok().filter(|f| [Bmp, Gif, Jpeg, Png, Tiff, WebP].contains(f))
}
