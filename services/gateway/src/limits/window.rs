//! The arithmetic of sliding windows.

use std::mem;

use super::{Limit, Verdict};

pub(super) const MINUTE_MS: u64 = 60_000;
pub(super) const HOUR_MS: u64 = 3_600_000;

/// What is counted of one client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Windows {
    pub(super) minute: Window,
    pub(super) hour: Window,
}

/// A count that slides: the previous period weighs as much as is left of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) period: u32,
    pub(super) current: u32,
    pub(super) previous: u32,
}

impl Windows {
    /// Counts a request at `now`, in milliseconds, unless it is refused.
    pub(super) fn count(&mut self, limit: Limit, now: u64) -> Verdict {
        let verdict = self.look(limit, now);
        if verdict.allowed {
            self.minute.current += 1;
            self.hour.current += 1;
        }
        verdict
    }

    /// What the windows say to one more request.
    pub(super) fn look(&mut self, limit: Limit, now: u64) -> Verdict {
        let minute = self.minute.look(limit.minute, MINUTE_MS, now);
        let hour = self.hour.look(limit.hour, HOUR_MS, now);
        match (minute.allowed, hour.allowed) {
            (false, true) => minute,
            (true, true) if minute.remaining <= hour.remaining => minute,
            _ => hour,
        }
    }
}

impl Window {
    /// A window that was last looked at at `now`.
    pub(super) fn at(now: u64, length: u64, current: u32, previous: u32) -> Self {
        Self {
            period: period(now, length),
            current,
            previous,
        }
    }

    fn look(&mut self, limit: u32, length: u64, now: u64) -> Verdict {
        self.slide(period(now, length));
        let left_ms = length - now % length;
        let carried = (u64::from(self.previous) * left_ms).div_ceil(length);
        let used = u64::from(self.current) + carried;
        let allowed = used < u64::from(limit);
        let reset_ms = if allowed {
            left_ms
        } else {
            self.wait_ms(limit, length, left_ms)
        };
        let remaining = u64::from(limit).saturating_sub(used + 1);
        Verdict {
            allowed,
            limit,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            reset_seconds: u32::try_from(reset_ms.div_ceil(1000)).unwrap_or(u32::MAX),
        }
    }

    fn slide(&mut self, period: u32) {
        match period.saturating_sub(self.period) {
            0 => {}
            1 => {
                self.previous = mem::take(&mut self.current);
                self.period = period;
            }
            _ => {
                *self = Self {
                    period,
                    ..Self::default()
                }
            }
        }
    }

    /// Time until one request fits again, when none does now.
    fn wait_ms(&self, limit: u32, length: u64, left_ms: u64) -> u64 {
        let (limit, current) = (u64::from(limit), u64::from(self.current));
        if current < limit {
            // Enough of the previous period has to slide out.
            let room = limit - current - 1;
            left_ms.saturating_sub(room * length / u64::from(self.previous.max(1)))
        } else {
            // The current period becomes the previous one, and enough of it has to slide out.
            let room = limit.saturating_sub(1);
            left_ms + length - (room * length / current.max(1)).min(length)
        }
    }
}

fn period(now: u64, length: u64) -> u32 {
    u32::try_from(now / length).unwrap_or(u32::MAX)
}
