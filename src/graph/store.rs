//! What programs share on the device, by name: parameters and optimizer state, which outlive them, and the results of
//! prologues, which live as long as a program that uses them; and the choice of their kernels.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Device, Form};
use crate::graph::choices::Choices;
use crate::graph::settings::Settings;
use crate::ops::Precision;

/// Named device tensors. Programs for training, evaluation and prediction over one store see the same weights, and run
/// on the same choice of kernels.
///
/// ```no_run
/// use std::sync::Arc;
/// use frostline::gpu::{Device, adapter::Choice};
/// let mut store = frostline::graph::Store::new(Arc::new(Device::open(&Choice::Best)?));
/// store.write("dense/bias", &[0.0, 0.5])?;
/// assert_eq!(store.read("dense/bias")?, [0.0, 0.5]);
/// # Ok::<(), frostline::error::Error>(())
/// ```
pub struct Store {
    device: Arc<Device>,
    /// Rungs for programs over this store, instead of the ops' defaults: what tuning found, or a receipt says.
    pub choices: Choices,
    /// How their activations are stored.
    pub precision: Precision,
    buffers: HashMap<String, Arc<Buffer>>,
    constants: HashMap<String, Weak<Buffer>>,
}

impl Store {
    pub fn new(device: Arc<Device>) -> Store {
        let (buffers, constants) = Default::default();
        Store { device, choices: Choices::default(), precision: Precision::default(), buffers, constants }
    }

    /// `settings` on the kernels and in the precision of this store.
    pub fn settings(&self, settings: Settings) -> Settings {
        Settings { choices: self.choices.clone(), precision: self.precision, ..settings }
    }

    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// The tensor `name`, made zeroed with `bytes` where it is missing; `true` if it was made just now.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn get_or_make(&mut self, name: &str, bytes: u64, form: Form) -> Result<(Arc<Buffer>, bool)> {
        if let Some(buffer) = self.buffers.get(name) {
            return Ok((buffer.clone(), false));
        }
        let buffer = Arc::new(self.device.memory(name, bytes, form)?);
        self.buffers.insert(name.to_owned(), buffer.clone());
        Ok((buffer, true))
    }

    /// The result `name` of a prologue, made zeroed where no program holds it; `true` if it was made just now.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn share(&mut self, name: &str, bytes: u64, form: Form) -> Result<(Arc<Buffer>, bool)> {
        if let Some(buffer) = self.constants.get(name).and_then(Weak::upgrade) {
            return Ok((buffer, false));
        }
        let buffer = Arc::new(self.device.memory(name, bytes, form)?);
        self.constants.insert(name.to_owned(), Arc::downgrade(&buffer));
        Ok((buffer, true))
    }

    /// Whether a parameter, a state or a living result of a prologue has this name.
    pub fn contains(&self, name: &str) -> bool {
        let lives = |constant: &Weak<Buffer>| constant.strong_count() > 0;
        self.buffers.contains_key(name) || self.constants.get(name).is_some_and(lives)
    }

    /// Writes a whole f32 tensor, making it where it is missing.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn write(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let (buffer, _) = self.get_or_make(name, values.len() as u64 * 4, Form::Words)?;
        self.device.upload(&buffer, 0, bytemuck::cast_slice(values));
        Ok(())
    }

    /// Reads a whole f32 tensor.
    ///
    /// # Errors
    /// No tensor has this name, or the device is lost.
    pub fn read(&self, name: &str) -> Result<Vec<f32>> {
        let missing = || Error::Usage(format!("no tensor '{name}' on the device"));
        let buffer = self.buffers.get(name).ok_or_else(missing)?;
        let mut values = vec![0f32; (buffer.bytes() / 4) as usize];
        self.device.download_into(buffer, 0, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }

    /// Forgets the tensors whose name `drop` picks; their memory is freed with the last program that uses them.
    pub fn forget(&mut self, drop: impl Fn(&str) -> bool) {
        self.buffers.retain(|name, _| !drop(name));
    }
}

/// The name whose state is what loss scaling keeps.
pub const LOSS_SCALE: &str = "loss_scale";

/// The name under which the i-th optimizer state of `param` is kept.
pub fn state_name(param: &str, i: usize) -> String {
    format!("{param}:state{i}")
}

/// Whether [`state_name`] made this name.
pub fn is_state(name: &str) -> bool {
    name.contains(":state")
}
