//! Choosing an adapter: a real GPU first, then a software driver, saying so; or the one asked for.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::gpu::advice;
use crate::gpu::caps::{Caps, Class};

/// Which adapter to open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// A discrete GPU, else an integrated one, else any other, else a software driver.
    #[default]
    Best,
    /// The software driver, even beside a GPU.
    Cpu,
    /// Position in the list that `frostline doctor` prints.
    Index(usize),
    /// Part of the adapter's name, any case.
    Name(String),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Choice, Self::Err> {
        Ok(match (text, text.parse()) {
            ("" | "auto" | "best", _) => Choice::Best,
            ("cpu", _) => Choice::Cpu,
            (_, Ok(index)) => Choice::Index(index),
            _ => Choice::Name(text.to_owned()),
        })
    }
}

/// An adapter as people see it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Info {
    pub name: String,
    pub driver: String,
    pub backend: String,
    pub caps: Caps,
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.backend, self.driver)
    }
}

pub(super) struct Candidate {
    pub adapter: wgpu::Adapter,
    pub info: Info,
}

pub(super) fn candidates() -> Vec<Candidate> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // The default flags keep validation of indirect calls even in release builds; nothing here is indirect.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.into_iter().map(Candidate::new).collect()
}

impl Candidate {
    fn new(adapter: wgpu::Adapter) -> Candidate {
        let raw = adapter.get_info();
        let info = Info {
            name: raw.name,
            driver: format!("{} {}", raw.driver, raw.driver_info).trim().to_owned(),
            backend: raw.backend.to_string(),
            caps: Caps::of(&adapter),
        };
        Candidate { adapter, info }
    }
}

/// All adapters of this machine, in the driver's order.
pub fn list() -> Vec<Info> {
    candidates().into_iter().map(|c| c.info).collect()
}

/// Index of the chosen adapter and the reason in words.
///
/// # Errors
/// No adapter at all, or none that fits; the message says how to get one on this system.
pub fn choose(adapters: &[Info], choice: &Choice) -> Result<(usize, String)> {
    if adapters.is_empty() {
        return Err(Error::Adapter {
            problem: "no graphics adapter found".to_owned(),
            advice: advice::for_this_system(),
        });
    }
    match choice {
        Choice::Best => Ok(best(adapters)),
        Choice::Cpu => adapters
            .iter()
            .position(|a| a.caps.class == Class::Cpu)
            .map(|i| (i, "the software driver, as asked".to_owned()))
            .ok_or_else(|| misfit("no software driver among the adapters", adapters)),
        Choice::Index(i) if *i < adapters.len() => Ok((*i, format!("number {i}, as asked"))),
        Choice::Index(i) => Err(misfit(&format!("no adapter number {i}"), adapters)),
        Choice::Name(name) => adapters
            .iter()
            .position(|a| a.name.to_lowercase().contains(&name.to_lowercase()))
            .map(|i| (i, format!("its name contains '{name}', as asked")))
            .ok_or_else(|| misfit(&format!("no adapter's name contains '{name}'"), adapters)),
    }
}

fn best(adapters: &[Info]) -> (usize, String) {
    let rank = |class| match class {
        Class::Discrete => (0, "the first discrete GPU"),
        Class::Integrated => (1, "an integrated GPU, and no discrete one is here"),
        Class::Other => (2, "neither a discrete nor an integrated GPU is here"),
        Class::Cpu => (3, "a software driver, because no GPU is here"),
    };
    let (index, info) =
        adapters.iter().enumerate().min_by_key(|(_, a)| rank(a.caps.class).0).expect("the list is not empty");
    (index, rank(info.caps.class).1.to_owned())
}

fn misfit(problem: &str, adapters: &[Info]) -> Error {
    let known: Vec<String> = adapters.iter().enumerate().map(|(i, a)| format!("{i}: {}", a.name)).collect();
    Error::Adapter {
        problem: problem.to_owned(),
        advice: format!("choose one of {} with --adapter NAME, INDEX or cpu", known.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, class: Class) -> Info {
        let caps = Caps { class, ..Caps::default() };
        Info { name: name.into(), driver: "d".into(), backend: "vulkan".into(), caps }
    }

    #[test]
    fn a_gpu_comes_before_a_software_driver() {
        let all = [adapter("llvmpipe", Class::Cpu), adapter("H200", Class::Discrete)];
        assert_eq!(choose(&all, &Choice::Best).unwrap().0, 1);
        assert_eq!(choose(&all, &Choice::Cpu).unwrap().0, 0);
        assert_eq!(choose(&all, &"LLVM".parse().unwrap()).unwrap().0, 0);
        assert_eq!(choose(&all, &"1".parse().unwrap()).unwrap().0, 1);
    }

    #[test]
    fn a_wrong_choice_names_what_is_there() {
        let all = [adapter("llvmpipe", Class::Cpu)];
        let message = choose(&all, &Choice::Index(3)).unwrap_err().to_string();
        assert!(message.contains("no adapter number 3") && message.contains("0: llvmpipe"), "{message}");
        assert!(choose(&[], &Choice::Best).unwrap_err().to_string().contains("frostline doctor"));
    }
}
