//! A watch over a program: every dispatch timed alone, for profiles.

use std::cell::RefCell;
use std::time::Instant;

use crate::error::Result;
use crate::gpu::timer::Span;
use crate::gpu::{Device, Launch};
use crate::graph::draft::PlannedStep;
use crate::graph::role::Owner;
use crate::ops::Part;

/// One dispatch of a program, timed alone.
#[derive(Clone, Debug)]
pub struct Timed {
    pub owner: Owner,
    pub part: Part,
    /// The kernel with its constants.
    pub kernel: String,
    /// When it ran, in seconds since the watch began.
    pub span: Span,
}

/// What [`crate::graph::Program::watch`] starts.
pub(super) struct Watch {
    begun: Instant,
    timed: RefCell<Vec<Timed>>,
}

impl Watch {
    pub fn begin() -> Watch {
        Watch { begun: Instant::now(), timed: RefCell::default() }
    }

    /// Runs the launches of `steps` one by one.
    pub fn run(&self, device: &Device, steps: &[PlannedStep], launches: &[Launch]) -> Result<()> {
        device.wait()?;
        let start = self.begun.elapsed().as_secs_f64();
        let spans = device.time_each(launches)?;
        let timed = steps.iter().zip(spans).map(|(planned, span)| Timed {
            owner: planned.owner,
            part: planned.step.part,
            kernel: planned.step.kernel.to_string(),
            span: Span { start: start + span.start, ..span },
        });
        self.timed.borrow_mut().extend(timed);
        Ok(())
    }

    pub fn take(&self) -> Vec<Timed> {
        self.timed.take()
    }
}
