//! Writes tensors one at a time behind a header made beforehand.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::ORDER_KEY;
use crate::error::{Error, Result};
use crate::weights::file::{self, Writer};
use crate::weights::{Dtype, Outgoing, Values, decode};

/// Writes `tensors` (in topological order, which the file remembers) and `metadata` to `path`, atomically.
///
/// The same input gives the same bytes. `values` is asked for each tensor once.
/// # Errors
/// Two tensors of one name, a type other than f32 or f16, values that do not fill the shape or do not fit f16,
/// and those of `values` and of [`file::replace`].
pub fn write(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[Outgoing],
    values: &mut Values<'_, '_>,
) -> Result<()> {
    let sequence = aligned(tensors);
    let header = header(path, metadata, tensors, &sequence)?;
    file::replace(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(Error::io("write", path))?;
        out.write_all(&header).map_err(Error::io("write", path))?;
        for index in sequence {
            write_tensor(path, out, &tensors[index], &values(index)?)?;
        }
        Ok(())
    })
}

/// f32 before f16, so that every tensor is aligned to its own width, as readers that map the file expect.
fn aligned(tensors: &[Outgoing]) -> Vec<usize> {
    let mut sequence: Vec<usize> = (0..tensors.len()).collect();
    sequence.sort_by_key(|&i| std::cmp::Reverse(tensors[i].dtype.size()));
    sequence
}

fn header(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[Outgoing],
    sequence: &[usize],
) -> Result<Vec<u8>> {
    let order: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
    let mut about = metadata.clone();
    about.insert(ORDER_KEY.to_string(), json!(order).to_string());
    let mut table = Map::new();
    table.insert("__metadata__".to_string(), json!(about));
    let mut offset = 0u64;
    for &index in sequence {
        let tensor = &tensors[index];
        let end = offset + bytes_of(path, tensor)?;
        let info =
            json!({"dtype": dtype_name(path, tensor)?, "shape": tensor.shape, "data_offsets": [offset, end]});
        if table.insert(tensor.name.clone(), info).is_some() {
            return Err(Error::weights(
                path,
                format!("two tensors are called '{}'; rename one", tensor.name),
            ));
        }
        offset = end;
    }
    let mut header = Value::Object(table).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn bytes_of(path: &Path, tensor: &Outgoing) -> Result<u64> {
    let bytes = tensor.shape.iter().try_fold(tensor.dtype.size() as u64, |n, &d| n.checked_mul(d as u64));
    bytes.filter(|&n| n < 1 << 60).ok_or_else(|| {
        Error::weights(path, format!("'{}' of shape {:?} is larger than any file", tensor.name, tensor.shape))
    })
}

fn dtype_name(path: &Path, tensor: &Outgoing) -> Result<&'static str> {
    match tensor.dtype {
        Dtype::F32 => Ok("F32"),
        Dtype::F16 => Ok("F16"),
        other => Err(Error::weights(
            path,
            format!("'{}' cannot be written as {other}; f32 and f16 are written", tensor.name),
        )),
    }
}

fn write_tensor(path: &Path, out: &mut Writer<'_>, tensor: &Outgoing, values: &[f32]) -> Result<()> {
    check_count(path, tensor, values)?;
    let put = |bytes: &[u8]| out.write_all(bytes);
    let fits = match tensor.dtype {
        Dtype::F16 => decode::f16_bytes(values, put),
        _ => decode::f32_bytes(values, put).map(|()| true),
    };
    match fits.map_err(Error::io("write", path))? {
        true => Ok(()),
        false => Err(Error::weights(
            path,
            format!("'{}' has values beyond 65504, the largest of f16; write it as f32", tensor.name),
        )),
    }
}

/// `values` must fill the shape that was announced, else every later tensor would shift.
pub(crate) fn check_count(path: &Path, tensor: &Outgoing, values: &[f32]) -> Result<()> {
    let expected: usize = tensor.shape.iter().product();
    if values.len() == expected {
        return Ok(());
    }
    let (name, shape, got) = (&tensor.name, &tensor.shape, values.len());
    Err(Error::weights(
        path,
        format!("'{name}' of shape {shape:?} needs {expected} values, {got} were given"),
    ))
}
