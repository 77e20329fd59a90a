//! What a layer's work costs whoever does it: the operations of the direct method, and its tensors moved once.
//!
//! ```
//! use frostline::ops::{Case, Part, conv2d::Conv2d};
//! use frostline::study::cost::Cost;
//! let mut cost = Cost::of(&Case::new(Conv2d::vgg(64), &[&[1, 8, 8, 3]]), Part::Forward);
//! assert_eq!(cost.flops, 2 * 64 * 64 * 27);
//! cost += Cost::of_update(27 * 64, 2); // Adam keeps two states
//! ```

use crate::ops::{Case, Dtype, Operand, Part};

/// Floating-point operations, and bytes read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub flops: u64,
    pub bytes: u64,
}

impl Cost {
    /// One part of an op at these shapes and this precision. An update is a rule's, not an op's: see [`Cost::of_update`].
    pub fn of(case: &Case, part: Part) -> Cost {
        let Case { op, x, .. } = case;
        let inputs: u64 = x.iter().enumerate().map(|(i, x)| case.dtype(Operand::X(i)).bytes(x.numel())).sum();
        let params: u64 = op.params(x).iter().map(|param| Dtype::F32.bytes(param.shape.numel())).sum();
        let aux = op.aux(x).map_or(0, |(shape, dtype)| dtype.bytes(shape.numel()));
        let outputs = case.dtype(Operand::Y).bytes(case.y().numel());
        match part {
            Part::Forward | Part::DX => {
                Cost { flops: 2 * op.macs(x), bytes: inputs + params + outputs + aux }
            }
            Part::DW => Cost { flops: 2 * op.macs(x), bytes: inputs + params + outputs },
            Part::Update => Cost::default(),
        }
    }

    /// The update of a parameter of `elements`: the gradient is read, the weight and each of `states` read and written.
    pub fn of_update(elements: u64, states: usize) -> Cost {
        Cost { flops: 0, bytes: Dtype::F32.bytes(elements) * (3 + 2 * states as u64) }
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.flops += other.flops;
        self.bytes += other.bytes;
    }
}
