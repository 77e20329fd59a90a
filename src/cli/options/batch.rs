//! `--batch`: a number of images, or as many as fit.

use std::str::FromStr;

use crate::cli::shared::Shared;
use crate::error::{Result, bytes};
use crate::gpu::Caps;
use crate::train::{Run, Size};

/// Images per step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    Images(usize),
    /// As many as fit in one pass, 32 at most.
    Auto,
}

/// Keras' own default: larger batches train no better.
const MOST_AUTO: usize = 32;

impl FromStr for Batch {
    type Err = String;

    fn from_str(text: &str) -> Result<Batch, String> {
        match text.parse() {
            Ok(images) if images > 0 => Ok(Batch::Images(images)),
            Err(_) if text == "auto" => Ok(Batch::Auto),
            _ => Err("give a number of images such as 16, or auto for as many as fit".to_owned()),
        }
    }
}

impl Batch {
    /// The most images of a step.
    pub fn most(self) -> usize {
        match self {
            Batch::Images(images) => images,
            Batch::Auto => MOST_AUTO,
        }
    }

    /// Settles the batch of `run` within `memory` bytes: plans all of its stages before anything is allocated, and
    /// says what they take and what does not fit in one pass.
    ///
    /// # Errors
    /// Not even one image fits, with the cure.
    pub fn settle(self, run: &mut Run, caps: &Caps, memory: u64, shared: &Shared) -> Result<()> {
        let images = run.data.train.max(1);
        let mut size = Size::of(&Run { batch: self.most().min(images), ..run.clone() }, caps, memory)?;
        run.batch = match self {
            Batch::Images(asked) => asked,
            Batch::Auto => size.one_pass,
        };
        if self == Batch::Auto {
            size = Size::of(run, caps, memory)?;
            shared.say(format_args!("batch     {} images, as --batch auto chose", run.batch));
        } else if size.one_pass < run.batch.min(images) {
            shared.say(format_args!(
                "batch     {} images in parts whose gradients add up: at most {} fit in one pass",
                run.batch, size.one_pass
            ));
        }
        let features = match size.features {
            0 => String::new(),
            count => format!(" and {} for results of the frozen part", bytes(count)),
        };
        let device = bytes(size.device);
        shared.say(format_args!("memory    {device} planned{features}, of {}", bytes(memory)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_auto() {
        assert_eq!(("16".parse(), "auto".parse()), (Ok(Batch::Images(16)), Ok(Batch::Auto)));
        for wrong in ["0", "-1", "many", ""] {
            assert!(wrong.parse::<Batch>().unwrap_err().contains("or auto"), "{wrong}");
        }
    }
}
