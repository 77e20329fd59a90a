//! A page: one HTML file that holds its style, its charts and its pictures.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::error::Result;
use crate::report::svg;
use crate::weights::file;

/// What can be put on a page of its own.
pub trait Page {
    fn title(&self) -> &str;

    /// The parts of the page, one below the other.
    fn body(&self) -> Markup;

    /// The page: one file that needs nothing else.
    fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title()) }
                    link rel="icon" href=(icon());
                    style { (PreEscaped(svg::STYLE)) (PreEscaped(include_str!("page.css"))) }
                }
                body { main { (self.body()) } }
            }
        };
        page.into_string()
    }

    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written; an older one then stays.
    fn write(&self, path: &Path) -> Result<()> {
        file::replace_by(path, self.html().as_bytes())
    }
}

/// A snow crystal for the browser's tab, inline: without one a browser would ask for a file.
fn icon() -> String {
    format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(include_bytes!("icon.svg")))
}

pub(super) fn section(title: &str, inside: Markup) -> Markup {
    html! { section { h2 { (title) } (inside) } }
}
