//! Counting in Redis, by all gateways together.

use common::redis::{Redis, Script};

use super::{
    Limit, Subject, Verdict,
    window::{HOUR_MS, MINUTE_MS, Window, Windows},
};

/// Counts requests of clients that may reach any of several gateways.
#[derive(Debug)]
pub(super) struct Shared {
    redis: Redis,
    script: Script,
}

impl Shared {
    /// Counts in `redis`.
    pub(super) fn new(redis: Redis) -> Self {
        Self {
            redis,
            script: Script::new(include_str!("count.lua")),
        }
    }

    /// The Redis it counts in.
    pub(super) fn redis(&self) -> &Redis {
        &self.redis
    }

    /// Counts a request of `subject`, unless it is refused; nothing when Redis does not answer.
    pub(super) async fn count(&self, subject: Subject, limit: Limit) -> Option<Verdict> {
        let Subject { rule, who } = subject;
        let key = format!("gateway:limit:{rule:016x}:{who:032x}");
        let allowed = vec![limit.minute.into(), limit.hour.into()];
        let counts = self.redis.run(&self.script, key, allowed).await.ok()?;
        let mut counts = counts.into_iter();
        let now = u64::try_from(counts.next()?).ok()?;
        let mut window = |length| {
            let [current, previous] = [counts.next()?, counts.next()?]
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            Some(Window::at(now, length, current, previous))
        };
        let mut windows = Windows {
            minute: window(MINUTE_MS)?,
            hour: window(HOUR_MS)?,
        };
        Some(windows.look(limit, now))
    }
}
