//! An edited text in place of a shipped one: what the kernel lab tries, and how tests plant errors.

use crate::gpu::{Kernel, Piece};

/// Another text for the WGSL file, or the shared piece, of this name.
///
/// ```
/// use frostline::gpu::{Edit, Kernel};
/// let shipped = Kernel::new("copy", "fn forward() {}", "forward");
/// let edit = Edit::new("copy", "fn forward() { }");
/// assert!(edit.touches(&shipped));
/// assert_eq!(edit.apply(&shipped).source, "fn forward() { }");
/// ```
#[derive(Clone, Debug)]
pub struct Edit {
    name: String,
    text: &'static str,
}

impl Edit {
    /// `name` is the stem of a file of `shaders/` or `shaders/pieces/`.
    ///
    /// The text stays in memory until the program ends, as compiled kernels do, which are known by their text.
    pub fn new(name: &str, text: &str) -> Edit {
        Edit { name: name.to_owned(), text: Box::leak(text.to_owned().into_boxed_str()) }
    }

    /// The stem of the file that is replaced.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `kernel` is made of the file that this edit replaces.
    pub fn touches(&self, kernel: &Kernel) -> bool {
        kernel.file == self.name || kernel.pieces.iter().any(|piece| piece.name == self.name)
    }

    /// `kernel` with the edited text in the place of the shipped one.
    pub fn apply(&self, kernel: &Kernel) -> Kernel {
        let mut edited = kernel.clone();
        if edited.file == self.name {
            edited.source = self.text;
        }
        for piece in edited.pieces.iter_mut().filter(|piece| piece.name == self.name) {
            *piece = Piece { source: self.text, ..*piece };
        }
        edited
    }

    /// The whole module of an edited kernel with the edited text at its top, so that compilers count lines as the edited
    /// file does. WGSL asks for no order, but for directives, which stand in front on the same line.
    pub fn on_top(&self, kernel: &Kernel) -> String {
        let whole = self.apply(kernel).wgsl(0, true);
        let (before, after) = whole.split_once(self.text).unwrap_or((&whole, ""));
        let directive = |line: &&str| line.starts_with("enable ");
        let (directives, header): (Vec<&str>, Vec<&str>) = before.lines().partition(directive);
        format!("{}{}\n{}\n{after}", directives.concat(), self.text, header.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edited_text_begins_on_the_first_line_behind_directives() {
        let mut kernel = Kernel::new("copy", "fn forward() {}", "forward").with("TILE", 8);
        let edit = Edit::new("copy", "// mine\nfn forward() { let n = TILE; }");
        assert!(edit.on_top(&kernel).starts_with("// mine\nfn forward()"));
        kernel.halves.push("x");
        let text = edit.on_top(&kernel);
        assert!(text.starts_with("enable f16;// mine\n") && text.contains("const TILE: u32 = 8u;"), "{text}");
        naga::front::wgsl::parse_str(&text).unwrap();
    }
}
