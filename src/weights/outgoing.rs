//! Tensors on their way into a file: what is announced, checked and written, whatever kind the file is of.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::decode;
use super::entry::{Dtype, layer_of, parameter_of};
use crate::error::{Error, Result};

/// A tensor about to be written: its canonical name, shape, and the type it has on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// `layer/parameter`, as in `block1_conv1/kernel`.
    pub name: String,
    /// In Keras' layout: convolution kernels (kh, kw, ci, co), dense kernels (in, out).
    pub shape: Vec<usize>,
    /// [`Dtype::F32`] or [`Dtype::F16`].
    pub dtype: Dtype,
}

impl Outgoing {
    /// A tensor that keeps all its bits.
    pub fn f32(name: impl Into<String>, shape: &[usize]) -> Outgoing {
        Outgoing { name: name.into(), shape: shape.to_vec(), dtype: Dtype::F32 }
    }
}

/// Gives the values of outgoing tensor `index`; called once for each, in the order of the file, so that a model
/// larger than memory can be written by reading back one parameter at a time.
pub type Values<'a, 'v> = dyn FnMut(usize) -> Result<Cow<'v, [f32]>> + 'a;

impl Outgoing {
    /// As [`super::Entry::layer`].
    pub(super) fn layer(&self) -> &str {
        layer_of(&self.name)
    }

    /// As [`super::Entry::parameter`].
    pub(super) fn parameter(&self) -> &str {
        parameter_of(&self.name)
    }
}

/// Refuses what would not read back: two tensors of one name, or a type that is not written.
pub(super) fn check(path: &Path, tensors: &[Outgoing]) -> Result<()> {
    let mut names = BTreeSet::new();
    for Outgoing { name, dtype, .. } in tensors {
        if !matches!(dtype, Dtype::F32 | Dtype::F16) {
            let what = format!("'{name}' cannot be written as {dtype}; f32 and f16 are written");
            return Err(Error::weights(path, what));
        }
        if !names.insert(name) {
            return Err(Error::weights(path, format!("two tensors are called '{name}'; rename one")));
        }
    }
    Ok(())
}

/// Writes the `values` of `tensor` in the type that was announced, and gives the number of bytes. They must fill the
/// shape, else every later tensor would shift.
pub(super) fn write(path: &Path, tensor: &Outgoing, values: &[f32], out: &mut impl Write) -> Result<u64> {
    let Outgoing { name, shape, dtype } = tensor;
    if values.len() != shape.iter().product::<usize>() {
        let (expected, got) = (shape.iter().product::<usize>(), values.len());
        let what = format!("'{name}' of shape {shape:?} needs {expected} values, {got} were given");
        return Err(Error::weights(path, what));
    }
    let put = |bytes: &[u8]| out.write_all(bytes);
    let (width, fits) = match dtype {
        Dtype::F16 => (2, decode::f16_bytes(values, put)),
        _ => (4, decode::f32_bytes(values, put).map(|()| true)),
    };
    match fits.map_err(Error::io("write", path))? {
        true => Ok(values.len() as u64 * width),
        false => {
            let what = format!("'{name}' has values beyond 65504, the largest of f16; write it as f32");
            Err(Error::weights(path, what))
        }
    }
}
