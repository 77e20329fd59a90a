//! safetensors, and torchvision's names in them: the input is the header, and as much data as it asks for (up to a
//! page) follows, so that the fuzzer need not guess lengths.
#![no_main]

libfuzzer_sys::fuzz_target!(|header: &[u8]| {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    frostline_fuzz::read_everything(&file);
    file.resize(file.len() + 1024, 0x3c);
    frostline_fuzz::read_everything(&file);
});
