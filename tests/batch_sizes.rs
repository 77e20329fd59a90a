//! A program runs a smaller last batch with the kernels and buffers of the whole one: no lowering may depend on the
//! batch size but in its words, its grids and the size of its scratch. No device.

use frostline::gpu::caps::{Caps, Class};
use frostline::ops::cases::{self, Case};
use frostline::ops::{Lowered, Part, Rung, Rungs, Wants};
use frostline::shape::Shape;

fn adapters() -> Vec<Caps> {
    let cpu = Caps { class: Class::Cpu, lanes: Some((8, 8)), workgroup_memory: 32 << 10, ..Caps::default() };
    vec![Caps::default(), cpu]
}

/// Forward and backward of a case with `n` samples, on the i-th rung of each part as `n` samples list them.
fn lowered(case: &Case, n: usize, caps: &Caps, i: usize) -> [Lowered; 2] {
    let resized = |shape: &Shape| Shape::new(&[&[n], &shape.dims()[1..]].concat());
    let case = Case { x: case.x.iter().map(resized).collect(), ..case.clone() };
    let rungs = Rungs::all(Rung::Naive);
    let mut site = case.site(caps, rungs);
    let rung = |part| {
        let able = case.op.rungs(part, &site);
        able[i.min(able.len() - 1)]
    };
    site.rungs = Rungs { forward: rung(Part::Forward), d_x: rung(Part::DX), d_w: rung(Part::DW) };
    let d_x = (0..case.x.len()).map(|x| case.op.differentiable(x)).collect();
    let wants = Wants { d_x, d_params: vec![true; case.op.params(&case.x).len()] };
    [case.op.forward(&site), case.op.backward(&site, &wants)]
}

/// Every case on every kind of adapter and every rung: `check` sees the lowerings of a batch of 80 and of a smaller one,
/// forward and backward, under words that say which.
fn beside_a_smaller_batch(check: impl Fn(&Lowered, &Lowered, &str)) {
    for (case, caps) in
        cases::all().iter().flat_map(|case| adapters().into_iter().map(move |caps| (case, caps)))
    {
        for rung in 0..4 {
            let whole = lowered(case, 80, &caps, rung);
            for n in [1, 16, 63, 64, 79] {
                let part = lowered(case, n, &caps, rung);
                let which = format!("{} at {n}", case.name());
                whole.iter().zip(&part).for_each(|(whole, part)| check(whole, part, &which));
            }
        }
    }
}

#[test]
fn every_batch_size_runs_the_same_kernels_over_the_same_tensors() {
    beside_a_smaller_batch(|whole, part, which| {
        assert_eq!(whole.steps.len(), part.steps.len(), "{which}");
        assert_eq!(whole.scratch.len(), part.scratch.len(), "{which}");
        for (a, b) in whole.steps.iter().zip(&part.steps) {
            assert_eq!(a.kernel, b.kernel, "{which}");
            assert_eq!(a.bindings, b.bindings, "{which}");
        }
    });
}

#[test]
fn scratch_never_grows_with_a_smaller_batch() {
    beside_a_smaller_batch(|whole, part, which| {
        for (a, b) in whole.scratch.iter().zip(&part.scratch) {
            assert!(b.bytes <= a.bytes, "{which}: {} > {}", b.bytes, a.bytes);
        }
    });
}
