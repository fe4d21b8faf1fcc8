//! Where the time of a request went, for `Server-Timing`.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use http::HeaderValue;

/// Measures one phase after the other.
#[derive(Debug)]
pub(crate) struct Timing {
    last: Instant,
    phases: Vec<(&'static str, Duration)>,
}

impl Timing {
    /// Starts with the first phase.
    pub(crate) fn start() -> Self {
        Self {
            last: Instant::now(),
            phases: Vec::new(),
        }
    }

    /// Ends the phase that runs and begins the next.
    pub(crate) fn ended(&mut self, phase: &'static str) {
        let now = Instant::now();
        self.phases.push((phase, now - self.last));
        self.last = now;
    }

    /// The phases in milliseconds, as the header wants them.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut text = String::new();
        for (phase, duration) in &self.phases {
            let separator = if text.is_empty() { "" } else { ", " };
            let milliseconds = duration.as_secs_f64() * 1000.0;
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}{phase};dur={milliseconds:.1}");
        }
        HeaderValue::try_from(text).ok()
    }
}
