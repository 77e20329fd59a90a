//! What goes wrong on a device outside of any call: kept until the next call that can report it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first thing that went wrong outside of any call.
#[derive(Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Cause>>>);

#[derive(Clone)]
pub(super) enum Cause {
    /// The device is gone: a new one may serve.
    Lost(String),
    /// The driver refused something.
    Refused(String),
}

impl Failure {
    /// Collects what the driver reports outside of any call, instead of wgpu's default panic.
    pub(super) fn watch(device: &wgpu::Device) -> Failure {
        let failure = Failure::default();
        let (on_error, on_loss) = (failure.clone(), failure.clone());
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            on_error.record(Cause::Refused(error.to_string()));
        }));
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                on_loss.record(Cause::Lost(message));
            }
        });
        failure
    }

    /// Keeps the first; but a loss explains whatever was refused before it was reported.
    pub(super) fn record(&self, cause: Cause) {
        let mut first = self.first();
        if matches!((&*first, &cause), (None, _) | (Some(Cause::Refused(_)), Cause::Lost(_))) {
            *first = Some(cause);
        }
    }

    pub(super) fn first(&self) -> MutexGuard<'_, Option<Cause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
