//! Writes tensors one at a time behind a header made beforehand.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::ORDER_KEY;
use crate::error::{Error, Result};
use crate::weights::{Outgoing, Values, file, outgoing};

/// Writes `tensors` (in topological order, which the file remembers) and `metadata` to `path`, atomically.
///
/// The same input gives the same bytes. `values` is asked for each tensor once.
///
/// # Errors
/// Two tensors of one name, a type other than f32 or f16, values that do not fill the shape or do not fit f16,
/// and those of `values` and of [`file::replace`].
pub fn write(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[Outgoing],
    values: &mut Values<'_, '_>,
) -> Result<()> {
    outgoing::check(path, tensors)?;
    let sequence = aligned(tensors);
    let header = header(path, metadata, tensors, &sequence)?;
    file::replace(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(Error::io("write", path))?;
        out.write_all(&header).map_err(Error::io("write", path))?;
        for index in sequence {
            outgoing::write(path, &tensors[index], &values(index)?, out)?;
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
        let dtype = tensor.dtype.name().to_uppercase();
        let info = json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [offset, end]});
        table.insert(tensor.name.clone(), info);
        offset = end;
    }
    let mut header = Value::Object(table).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn bytes_of(path: &Path, tensor: &Outgoing) -> Result<u64> {
    tensor.dtype.bytes(&tensor.shape).ok_or_else(|| {
        Error::weights(path, format!("'{}' of shape {:?} is larger than any file", tensor.name, tensor.shape))
    })
}
