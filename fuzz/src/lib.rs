//! What all targets share: bytes become a file, and everything in it is read.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;

thread_local! {
    // One file per process, in memory where the system has such a folder.
    static SCRATCH: RefCell<(PathBuf, File)> = RefCell::new(scratch());
}

fn scratch() -> (PathBuf, File) {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let path = folder.join(format!("frostline-fuzz-{}", std::process::id()));
    let file = File::create(&path).expect("a scratch file");
    (path, file)
}

/// Opens `bytes` as a weight file of any kind and reads every tensor and slot.
pub fn read_everything(bytes: &[u8]) {
    SCRATCH.with_borrow_mut(|(path, file)| {
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(bytes)).expect("writing the scratch file");
        let Ok(mut source) = frostline::weights::open(path) else { return };
        for index in 0..source.entries().len() {
            let _ = source.read(index);
        }
        for index in 0..source.optimizer().map_or(0, |state| state.slots.len()) {
            let _ = source.read_slot(index);
        }
    });
}
