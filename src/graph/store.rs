//! What outlives a program on the device: parameters, optimizer state, and results of prologues, shared by name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::{Buffer, Device, Form};

/// Named device tensors. Programs for training, evaluation and prediction over one store see the same weights.
pub struct Store {
    device: Arc<Device>,
    buffers: HashMap<String, Arc<Buffer>>,
}

impl Store {
    pub fn new(device: Arc<Device>) -> Store {
        Store { device, buffers: HashMap::new() }
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

    pub fn contains(&self, name: &str) -> bool {
        self.buffers.contains_key(name)
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
        let bytes = self.device.download(buffer, 0, buffer.bytes())?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Forgets the tensors whose name `drop` picks; their memory is freed with the last program that uses them.
    pub fn forget(&mut self, drop: impl Fn(&str) -> bool) {
        self.buffers.retain(|name, _| !drop(name));
    }
}

/// The name under which the i-th optimizer state of `param` is kept.
pub fn state_name(param: &str, i: usize) -> String {
    format!("{param}:state{i}")
}
