//! A heat map: a table of shades, such as a confusion matrix.

use maud::{Markup, Render, html};

use super::{Ink, WIDTH, number, root, shorten, text, text_width};

/// A table of shades.
#[derive(Clone, Debug)]
pub struct Heat {
    pub row_label: String,
    pub column_label: String,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// (rows, columns) row-major.
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// 0 is paper, 1 the full colour.
    pub shade: f64,
    pub ink: Ink,
    /// Written where cells are large enough.
    pub words: String,
    /// Shown by a pointer that rests on the cell.
    pub hint: String,
}

/// From this many rows or columns on, cells are too small for words and names.
const WORDS: usize = 24;
const MOST_NAME: f64 = 110.0;

impl Render for Heat {
    fn render(&self) -> Markup {
        let worded = self.rows.len().max(self.columns.len()) <= WORDS;
        let room = |names: &[String]| match worded {
            true => names.iter().map(|name| text_width(name)).fold(0.0, f64::max).min(MOST_NAME) + 10.0,
            false => 4.0,
        };
        let (left, below) = (room(&self.rows), room(&self.columns));
        let side = ((WIDTH - left) / self.columns.len().max(1) as f64).min(46.0);
        let top = 22.0;
        let bottom = top + side * self.rows.len() as f64;
        let centre = left + side * self.columns.len() as f64 / 2.0;
        let inside = html! {
            (text(0.0, 13.0, "start", "faint", &format!("{} ↓", self.row_label)))
            @for (i, cell) in self.cells.iter().enumerate() {
                @let (row, column) = (i / self.columns.len(), i % self.columns.len());
                (draw(cell, left + side * column as f64, top + side * row as f64, side, worded))
            }
            @if worded {
                @for (i, name) in self.rows.iter().enumerate() {
                    (text(left - 7.0, top + side * (i as f64 + 0.5) + 4.5, "end", "", &shorten(name, MOST_NAME)))
                }
                @for (i, name) in self.columns.iter().enumerate() {
                    (slanted(left + side * (i as f64 + 0.5), bottom + 14.0, &shorten(name, MOST_NAME)))
                }
            }
            (text(centre, bottom + 0.75 * below + 22.0, "middle", "faint", &format!("{} →", self.column_label)))
        };
        let label = format!("{} by {}", self.row_label, self.column_label);
        root(bottom + 0.75 * below + 30.0, &label, inside)
    }
}

fn draw(cell: &Cell, x: f64, y: f64, side: f64, worded: bool) -> Markup {
    let gap = if side > 8.0 { 1.0 } else { 0.0 };
    let class = if cell.shade > 0.55 { "inverse" } else { "" };
    html! {
        g {
            title { (cell.hint) }
            rect x=(number(x)) y=(number(y)) width=(number(side - gap)) height=(number(side - gap))
                class={ "fill " (cell.ink.class()) } fill-opacity=(number(cell.shade.clamp(0.04, 1.0))) {}
            @if worded { (text(x + side / 2.0, y + side / 2.0 + 4.5, "middle", class, &cell.words)) }
        }
    }
}

/// A name below its column, which ends under the column's middle.
fn slanted(x: f64, y: f64, name: &str) -> Markup {
    let (x, y) = (number(x), number(y));
    html! { text x=(x) y=(y) text-anchor="end" transform={ "rotate(-45 " (x) " " (y) ")" } { (name) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(classes: usize) -> String {
        let names: Vec<String> = (0..classes).map(|i| format!("class {i}")).collect();
        let cell = |i: usize| Cell {
            shade: if i.is_multiple_of(classes + 1) { 0.9 } else { 0.1 },
            ink: Ink::Good,
            words: format!("w{i}"),
            hint: format!("h{i}"),
        };
        let cells = (0..classes * classes).map(cell).collect();
        let (row_label, column_label) = ("truth".into(), "said".into());
        Heat { row_label, column_label, rows: names.clone(), columns: names, cells }.render().into_string()
    }

    #[test]
    fn few_classes_have_words_and_many_have_hints_only() {
        assert!(square(3).contains("class 2") && square(3).contains(">w8<"));
        assert!(
            !square(60).contains("class 2") && !square(60).contains(">w8<") && square(60).contains(">h3599<")
        );
    }

    #[test]
    fn dark_cells_have_light_words() {
        assert_eq!(square(3).matches("inverse").count(), 3);
    }
}
