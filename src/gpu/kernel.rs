//! A kernel: hand-written WGSL plus the constants that specialise it. Plain data; compiled in `pipeline`.

use std::fmt;

/// A shared bit of WGSL that stands before a kernel's own file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    pub name: &'static str,
    pub source: &'static str,
}

/// One entry point of one WGSL file, with the constants of its header.
///
/// Shapes and strides are never constants here: they travel in the parameter block `p` of each dispatch, so that
/// one compiled kernel serves every shape.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// The file's stem, such as `conv2d_subgroup`.
    pub file: &'static str,
    pub source: &'static str,
    pub entry: &'static str,
    pub pieces: Vec<Piece>,
    pub consts: Vec<(&'static str, u32)>,
    /// WGSL extensions that its text needs.
    pub enables: Vec<&'static str>,
    /// Storage bindings whose floating-point elements are f16 in memory; all others are f32.
    pub halves: Vec<&'static str>,
}

impl Kernel {
    pub fn new(file: &'static str, source: &'static str, entry: &'static str) -> Kernel {
        let (pieces, consts, enables, halves) = Default::default();
        Kernel { file, source, entry, pieces, consts, enables, halves }
    }

    pub fn enabling(mut self, extensions: &[&'static str]) -> Kernel {
        self.enables.extend(extensions);
        self
    }

    pub fn with(mut self, name: &'static str, value: u32) -> Kernel {
        self.consts.push((name, value));
        self
    }

    pub fn piece(mut self, piece: Piece) -> Kernel {
        self.pieces.push(piece);
        self
    }

    /// The storage bindings that the WGSL declares: (number, name). Rust and WGSL agree by name, not by position.
    pub fn bindings(&self) -> impl Iterator<Item = (u32, &'static str)> {
        self.sources().flat_map(str::lines).filter_map(|line| {
            let (number, rest) = line.trim_start().strip_prefix("@group(0) @binding(")?.split_once(')')?;
            // `var<storage, read> x: array<x_type>;` or `var a: texture_storage_2d<rgba32float, read>;`
            let name = rest.split_once(':')?.0.rsplit([' ', '>']).next()?;
            Some((number.parse().ok()?, name))
        })
    }

    /// The texts of the pieces and of the file.
    fn sources(&self) -> impl Iterator<Item = &'static str> {
        self.pieces.iter().map(|piece| piece.source).chain([self.source])
    }

    /// The complete module: header, pieces, file.
    ///
    /// Each storage binding gets a constant `<name>_at`, the index of the tensor's first element within its binding: 0 in
    /// a program, behind `guard` words where a trial has put guard words before it; and an alias `<name>_type`, what a
    /// floating-point element is in memory. Kernels compute in f32.
    /// `immediates` says whether the parameter block is a push constant or a uniform.
    pub fn wgsl(&self, guard: u32, immediates: bool) -> String {
        let mut text = String::with_capacity(self.source.len() + 1024);
        // Directives come before everything else; naming one twice is no error.
        let halves = (!self.halves.is_empty()).then_some(&"f16");
        for extension in halves.into_iter().chain(&self.enables) {
            text.push_str(&format!("enable {extension};\n"));
        }
        for (name, value) in &self.consts {
            text.push_str(&format!("const {name}: u32 = {value}u;\n"));
        }
        for (_, name) in self.bindings() {
            let (float, per_word) = if self.halves.contains(&name) { ("f16", 2) } else { ("f32", 1) };
            text.push_str(&format!(
                "const {name}_at: u32 = {}u;\nalias {name}_type = {float};\n",
                guard * per_word
            ));
        }
        if self.sources().any(|source| source.contains("struct P ")) {
            text.push_str(if immediates {
                "var<immediate> p: P;\n"
            } else {
                "@group(1) @binding(0) var<uniform> p: P;\n"
            });
        }
        for piece in &self.pieces {
            text.push_str(piece.source);
        }
        text.push_str(self.source);
        text
    }
}

/// `conv2d_subgroup.forward[LANES=8,y:f16]`
impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.file, self.entry)?;
        let consts = self.consts.iter().map(|(name, value)| format!("{name}={value}"));
        let pieces = self.pieces.iter().map(|piece| piece.name.to_owned());
        let halves = self.halves.iter().map(|name| format!("{name}:f16"));
        let all: Vec<String> = consts.chain(pieces).chain(halves).collect();
        if !all.is_empty() {
            write!(f, "[{}]", all.join(","))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
