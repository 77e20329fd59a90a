//! HDF5 of every layout. The signature is put in place, everything else is the fuzzer's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
    let mut file = SIGNATURE.to_vec();
    file.extend(bytes.get(SIGNATURE.len()..).unwrap_or_default());
    frostline_fuzz::read_everything(&file);
});
