//! The profile as a Chrome trace: open it in Perfetto or chrome://tracing.
//!
//! Source: "Trace Event Format", the Chromium project; complete events, in microseconds.

use serde_json::{Value, json};

use super::{Dispatch, PARTS, Profile};

impl Profile {
    /// Every dispatch of the watched steps, one lane for each part.
    pub fn chrome_trace(&self) -> Value {
        let lane = |part: crate::ops::Part| {
            json!({
                "name": "thread_name", "ph": "M", "pid": 1, "tid": part as usize,
                "args": { "name": part.name() },
            })
        };
        let events: Vec<Value> =
            PARTS.into_iter().map(lane).chain(self.dispatches.iter().map(event)).collect();
        json!({ "traceEvents": events, "displayTimeUnit": "ms" })
    }
}

fn event(dispatch: &Dispatch) -> Value {
    json!({
        "name": format!("{} {}", dispatch.layer, dispatch.part.name()),
        "cat": dispatch.part.name(),
        "ph": "X",
        "ts": dispatch.start * 1e6,
        "dur": dispatch.seconds * 1e6,
        "pid": 1,
        "tid": dispatch.part as usize,
        "args": { "kernel": dispatch.kernel },
    })
}
