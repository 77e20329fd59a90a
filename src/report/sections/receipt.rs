//! What someone needs to get the same bits again.

use maud::{Markup, html};

use crate::report::markup::{line, table};
use crate::report::sections::setting::{self, Fact};

/// Versions, seeds, choices, and what the weights were behind each epoch.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    pub facts: Vec<Fact>,
    /// (epoch counted from 0, hash of the weights that trained)
    pub hashes: Vec<(usize, String)>,
}

pub fn draw(receipt: &Receipt) -> Markup {
    let rows =
        receipt.hashes.iter().map(|(epoch, hash)| vec![html! { (epoch + 1) }, html! { code { (hash) } }]);
    html! {
        (line("The same seed, adapter, driver and choices give the same bits."))
        (setting::draw(&receipt.facts))
        @if !receipt.hashes.is_empty() {
            details {
                summary { "Hash of the weights behind each epoch" }
                (table(&["epoch", "MD5"], 2, rows.collect()))
            }
        }
    }
}
