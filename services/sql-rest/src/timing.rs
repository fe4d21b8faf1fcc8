//! Where the time of a request went, for `Server-Timing`.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use http::HeaderValue;

/// Measures one phase after the other.
#[derive(Debug)]
pub(crate) struct Timing {
    phase: &'static str,
    since: Instant,
    ended: Vec<(&'static str, Duration)>,
}

impl Timing {
    /// Begins the first phase.
    pub(crate) fn start(phase: &'static str) -> Self {
        Self {
            phase,
            since: Instant::now(),
            ended: Vec::with_capacity(5),
        }
    }

    /// Ends the phase that runs and begins the next.
    pub(crate) fn enter(&mut self, phase: &'static str) {
        let now = Instant::now();
        self.ended.push((self.phase, now - self.since));
        self.phase = phase;
        self.since = now;
    }

    /// The phases up to the one that runs, in milliseconds, as the header wants them.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut text = String::new();
        let running = (self.phase, self.since.elapsed());
        for (phase, duration) in self.ended.iter().chain([&running]) {
            let separator = if text.is_empty() { "" } else { ", " };
            let milliseconds = duration.as_secs_f64() * 1000.0;
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}{phase};dur={milliseconds:.1}");
        }
        HeaderValue::try_from(text).ok()
    }
}
