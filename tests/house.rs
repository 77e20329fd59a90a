//! The order of the house: rooms import rooms to their left only, files stay small, and each shader has an owner.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use frostline::ops::cases;

/// A room may import itself and every room before it.
const ROOMS: [&str; 13] = [
    "error", "shape", "gpu", "ops", "optim", "graph", "nn", "weights", "data", "train", "study", "report",
    "cli",
];

/// Rooms that stand side by side and do not know each other.
const STRANGERS: [(&str, &str); 1] = [("data", "weights")];

/// Files of ops/ whose shaders serve several ops.
const SHARED: [&str; 2] = ["pieces", "fused"];

const MOST_LINES: usize = 400;

#[test]
fn rooms_import_only_rooms_to_their_left() {
    let mut wrong = Vec::new();
    for file in rust_files() {
        let Some(room) = room_of(&file) else { continue };
        let text = read(&file);
        for (number, line) in code_lines(&text) {
            let strangers = imports(line).into_iter().filter(|to| !may_import(&room, to));
            wrong.extend(strangers.map(|to| format!("{}:{number}: {room} imports {to}", shown(&file))));
        }
    }
    assert!(wrong.is_empty(), "the order is {}, but\n{}", ROOMS.join(" <- "), wrong.join("\n"));
}

#[test]
fn every_folder_and_file_of_src_is_a_room() {
    let known: BTreeSet<&str> = ROOMS.into_iter().chain(["lib", "main"]).collect();
    let rooms: BTreeSet<String> = rust_files().iter().map(|file| top_of(file)).collect();
    let unknown: Vec<&String> = rooms.iter().filter(|room| !known.contains(room.as_str())).collect();
    assert!(unknown.is_empty(), "src has rooms that the order does not know: {unknown:?}; known: {ROOMS:?}");
    assert!(rooms.len() > 5, "the walk over src found only {rooms:?}");
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long = rust_files().into_iter().chain(shaders()).filter_map(|file| {
        let lines = read(&file).lines().count();
        (lines > MOST_LINES).then(|| format!("{}: {lines} lines", shown(&file)))
    });
    let long: Vec<String> = long.collect();
    assert!(long.is_empty(), "split these; at most {MOST_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn each_shader_belongs_to_the_rust_file_of_its_stem() {
    let included: Vec<(PathBuf, String)> = rust_files()
        .into_iter()
        .flat_map(|file| included_shaders(&read(&file)).into_iter().map(move |stem| (file.clone(), stem)))
        .collect();
    let mut wrong = Vec::new();
    for (file, stem) in &included {
        if !owns(file, stem) {
            wrong.push(format!(
                "{} includes shaders/{stem}.wgsl; that belongs in ops/, optim/ or study/, in a file of its stem",
                shown(file)
            ));
        }
    }
    let pieces = read(&root().join("src/ops/pieces.rs"));
    for shader in shaders() {
        let stem = stem(&shader);
        let piece = shader.parent().is_some_and(|folder| folder.ends_with("pieces"));
        let known = match piece {
            true => pieces.contains(&format!("\"{stem}\"")),
            false => included.iter().any(|(_, known)| *known == stem),
        };
        if !known {
            wrong.push(format!("{} is included nowhere", shown(&shader)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_op_that_computes_has_a_shader_of_its_stem() {
    let stems: Vec<String> = shaders().iter().map(|shader| stem(shader)).collect();
    let computing = cases::all().into_iter().filter(|case| !case.op.is_view(true));
    let kinds: BTreeSet<&str> = computing.map(|case| case.op.kind()).collect();
    let bare: Vec<&&str> = kinds.iter().filter(|kind| !stems.iter().any(|s| extends(s, kind))).collect();
    assert!(bare.is_empty(), "no shader in shaders/ begins with {bare:?}; there are {stems:?}");
}

/// The checks above must see what they look for.
#[test]
fn imports_are_seen_in_every_spelling() {
    let found = |line| imports(line).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use crate::nn::Freeze;"), ["nn"]);
    assert_eq!(found("use crate::{error::Result, gpu::{Caps, Device}, train};"), ["error", "gpu", "train"]);
    assert_eq!(found("pub(in crate::graph) fn f(x: &crate::ops::Step) {}"), ["graph", "ops"]);
    assert_eq!(code_lines("/// see [`crate::cli`]\nlet x = 1; // crate::cli").count(), 1);
    assert_eq!(found("let x = 1; // crate::cli"), Vec::<String>::new());
    assert!(may_import("graph", "ops") && may_import("graph", "graph") && !may_import("graph", "nn"));
    assert!(!may_import("data", "weights") && !may_import("weights", "data") && may_import("train", "data"));
    assert!(owns(Path::new("src/ops/conv2d/subgroup.rs"), "conv2d_subgroup"));
    assert!(!owns(Path::new("src/ops/dense.rs"), "conv2d") && !owns(Path::new("src/nn/vgg.rs"), "vgg"));
}

fn may_import(room: &str, other: &str) -> bool {
    let place = |name| ROOMS.iter().position(|known| *known == name);
    let strangers = STRANGERS.iter().any(|&(a, b)| (room, other) == (a, b) || (room, other) == (b, a));
    !strangers && place(other).is_some_and(|other| place(room).is_some_and(|room| other <= room))
}

/// The rooms that one line of code names, by `crate::room` or within `crate::{room, room::...}`.
fn imports(line: &str) -> Vec<String> {
    let code = line.split(" //").next().unwrap_or(line);
    let named = code.split("crate::").skip(1);
    named.flat_map(|rest| rest.strip_prefix('{').map_or_else(|| vec![identifier(rest)], group)).collect()
}

/// First names of `a, b::{c, d}, e}`, whose opening brace has been read.
fn group(text: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_name) = (0, Vec::new(), true);
    for (index, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_name = true,
            _ if at_name && !letter.is_whitespace() => {
                names.push(identifier(&text[index..]));
                at_name = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Numbered lines that are not whole-line comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(|(_, l)| !l.trim_start().starts_with("//"))
}

/// Stems of the files of shaders/ that a Rust file includes.
fn included_shaders(text: &str) -> Vec<String> {
    let found = text.split("shaders/").skip(1).filter_map(|rest| rest.split_once(".wgsl\")"));
    found.map(|(stem, _)| stem.to_owned()).collect()
}

/// Whether `file` is where a shader of this stem belongs: `ops/conv2d.rs`, or a file of `ops/conv2d/`, owns `conv2d`
/// and `conv2d_subgroup`.
fn owns(file: &Path, stem: &str) -> bool {
    let mut parts = file.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = parts.by_ref().skip_while(|part| part != "src").collect();
    match &parts[..] {
        [_, room, op, ..] if ["ops", "optim", "study"].contains(&room.as_str()) => {
            let op = op.trim_end_matches(".rs");
            SHARED.contains(&op) || extends(stem, op)
        }
        _ => false,
    }
}

fn extends(stem: &str, op: &str) -> bool {
    stem.strip_prefix(op).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files() -> Vec<PathBuf> {
    files(&root().join("src"), "rs")
}

fn shaders() -> Vec<PathBuf> {
    files(&root().join("shaders"), "wgsl")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name();
    let paths = entries.into_iter().map(|entry| entry.expect("a readable source tree").into_path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The room that a file of src is in; lib.rs and main.rs stand outside of the order.
fn room_of(file: &Path) -> Option<String> {
    Some(top_of(file)).filter(|top| top != "lib" && top != "main")
}

/// `gpu` for src/gpu/caps.rs, `error` for src/error.rs.
fn top_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).expect("a file of src");
    let first = inside.components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
