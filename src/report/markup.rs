//! Pieces of markup that several sections use.

use maud::{Markup, html};

/// A remark below a heading.
pub(super) fn line(words: &str) -> Markup {
    html! { p.remark { (words) } }
}

/// A table with a row of heads; the columns from `numbers` on are aligned to the right.
pub(super) fn table(heads: &[&str], numbers: usize, rows: Vec<Vec<Markup>>) -> Markup {
    let class = |column: usize| if column >= numbers { "number" } else { "" };
    html! {
        div.scroll {
            table {
                thead { tr { @for (i, head) in heads.iter().enumerate() { th class=(class(i)) { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (i, cell) in row.into_iter().enumerate() { td class=(class(i)) { (cell) } } }
                    }
                }
            }
        }
    }
}
