//! Text attributes, decoded with a budget.
//!
//! A list of names is a list of references into a heap, and nothing stops a file from naming one long text thousands
//! of times. The crate would copy it each time; here all copies together may not exceed the file.

use hdf5_reader::messages::attribute::AttributeMessage;
use hdf5_reader::messages::dataspace::DataspaceType;
use hdf5_reader::{Datatype, StringSize, VarLenKind};

/// Resolves a reference into the global heap.
pub(super) type Resolve<'r> = dyn Fn(&[u8]) -> Option<Vec<u8>> + 'r;

/// How many values the attribute has; 0 for an empty list.
pub(super) fn count(message: &AttributeMessage) -> Option<usize> {
    match message.dataspace.dataspace_type {
        DataspaceType::Null => Some(0),
        _ => usize::try_from(message.dataspace.num_elements().ok()?).ok(),
    }
}

/// The attribute's texts; `None` where it holds something else, is corrupt, or exceeds `budget` (bytes), from which
/// what was decoded is taken.
pub(super) fn strings(
    message: &AttributeMessage,
    offset_size: u8,
    resolve: &Resolve<'_>,
    budget: &mut usize,
) -> Option<Vec<String>> {
    let count = count(message)?;
    match &message.datatype {
        Datatype::String { size: StringSize::Fixed(width), .. } if *width > 0 => {
            let elements = message.raw_data.chunks_exact(*width as usize).take(count);
            let texts: Vec<String> = elements.map(|element| text(element, budget)).collect::<Option<_>>()?;
            (texts.len() == count).then_some(texts)
        }
        Datatype::VarLen { kind: VarLenKind::String, .. }
        | Datatype::String { size: StringSize::Variable, .. } => {
            let width = 4 + usize::from(offset_size) + 4;
            let elements = message.raw_data.chunks_exact(width).take(count);
            let texts: Vec<String> =
                elements.map(|reference| referenced(reference, resolve, budget)).collect::<Option<_>>()?;
            (texts.len() == count).then_some(texts)
        }
        _ => None,
    }
}

fn referenced(reference: &[u8], resolve: &Resolve<'_>, budget: &mut usize) -> Option<String> {
    let length = u32::from_le_bytes(reference.get(..4)?.try_into().ok()?) as usize;
    match length {
        0 => Some(String::new()),
        _ if length > *budget => None,
        _ => text(&resolve(reference)?, budget),
    }
}

/// Up to the first zero byte; trailing spaces pad in some writers' files.
fn text(bytes: &[u8], budget: &mut usize) -> Option<String> {
    *budget = budget.checked_sub(bytes.len())?;
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).ok().map(|text| text.trim_end_matches(' ').to_string())
}
