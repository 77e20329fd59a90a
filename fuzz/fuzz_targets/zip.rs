//! `.keras` and `.npz`. The first two bytes are put in place, everything else is the fuzzer's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut file = b"PK".to_vec();
    file.extend(bytes.get(2..).unwrap_or_default());
    frostline_fuzz::read_everything(&file);
});
