//! Every kernel that a case or a rule lowers to is valid WGSL in both forms, and declares what its step binds.
//! No device.

use std::collections::{BTreeSet, HashSet};

use frostline::gpu::MatrixSize;
use frostline::gpu::caps::{Caps, Class};
use frostline::ops::cases::{self, Case};
use frostline::ops::{Access, Lowered, Operand, Part, Precision, Rung, Rungs, Step};
use frostline::optim::{self, Scaling, clip, scaling};
use frostline::shape::Shape;
use frostline::study::roofline;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// WebGPU's guaranteed limits, a software driver, and GPUs with matrix units: a discrete one, one with few limits.
fn adapters() -> Vec<Caps> {
    let cpu = Caps {
        class: Class::Cpu,
        immediates: 128,
        lanes: Some((8, 8)),
        f16: true,
        matrices: vec![MatrixSize::half(8)],
        ..Caps::default()
    };
    let gpu = Caps {
        class: Class::Discrete,
        immediates: 256,
        lanes: Some((32, 32)),
        workgroup_memory: 48 << 10,
        workgroup_invocations: 1024,
        f16: true,
        matrices: vec![MatrixSize::half(16)],
        ..Caps::default()
    };
    let small = Caps { class: Class::Integrated, matrices: vec![MatrixSize::half(8)], ..gpu.clone() };
    vec![Caps::default(), cpu, gpu, small]
}

/// Forward and backward steps of a case on every rung.
fn steps(case: &Case, caps: &Caps) -> Vec<Step> {
    let rungs = Rungs::all(Rung::Naive);
    let mut site = case.site(caps, rungs);
    let wants = case.wants();
    let mut steps = Vec::new();
    let able = [Part::Forward, Part::DX, Part::DW].map(|part| case.op.rungs(part, &site));
    for i in 0..able.iter().map(Vec::len).max().unwrap_or(0) {
        let [forward, d_x, d_w] = [0, 1, 2].map(|part| able[part][i.min(able[part].len() - 1)]);
        site.rungs = Rungs { forward, d_x, d_w };
        steps.extend(stored(case, case.op.forward(&site)));
        steps.extend(stored(case, case.op.backward(&site, &wants)));
    }
    steps
}

/// Steps over tensors as the case stores them.
fn stored(case: &Case, lowered: Lowered) -> Vec<Step> {
    let dtype = |operand| match operand {
        Operand::Scratch(i) => lowered.scratch[i].dtype,
        other => case.dtype(other),
    };
    let over = |step: &Step| step.clone().over(step.bindings.iter().map(|b| dtype(b.operand)));
    lowered.steps.iter().map(over).collect()
}

/// One step for each kernel that anything lowers to.
fn all_steps() -> Vec<Step> {
    let shapes = [Shape::new(&[7]), Shape::new(&[20, 16])];
    let mut all = Vec::new();
    for caps in adapters() {
        for precision in [Precision::F32, Precision::F16] {
            all.extend(cases::all().into_iter().flat_map(|case| steps(&case.at(precision), &caps)));
        }
        for rule in optim::cases() {
            for &shape in &shapes {
                let update = optim::update(rule.as_ref(), shape, &caps);
                all.extend(scaling::only_if_it_counts(rule.as_ref(), update.clone()).steps);
                all.extend(update.steps);
            }
        }
        all.extend(clip::by_norm(1.0, &shapes, &caps).steps);
        all.push(Scaling::default().scale(shapes[0], &caps));
        all.extend(Scaling::default().unscale(&shapes, &caps).steps);
        all.extend(roofline::steps(&caps));
    }
    let mut seen = HashSet::new();
    all.retain(|step| seen.insert(step.kernel.clone()));
    all
}

fn validated(step: &Step, immediates: bool) -> (naga::Module, ModuleInfo) {
    let text = step.kernel.wgsl(0, immediates);
    let module = naga::front::wgsl::parse_str(&text)
        .unwrap_or_else(|error| panic!("{}: {}", step.kernel, error.emit_to_string(&text)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {}", step.kernel, error.emit_to_string(&text)));
    (module, info)
}

/// (number, name, written) of the buffers and storage textures that the entry point uses.
fn used(module: &naga::Module, info: &ModuleInfo, entry: usize) -> BTreeSet<(u32, String, bool)> {
    let uses = info.get_entry_point(entry);
    let globals = module.global_variables.iter().filter(|(handle, _)| !uses[*handle].is_empty());
    let storage = globals.filter_map(|(_, variable)| {
        let access = match (variable.space, &module.types[variable.ty].inner) {
            (naga::AddressSpace::Storage { access }, _) => access,
            (_, naga::TypeInner::Image { class: naga::ImageClass::Storage { access, .. }, .. }) => *access,
            _ => return None,
        };
        let binding = variable.binding.as_ref()?;
        Some((binding.binding, variable.name.clone()?, access.contains(naga::StorageAccess::STORE)))
    });
    storage.collect()
}

#[test]
fn every_kernel_is_valid_and_uses_exactly_what_its_step_binds() {
    let steps = all_steps();
    assert!(steps.len() > 20, "only {} kernels", steps.len());
    for step in steps {
        let numbers: Vec<(u32, &str)> = step.kernel.bindings().collect();
        let bound = step.bindings.iter().map(|binding| {
            let known = numbers.iter().find(|(_, name)| *name == binding.name);
            let (number, name) = known.unwrap_or_else(|| panic!("{} has no {}", step.kernel, binding.name));
            (*number, (*name).to_owned(), binding.access != Access::Read)
        });
        let bound: BTreeSet<_> = bound.collect();
        for half in &step.kernel.halves {
            let text = step.kernel.wgsl(0, true);
            let declared = [format!("array<{half}_type>"), format!("array<vec4<{half}_type>>")];
            assert!(declared.iter().any(|ty| text.contains(ty)), "{} reads {half} as f32", step.kernel);
        }
        for immediates in [false, true] {
            let (module, info) = validated(&step, immediates);
            let entry = module.entry_points.iter().position(|entry| entry.name == step.kernel.entry);
            let entry = entry.unwrap_or_else(|| panic!("{} has no such entry point", step.kernel));
            assert_eq!(used(&module, &info, entry), bound, "{}", step.kernel);
        }
    }
}

#[test]
fn every_parameter_block_has_as_many_words_as_its_step_fills() {
    for step in all_steps() {
        let (module, _) = validated(&step, true);
        let block = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("P"));
        let words = block.map_or(0, |(_, ty)| match ty.inner {
            naga::TypeInner::Struct { span, .. } => span as usize / 4,
            _ => panic!("{}: P is no struct", step.kernel),
        });
        assert_eq!(words, step.words.len(), "{}", step.kernel);
        assert!(words <= 32, "{}: {words} words, immediates hold 32", step.kernel);
    }
}

#[test]
fn every_file_opens_with_a_comment_that_says_what_one_invocation_does() {
    for step in all_steps() {
        let opening: String = step.kernel.source.lines().take_while(|line| line.starts_with("//")).collect();
        let says =
            ["ne invocation", "ne workgroup", "ne subgroup"].iter().any(|words| opening.contains(words));
        assert!(says, "{}.wgsl does not say what one invocation computes", step.kernel.file);
    }
}
