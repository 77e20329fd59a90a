//! Rows go to a spool as they come; once their number is known the file is written from front to back.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use zip::write::SimpleFileOptions;

use super::{ABOUT, CLASSES, Format, Label, WORDS};
use crate::error::{Error, Result};
use crate::weights::file;
use crate::weights::hdf5::write::{Attribute, Data, Group, Kind, plan};

/// Bytes of numbers on the way at a time.
const BUFFER: usize = 1 << 20;

/// Writes a table of rows to a file that appears whole or not at all.
pub struct Writer {
    path: PathBuf,
    format: Format,
    /// Shape of one row.
    row: Vec<usize>,
    spool: BufWriter<File>,
    labels: Vec<Label>,
}

impl Writer {
    /// Rows of the shape `row`. They wait beside `path`, which needs room for them twice until [`Writer::finish`].
    ///
    /// # Errors
    /// An ending that is not .safetensors, .h5 or .npz, or a folder that cannot be written.
    pub fn new(path: &Path, row: &[usize]) -> Result<Writer> {
        let format = Format::of(path)?;
        let spool = tempfile::tempfile_in(file::folder_of(path));
        let spool = spool.map_err(Error::io("create a file beside", path))?;
        Ok(Writer {
            path: path.to_path_buf(),
            format,
            row: row.to_vec(),
            spool: BufWriter::with_capacity(BUFFER, spool),
            labels: Vec::new(),
        })
    }

    /// Appends rows, (n, ...) for the n `labels`.
    ///
    /// # Errors
    /// The disk is full.
    ///
    /// # Panics
    /// `values` are not whole rows.
    pub fn push(&mut self, values: &[f32], labels: impl IntoIterator<Item = Label>) -> Result<()> {
        self.labels.extend(labels);
        let written = self.spool.write_all(bytemuck::cast_slice(values));
        written.map_err(Error::io("write", &self.path))
    }

    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Writes the file. `about` says what made it.
    ///
    /// # Errors
    /// The disk is full, or the numbers are no whole rows.
    pub fn finish(mut self, classes: &[String], about: &serde_json::Value) -> Result<()> {
        let io = |source| Error::Io { action: "write", path: self.path.clone(), source };
        self.spool.flush().map_err(io)?;
        let spool = self.spool.get_mut();
        let bytes = spool.stream_position().map_err(io)?;
        assert_eq!(bytes, self.numbers() * 4, "rows are whole");
        self.spool.get_mut().rewind().map_err(io)?;
        file::replace(&self.path, |out| match self.format {
            Format::Safetensors => self.safetensors(out, classes, about).map_err(io),
            Format::Hdf5 => self.hdf5(out, classes, about),
            Format::Npz => self.npz(out, classes, about).map_err(io),
        })
    }

    fn numbers(&self) -> u64 {
        self.labels.len() as u64 * self.row.iter().product::<usize>() as u64
    }

    fn shape(&self) -> Vec<usize> {
        [&[self.labels.len()], &self.row[..]].concat()
    }

    fn copy_features(&self, out: &mut impl Write) -> io::Result<()> {
        let mut spool = self.spool.get_ref();
        let mut buffer = vec![0; BUFFER];
        let mut left = self.numbers() * 4;
        while left > 0 {
            let part = &mut buffer[..left.min(BUFFER as u64) as usize];
            spool.read_exact(part)?;
            out.write_all(part)?;
            left -= part.len() as u64;
        }
        Ok(())
    }

    /// One of the two columns beside the features, as i64.
    fn put_labels(&self, which: Column, out: &mut impl Write) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(BUFFER, out);
        for label in &self.labels {
            let number = match which {
                Column::Labels => i64::from(label.class),
                Column::Validates => i64::from(label.validates),
            };
            out.write_all(&number.to_le_bytes())?;
        }
        out.flush()
    }

    fn safetensors(
        &self,
        out: &mut impl Write,
        classes: &[String],
        about: &serde_json::Value,
    ) -> io::Result<()> {
        let n = self.labels.len() as u64;
        let features = self.numbers() * 4;
        // Eight bytes wide first, so that every tensor is aligned to its own width.
        let header = json!({
            "__metadata__": { CLASSES: json!(classes).to_string(), ABOUT: about.to_string() },
            "labels": { "dtype": "I64", "shape": [n], "data_offsets": [0, 8 * n] },
            "validates": { "dtype": "I64", "shape": [n], "data_offsets": [8 * n, 16 * n] },
            "features": { "dtype": "F32", "shape": self.shape(), "data_offsets": [16 * n, 16 * n + features] },
        });
        let mut header = header.to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        self.put_labels(Column::Labels, out)?;
        self.put_labels(Column::Validates, out)?;
        self.copy_features(out)
    }

    fn hdf5(&self, out: &mut impl Write, classes: &[String], about: &serde_json::Value) -> Result<()> {
        let io = |source| Error::Io { action: "write", path: self.path.clone(), source };
        let mut root = Group::default();
        root.attributes.push((CLASSES.to_owned(), Attribute::List(classes.to_vec())));
        root.attributes.push((ABOUT.to_owned(), Attribute::Text(about.to_string())));
        root.add("features", Data { shape: self.shape(), kind: Kind::F32(0) });
        root.add("labels", Data { shape: vec![self.labels.len()], kind: Kind::I64s(1) });
        root.add("validates", Data { shape: vec![self.labels.len()], kind: Kind::I64s(2) });
        let bytes = [self.numbers() * 4, 8 * self.labels.len() as u64, 8 * self.labels.len() as u64];
        plan(root).map_err(io)?.write(out, io, |out, index| {
            match index {
                0 => self.copy_features(out),
                1 => self.put_labels(Column::Labels, out),
                _ => self.put_labels(Column::Validates, out),
            }
            .map_err(io)?;
            Ok(bytes[index])
        })
    }

    fn npz(
        &self,
        out: &mut (impl Write + Seek),
        classes: &[String],
        about: &serde_json::Value,
    ) -> io::Result<()> {
        let mut zip = zip::ZipWriter::new(out);
        let options = SimpleFileOptions::default();
        let options = options.compression_method(zip::CompressionMethod::Stored).large_file(true);
        let n = [self.labels.len()];
        zip.start_file("features.npy", options)?;
        zip.write_all(&npy_header("<f4", &self.shape()))?;
        self.copy_features(&mut zip)?;
        for (name, which) in [("labels.npy", Column::Labels), ("validates.npy", Column::Validates)] {
            zip.start_file(name, options)?;
            zip.write_all(&npy_header("<i8", &n))?;
            self.put_labels(which, &mut zip)?;
        }
        let longest = classes.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(1);
        zip.start_file("classes.npy", options)?;
        zip.write_all(&npy_header(&format!("<U{longest}"), &[classes.len()]))?;
        for name in classes {
            let padded = name.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest);
            padded.map(u32::to_le_bytes).try_for_each(|letter| zip.write_all(&letter))?;
        }
        zip.start_file(WORDS, options)?;
        zip.write_all(json!({ CLASSES: classes, ABOUT: about }).to_string().as_bytes())?;
        zip.finish()?;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Column {
    Labels,
    Validates,
}

/// Source: numpy/lib/format.py, version 1.0; padded so that the values begin at a multiple of 64.
fn npy_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let dims: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    let padded = (10 + text.len() + 1).next_multiple_of(64) - 10;
    text.extend(std::iter::repeat_n(' ', padded - text.len() - 1));
    text.push('\n');
    [b"\x93NUMPY\x01\x00".as_slice(), &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat()
}
