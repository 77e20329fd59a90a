//! Sharing: what depends on parameters alone is computed once a pass.
//!
//! The weights that Winograd transforms for the forward pass are those that d_x reads, so that the second transform is
//! left out and its reader reads the first. A parameter's update ends that: what is computed later is computed anew.

use std::collections::HashMap;

use crate::graph::builder::ParamId;
use crate::graph::role::Role;
use crate::ops::{Access, Step};

/// The results so far that depend on parameters alone, and the names under which they are known again.
#[derive(Default)]
pub struct Shared {
    made: Vec<Made>,
    same: HashMap<Role, Role>,
}

struct Made {
    step: Step,
    roles: Vec<Role>,
}

impl Shared {
    /// The tensor that holds what `role` stands for.
    pub fn resolve(&self, role: Role) -> Role {
        self.same.get(&role).copied().unwrap_or(role)
    }

    /// Whether an earlier step has made what `step` over `roles` would make; then its result is known under both
    /// names, and the step can be left out.
    pub fn knows(&mut self, step: &Step, roles: &[Role]) -> bool {
        let Some(out) = of_parameters(step, roles) else { return false };
        let made = self.made.iter().find(|made| made.equals(step, roles));
        if let Some(made) = made {
            self.same.insert(roles[out], made.roles[out]);
            return true;
        }
        self.made.push(Made { step: step.clone(), roles: roles.to_vec() });
        false
    }

    /// Forgets what was made from this parameter.
    pub fn update(&mut self, param: ParamId) {
        self.made.retain(|made| !made.roles.contains(&Role::Param(param)));
    }
}

impl Made {
    /// The same kernel, words and grid over the same parameters; only the written scratch tensor and the part differ.
    fn equals(&self, step: &Step, roles: &[Role]) -> bool {
        let pairs = || self.step.bindings.iter().zip(&step.bindings);
        let reads = self.roles.iter().zip(roles).filter(|(role, _)| matches!(role, Role::Param(_)));
        self.step.kernel == step.kernel
            && self.step.words == step.words
            && self.step.groups == step.groups
            && self.roles.len() == roles.len()
            && reads.clone().all(|(a, b)| a == b)
            && pairs()
                .all(|(a, b)| (a.name, &a.window, a.access, a.form) == (b.name, &b.window, b.access, b.form))
    }
}

/// The binding that a step writes, if that is one scratch tensor and all others are parameters that it reads.
fn of_parameters(step: &Step, roles: &[Role]) -> Option<usize> {
    let mut out = None;
    for (i, (binding, role)) in step.bindings.iter().zip(roles).enumerate() {
        match (binding.access, role) {
            (Access::Read, Role::Param(_)) => {}
            (Access::Write, Role::Scratch(..)) if out.is_none() => out = Some(i),
            _ => return None,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Kernel;
    use crate::ops::{Operand, Part};

    fn pack(part: Part) -> Step {
        Step::new(Kernel::new("k", "", "pack"), part)
            .read("w", Operand::Param(0))
            .write("out", Operand::Scratch(0))
    }

    #[test]
    fn a_transformed_weight_is_known_until_the_weight_changes() {
        let mut shared = Shared::default();
        let over = |param, lowering| [Role::Param(ParamId(param)), Role::Scratch(lowering, 0)];
        assert!(!shared.knows(&pack(Part::Forward), &over(0, 0)));
        assert!(!shared.knows(&pack(Part::Forward), &over(1, 1)), "another weight");
        assert!(shared.knows(&pack(Part::DX), &over(0, 2)));
        assert_eq!(shared.resolve(Role::Scratch(2, 0)), Role::Scratch(0, 0));
        assert!(!shared.knows(&pack(Part::DX).sizes(&[1]), &over(0, 3)), "other words");
        shared.update(ParamId(0));
        assert!(!shared.knows(&pack(Part::Forward), &over(0, 4)));
    }

    #[test]
    fn what_reads_anything_else_is_not_shared() {
        let mut shared = Shared::default();
        let step = pack(Part::Forward).read("x", Operand::X(0));
        let roles = |lowering| {
            let x = Role::Activation(crate::graph::ValueId(0));
            [Role::Param(ParamId(0)), Role::Scratch(lowering, 0), x]
        };
        assert!(!shared.knows(&step, &roles(0)) && !shared.knows(&step, &roles(1)));
    }
}
