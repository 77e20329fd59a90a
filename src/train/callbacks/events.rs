//! TensorBoard's event files: records of protocol buffers, each between checksums.
//!
//! Five fields of two messages are all that scalars need, so they are written by hand.
//! Source: tensorflow `core/util/event.proto`, `core/framework/summary.proto`, `core/lib/io/record_writer.cc`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crc::{CRC_32_ISCSI, Crc};

use crate::error::{Error, Result};
use crate::train::callbacks::history::EpochRow;

const PREFIX: &str = "events.out.tfevents.";
const SUFFIX: &str = ".frostline";

/// An event file that grows with a run.
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Begins a file in `folder` with the epochs so far; those of an earlier part of the run are removed.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(folder: &Path, rows: &[EpochRow]) -> Result<Events> {
        remove_older(folder)?;
        let path = folder.join(format!("{PREFIX}{}{SUFFIX}", now() as u64));
        let file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io("create", &path))?;
        let mut events = Events { path, file };
        events.write(&event(0, &text(3, "brain.Event:2")))?;
        rows.iter().try_for_each(|row| events.add(row))?;
        Ok(events)
    }

    /// Appends an epoch: `loss`, `acc`, `lr`, and `val_loss` and `val_acc` where it has them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, row: &EpochRow) -> Result<()> {
        let figures = [
            ("loss", Some(row.loss)),
            ("acc", Some(row.acc)),
            ("lr", Some(f64::from(row.lr))),
            ("val_loss", row.val_loss),
            ("val_acc", row.val_acc),
        ];
        let values = figures.iter().filter_map(|(tag, value)| Some(bytes(1, &scalar(tag, (*value)? as f32))));
        let summary: Vec<u8> = values.flatten().collect();
        self.write(&event(row.epoch as u64, &bytes(5, &summary)))
    }

    fn write(&mut self, message: &[u8]) -> Result<()> {
        self.file.write_all(&record(message)).map_err(Error::io("write", &self.path))
    }
}

fn remove_older(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// Length, its checksum, the message, its checksum.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), message, &masked(message)].concat()
}

/// CRC-32C, turned and shifted so that a checksum of checksums is no trivial number.
fn masked(data: &[u8]) -> [u8; 4] {
    let sum = Crc::<u32>::new(&CRC_32_ISCSI).checksum(data);
    sum.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// `Event { wall_time: 1, step: 2, what }`
fn event(step: u64, what: &[u8]) -> Vec<u8> {
    let mut out = vec![1 << 3 | 1];
    out.extend(now().to_le_bytes());
    out.push(2 << 3);
    varint(&mut out, step);
    out.extend(what);
    out
}

/// `Summary.Value { tag: 1, simple_value: 2 }`
fn scalar(tag: &str, value: f32) -> Vec<u8> {
    let mut out = text(1, tag);
    out.push(2 << 3 | 5);
    out.extend(value.to_le_bytes());
    out
}

fn text(field: u8, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    varint(&mut out, value.len() as u64);
    out.extend(value);
    out
}

/// Seven bits a byte, the lowest first.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As TensorFlow's own writer puts them; the checksum of "123456789" is the standard's check value.
    #[test]
    fn messages_and_checksums_are_tensorflows() {
        assert_eq!(Crc::<u32>::new(&CRC_32_ISCSI).checksum(b"123456789"), 0xe306_9283);
        assert_eq!(masked(&24u64.to_le_bytes()), [0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(scalar("a", 1.0), [0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f]);
        let mut long = Vec::new();
        varint(&mut long, 300);
        assert_eq!(long, [0xac, 2]);
    }

    #[test]
    fn a_resumed_run_has_one_file_with_all_of_its_epochs() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [0, 1, 2].map(|epoch| EpochRow { epoch, ..EpochRow::default() });
        Events::create(folder.path(), &rows[..1]).unwrap().add(&rows[1]).unwrap();
        Events::create(folder.path(), &rows[..2]).unwrap().add(&rows[2]).unwrap();
        let files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let (file, mut at, mut records) = (std::fs::read(&files[0]).unwrap(), 0, 0);
        while at < file.len() {
            let length = u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
            assert_eq!(masked(&file[at + 12..at + 12 + length]), file[at + 12 + length..at + 16 + length]);
            (at, records) = (at + 16 + length, records + 1);
        }
        assert_eq!(records, 1 + rows.len(), "the version, and a record for each epoch");
    }
}
