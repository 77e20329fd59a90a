//! Whether a file reaches its own end, for the formats whose decoders forgive a cut.

use image::ImageFormat;

/// `false` when the file was cut short in a way that the decoder may not notice.
pub(super) fn has_its_end(format: ImageFormat, bytes: &[u8]) -> bool {
    match format {
        ImageFormat::Jpeg => jpeg_is_complete(bytes),
        ImageFormat::WebP => webp_is_complete(bytes),
        _ => true,
    }
}

/// Whether the RIFF header's length is there: EXIF stands after the pixels, and without it the image lies on its side.
fn webp_is_complete(bytes: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = bytes.get(4..8) else { return false };
    u64::from(u32::from_le_bytes([a, b, c, d])) + 8 <= bytes.len() as u64
}

/// Whether the end-of-image marker stands where the scans end. The decoder fills what is missing with grey
/// and says nothing, which would train on half a photograph.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    jpeg_markers(bytes).any(|marker| marker == END)
}

/// Whether the scans refine the whole picture step by step, so that the decoder keeps all its coefficients.
pub(super) fn jpeg_is_progressive(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xDA;
    const PROGRESSIVE_FRAME: u8 = 0xC2;
    jpeg_markers(bytes).take_while(|marker| *marker != SCAN).any(|marker| marker == PROGRESSIVE_FRAME)
}

/// The markers of a JPEG in order; what lies inside of segments (thumbnails, for one) is jumped over.
/// Source: ITU-T T.81, annex B.1.
fn jpeg_markers(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes.get(at..)?.windows(2).position(is_marker)?;
        let marker = bytes[at + 1];
        let stands_alone = matches!(marker, 0x01 | 0xD0..=0xD9);
        let length = match bytes.get(at + 2..at + 4) {
            Some(field) if !stands_alone => usize::from(u16::from_be_bytes([field[0], field[1]])),
            _ => 0,
        };
        at += 2 + length;
        Some(marker)
    })
}

/// In coded data 0xFF is followed by 0 (a stuffed byte) or 0xFF (fill); anything else is a marker.
fn is_marker(pair: &[u8]) -> bool {
    pair[0] == 0xFF && pair[1] != 0 && pair[1] != 0xFF
}
