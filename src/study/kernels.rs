//! The catalogue of kernels: every WGSL file and shared piece, who uses it, and its module as the driver gets it.
//!
//! ```
//! use frostline::gpu::{Caps, Edit};
//! use frostline::ops::{Case, Part, Rung, Rungs, dense::Dense};
//! use frostline::study::kernels;
//! let (caps, rungs) = (Caps::default(), Rungs::all(Rung::Naive));
//! let files = kernels::catalogue(&caps);
//! let dense = kernels::find(&files, "dense")?;
//! assert_eq!(kernels::spirv(&dense.kernels[0])?[0], 0x0723_0203);
//! let case = Case::new(Dense::new(8, true), &[&[2, 16]]);
//! assert!(kernels::runs(&case, &caps, rungs, &Edit::new("dense", dense.source)));
//! assert!(kernels::steps(&case, &caps, rungs).iter().any(|step| step.part == Part::DW));
//! assert_eq!(kernels::rung(rungs, Part::DX), "naive");
//! # Ok::<(), frostline::error::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use serde::Serialize;

use crate::error::{Error, Result, unknown};
use crate::gpu::{Caps, Edit, Kernel, Piece};
use crate::ops::cases::{self, Case};
use crate::ops::{Part, Precision, Rungs, Step};
use crate::optim::{self, clip, trial};

/// One file of `shaders/` or `shaders/pieces/`.
#[derive(Clone, Debug, Serialize)]
pub struct File {
    /// Its stem, such as `conv2d_subgroup`.
    pub name: &'static str,
    /// A shared piece, which stands in front of kernels.
    pub piece: bool,
    #[serde(skip)]
    pub source: &'static str,
    /// Entry points that some step calls.
    pub entries: Vec<&'static str>,
    /// `conv2d subgroup` and the parts that it computes there; rules and clipping have the part `update`.
    pub users: BTreeMap<String, BTreeSet<&'static str>>,
    /// Kernels that are compiled from it: entry points with their constants and pieces.
    #[serde(skip)]
    pub kernels: Vec<Kernel>,
}

/// Every file that some case or rule lowers to on an adapter with these abilities, by name.
///
/// ```
/// use frostline::{gpu::Caps, study::kernels};
/// let files = kernels::catalogue(&Caps::default());
/// assert!(files.iter().any(|file| file.name == "conv2d" && file.entries.contains(&"forward")));
/// ```
pub fn catalogue(caps: &Caps) -> Vec<File> {
    let mut files: BTreeMap<&'static str, File> = BTreeMap::new();
    let mut note = |kernel: &Kernel, user: String, use_for: Part| {
        let own = Piece { name: kernel.file, source: kernel.source };
        for (part, piece) in std::iter::once((own, false)).chain(kernel.pieces.iter().map(|p| (*p, true))) {
            let file = files.entry(part.name).or_insert_with(|| File {
                name: part.name,
                piece,
                source: part.source,
                entries: Vec::new(),
                users: BTreeMap::new(),
                kernels: Vec::new(),
            });
            push_new(&mut file.entries, kernel.entry);
            file.users.entry(user.clone()).or_default().insert(use_for.name());
            push_new(&mut file.kernels, kernel.clone());
        }
    };
    let precisions = if caps.f16 { vec![Precision::F32, Precision::F16] } else { vec![Precision::F32] };
    let at = |precision| cases::all().into_iter().map(move |case: Case| case.at(precision));
    for case in precisions.into_iter().flat_map(at) {
        for (_, rungs) in crate::ops::trial::ladder(&case, caps) {
            for step in steps(&case, caps, rungs) {
                let rung = rung(rungs, step.part);
                note(&step.kernel, format!("{} {rung}", case.op.kind()), step.part);
            }
        }
    }
    let shapes = trial::shapes();
    for rule in optim::cases() {
        let steps = shapes.iter().flat_map(|&shape| optim::update(rule.as_ref(), shape, caps).steps);
        steps.for_each(|step| note(&step.kernel, step.kernel.file.to_owned(), Part::Update));
    }
    let clip = clip::by_norm(1.0, &shapes, caps).steps;
    clip.iter().for_each(|step| note(&step.kernel, "clip".to_owned(), Part::Update));
    files.into_values().collect()
}

fn push_new<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

/// Forward and backward steps of a case on given rungs.
pub fn steps(case: &Case, caps: &Caps, rungs: Rungs) -> Vec<Step> {
    let site = case.site(caps, rungs);
    let mut steps = case.op.forward(&site).steps;
    steps.extend(case.op.backward(&site, &case.wants()).steps);
    steps
}

/// The rung that computes a part.
pub fn rung(rungs: Rungs, part: Part) -> &'static str {
    match part {
        Part::Forward | Part::Update => rungs.forward.name(),
        Part::DX => rungs.d_x.name(),
        Part::DW => rungs.d_w.name(),
    }
}

/// Whether a case on these rungs runs a kernel that `edit` replaces.
pub fn runs(case: &Case, caps: &Caps, rungs: Rungs, edit: &Edit) -> bool {
    steps(case, caps, rungs).iter().any(|step| edit.touches(&step.kernel))
}

/// The file called `name`.
///
/// # Errors
/// There is none on an adapter like this; the message suggests the nearest.
pub fn find<'a>(files: &'a [File], name: &str) -> Result<&'a File> {
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    files.iter().find(|file| file.name == name).ok_or_else(|| unknown("kernel", name, &names))
}

/// A kernel's module as words of SPIR-V, by naga: what a Vulkan driver gets.
///
/// # Errors
/// The module is not valid WGSL; the message is naga's.
pub fn spirv(kernel: &Kernel) -> Result<Vec<u32>> {
    use naga::back::spv;
    let refuse = |what: String| Error::Device(format!("kernel {kernel} does not compile: {what}"));
    let (module, info) = compile(&kernel.wgsl(0, true), "wgsl").map_err(refuse)?;
    let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
    let entry = spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: kernel.entry.to_owned(),
    };
    spv::write_vec(&module, &info, &options, Some(&entry)).map_err(|e| refuse(e.to_string()))
}

/// The module of `text`, which is read from `path`; or naga's message.
pub(super) fn compile(text: &str, path: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(text);
    let module = module.map_err(|e| e.emit_to_string_with_path(text, path))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module);
    let info = info.map_err(|e| e.emit_to_string_with_path(text, path))?;
    Ok((module, info))
}
