//! Both clocks tell of every launch, in order, also where only one of them is used. No test asserts a time.

mod support;

use frostline::gpu::timer::Clock;
use frostline::ops::conv2d::Conv2d;
use frostline::ops::{Case, Part, Rung, Rungs};
use frostline::study::bound::{Bound, lower};
use support::device;

#[test]
fn every_launch_is_told_in_order_by_either_clock() {
    let case = Case::new(Conv2d::vgg(32), &[&[2, 24, 24, 16]]);
    let once = lower(device(), &case, Rungs::all(Rung::Naive), Part::Forward).unwrap();
    let mut three = once.clone();
    three.steps = vec![once.steps[0].clone(); 3];
    let launches = Bound::of(device(), &case).unwrap().prepare(&three).unwrap();
    device().wait().unwrap();
    let clocks = [Some(Clock::Host), device().caps().timestamps.then_some(Clock::Device)];
    for clock in clocks.into_iter().flatten() {
        let spans = device().time_each_by(clock, &launches).unwrap();
        println!("{clock:?}: {spans:?}");
        assert_eq!(spans.len(), 3, "{clock:?}");
        assert!(spans.iter().all(|span| span.seconds >= 0.0), "{clock:?}: {spans:?}");
        let in_order = |pair: &[_]| {
            let [a, b]: &[frostline::gpu::timer::Span; 2] = pair.try_into().unwrap();
            a.start + a.seconds <= b.start + 1e-9
        };
        assert!(spans.windows(2).all(in_order), "{clock:?}: {spans:?}");
    }
}
