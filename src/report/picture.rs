//! Pictures inside of a page, as data URIs.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use maud::{Markup, html};

/// A picture, encoded once.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    uri: String,
    width: u32,
    height: u32,
}

/// Photographs look the same at this quality and take a twentieth of their pixels' bytes.
const QUALITY: u8 = 88;

impl Picture {
    /// From (height, width, 3) RGB bytes.
    ///
    /// # Panics
    /// The number of bytes is not `3 * width * height`.
    pub fn new(pixels: &[u8], width: u32, height: u32) -> Picture {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
            .write_image(pixels, width, height, ExtendedColorType::Rgb8)
            .expect("a picture of RGB bytes is encoded into memory");
        let uri = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg));
        Picture { uri, width, height }
    }

    /// The picture for those who see it, `words` for those who do not.
    pub fn draw(&self, words: &str) -> Markup {
        html! { img src=(self.uri) width=(self.width) height=(self.height) alt=(words); }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_as_it_was_but_for_the_encoding() {
        let pixels: Vec<u8> = (0..16 * 8).flat_map(|i| [(i % 16) as u8 * 10, 100, 200]).collect();
        let picture = Picture::new(&pixels, 16, 8);
        let bytes = BASE64_STANDARD.decode(picture.uri.split_once(',').unwrap().1).unwrap();
        let decoded = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(decoded.dimensions(), (16, 8));
        assert!(decoded.as_raw().iter().zip(&pixels).all(|(a, b)| a.abs_diff(*b) < 16));
        assert!(picture.draw("a \"bird\"").into_string().contains("a &quot;bird&quot;"));
    }
}
