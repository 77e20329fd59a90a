//! Numbers of any width -> f32, and back to f32 or f16.

use std::io::Read;

use half::{bf16, f16};

use super::entry::Dtype;

/// Bytes decoded at a time: the only scratch a read needs beside its result.
const CHUNK: usize = 1 << 20;

/// A few bytes may claim to unpack to terabytes. What claims to become this many times the bytes that are there is
/// unpacked once for counting, before memory is allocated for it.
const PLAUSIBLE_RATIO: u64 = 8;

/// Whether `packed` bytes that claim to unpack to `unpacked` may be believed without counting.
pub(super) fn is_plausible(unpacked: u64, packed: u64) -> bool {
    unpacked <= packed.saturating_mul(PLAUSIBLE_RATIO)
}

/// Reads `out.len()` numbers of type `dtype` from `reader`.
///
/// # Errors
/// Whatever `reader` says; a short file is `UnexpectedEof`.
pub(super) fn read_values(
    reader: &mut impl Read,
    dtype: Dtype,
    big_endian: bool,
    out: &mut [f32],
) -> std::io::Result<()> {
    let per_chunk = CHUNK / dtype.size();
    let mut bytes = vec![0u8; per_chunk.min(out.len()) * dtype.size()];
    for part in out.chunks_mut(per_chunk) {
        let bytes = &mut bytes[..part.len() * dtype.size()];
        reader.read_exact(bytes)?;
        values(dtype, big_endian, bytes, part);
    }
    Ok(())
}

/// Decodes `bytes` (`out.len()` numbers) into `out`. 64-bit numbers are rounded to the nearest f32.
pub(super) fn values(dtype: Dtype, big_endian: bool, bytes: &[u8], out: &mut [f32]) {
    macro_rules! each {
        ($from_le:expr, $from_be:expr, $to_f32:expr) => {
            for (value, b) in out.iter_mut().zip(bytes.chunks_exact(dtype.size())) {
                // The chunk has exactly the width of the type, so the conversion to an array always succeeds.
                let Ok(b) = b.try_into() else { continue };
                let number = if big_endian { $from_be(b) } else { $from_le(b) };
                *value = $to_f32(number);
            }
        };
    }
    match dtype {
        Dtype::F32 => each!(f32::from_le_bytes, f32::from_be_bytes, |x| x),
        Dtype::F64 => each!(f64::from_le_bytes, f64::from_be_bytes, |x| x as f32),
        Dtype::F16 => each!(f16::from_le_bytes, f16::from_be_bytes, f16::to_f32),
        Dtype::Bf16 => each!(bf16::from_le_bytes, bf16::from_be_bytes, bf16::to_f32),
        Dtype::U8 => each!(u8::from_le_bytes, u8::from_be_bytes, f32::from),
        Dtype::I8 => each!(i8::from_le_bytes, i8::from_be_bytes, f32::from),
        Dtype::U16 => each!(u16::from_le_bytes, u16::from_be_bytes, f32::from),
        Dtype::I16 => each!(i16::from_le_bytes, i16::from_be_bytes, f32::from),
        Dtype::U32 => each!(u32::from_le_bytes, u32::from_be_bytes, |x| x as f32),
        Dtype::I32 => each!(i32::from_le_bytes, i32::from_be_bytes, |x| x as f32),
        Dtype::U64 => each!(u64::from_le_bytes, u64::from_be_bytes, |x| x as f32),
        Dtype::I64 => each!(i64::from_le_bytes, i64::from_be_bytes, |x| x as f32),
    }
}

/// Little-endian bytes of f32 values, for a writer.
pub(super) fn f32_bytes(
    values: &[f32],
    mut put: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(CHUNK.min(values.len() * 4));
    for part in values.chunks(CHUNK / 4) {
        bytes.clear();
        bytes.extend(part.iter().flat_map(|v| v.to_le_bytes()));
        put(&bytes)?;
    }
    Ok(())
}

/// The same rounded to f16. `Ok(false)` when a finite value is too large for f16; nothing useful was then written.
pub(super) fn f16_bytes(
    values: &[f32],
    mut put: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<bool> {
    let mut bytes = Vec::with_capacity(CHUNK.min(values.len() * 2));
    for part in values.chunks(CHUNK / 2) {
        bytes.clear();
        for &value in part {
            let narrow = f16::from_f32(value);
            if value.is_finite() && !narrow.is_finite() {
                return Ok(false);
            }
            bytes.extend(narrow.to_le_bytes());
        }
        put(&bytes)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn one(dtype: Dtype, big_endian: bool, bytes: &[u8]) -> f32 {
        let mut out = [f32::NAN];
        values(dtype, big_endian, bytes, &mut out);
        out[0]
    }

    #[test]
    fn every_type_in_both_byte_orders() {
        assert_eq!(one(Dtype::F32, false, &1.5f32.to_le_bytes()), 1.5);
        assert_eq!(one(Dtype::F32, true, &1.5f32.to_be_bytes()), 1.5);
        assert_eq!(one(Dtype::F64, true, &(-0.25f64).to_be_bytes()), -0.25);
        assert_eq!(one(Dtype::F16, false, &f16::from_f32(0.5).to_le_bytes()), 0.5);
        assert_eq!(one(Dtype::Bf16, false, &bf16::from_f32(3.0).to_le_bytes()), 3.0);
        assert_eq!(one(Dtype::I64, false, &(-7i64).to_le_bytes()), -7.0);
        assert_eq!(one(Dtype::U64, true, &7u64.to_be_bytes()), 7.0);
        assert_eq!(one(Dtype::I32, false, &(-7i32).to_le_bytes()), -7.0);
        assert_eq!(one(Dtype::U16, true, &258u16.to_be_bytes()), 258.0);
        assert_eq!(one(Dtype::I8, false, &[0xff]), -1.0);
        assert_eq!(one(Dtype::U8, false, &[0xff]), 255.0);
    }

    #[test]
    fn chunks_join_without_a_seam() {
        let expected: Vec<f32> = (0..CHUNK / 4 + 3).map(|i| i as f32).collect();
        let mut bytes = Vec::new();
        f32_bytes(&expected, |part| bytes.write_all(part)).unwrap();
        let mut read = vec![0.0; expected.len()];
        read_values(&mut bytes.as_slice(), Dtype::F32, false, &mut read).unwrap();
        assert_eq!(read, expected);
    }

    #[test]
    fn f16_refuses_what_it_cannot_hold() {
        assert!(!f16_bytes(&[70_000.0], |_| Ok(())).unwrap());
        assert!(f16_bytes(&[f32::INFINITY, 65_000.0], |_| Ok(())).unwrap());
    }
}
