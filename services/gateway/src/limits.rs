//! How many requests a client may make: sliding windows of a minute and an hour, in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState},
    mem,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::refusal::Refusal;

const SHARDS: usize = 16;

/// Entries of one generation of one shard; two generations are kept.
const GENERATION: usize = 4096;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// Requests allowed per minute and per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Requests in any minute.
    pub(crate) minute: u32,
    /// Requests in any hour.
    pub(crate) hour: u32,
}

/// Whose requests are counted, and against which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    rule: u64,
    who: u128,
}

/// The outcome for one request, by the window that is closest to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the request may go on.
    pub(crate) allowed: bool,
    /// Requests the window allows.
    pub(crate) limit: u32,
    /// Requests left in it.
    pub(crate) remaining: u32,
    /// Seconds until the window is over, or until a refused request may be repeated.
    pub(crate) reset_seconds: u32,
}

/// Counts requests. Forgets who was seen longest ago when there are too many clients.
#[derive(Debug)]
pub(crate) struct Limits {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    started: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Subject, Windows>,
    old: HashMap<Subject, Windows>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Windows {
    minute: Window,
    hour: Window,
}

/// A count that slides: the previous period weighs as much as is left of it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    period: u32,
    current: u32,
    previous: u32,
}

impl Limit {
    /// A limit multiplied by `scale`; at least one request.
    pub(crate) fn new(minute: u32, hour: u32, scale: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the conversion saturates, which is what is wanted"
        )]
        let scaled = |count: u32| ((f64::from(count) * scale) as u32).max(1);
        Self {
            minute: scaled(minute),
            hour: scaled(hour),
        }
    }
}

impl Verdict {
    /// The refusal of a request that was not allowed.
    pub(crate) fn or_refuse(self) -> Result<(), Refusal> {
        if self.allowed {
            return Ok(());
        }
        Err(Refusal::RateLimited {
            retry_after: self.reset_seconds,
        })
    }
}

impl Subject {
    /// An address under `rule`. Addresses of one IPv6 network of 64 bits count as one client.
    pub(crate) fn address(rule: u64, address: IpAddr) -> Self {
        let who = match address.to_canonical() {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address) >> 64 | 1 << 127,
        };
        Self { rule, who }
    }
}

/// The number under which requests are counted; the same for the same name.
pub(crate) fn rule(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Limits {
    /// No requests seen yet.
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            started: Instant::now(),
        }
    }

    /// Counts a request of `subject`, unless it is refused.
    pub(crate) fn count(&self, subject: Subject, limit: Limit) -> Verdict {
        self.count_at(subject, limit, self.started.elapsed())
    }

    fn count_at(&self, subject: Subject, limit: Limit, now: Duration) -> Verdict {
        // The clock starts two periods in, so that an unused window is always in the past.
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX) + 2 * HOUR_MS;
        let index = usize::try_from(self.hasher.hash_one(subject)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(index) else {
            unreachable!("the index is below the number of shards");
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.windows(subject).count(limit, now)
    }
}

impl Shard {
    fn windows(&mut self, subject: Subject) -> &mut Windows {
        if self.young.len() >= GENERATION && !self.young.contains_key(&subject) {
            self.old = mem::take(&mut self.young);
        }
        let old = &mut self.old;
        self.young
            .entry(subject)
            .or_insert_with(|| old.remove(&subject).unwrap_or_default())
    }
}

impl Windows {
    fn count(&mut self, limit: Limit, now: u64) -> Verdict {
        let minute = self.minute.look(limit.minute, MINUTE_MS, now);
        let hour = self.hour.look(limit.hour, HOUR_MS, now);
        if minute.allowed && hour.allowed {
            self.minute.current += 1;
            self.hour.current += 1;
        }
        match (minute.allowed, hour.allowed) {
            (false, true) => minute,
            (true, true) if minute.remaining <= hour.remaining => minute,
            _ => hour,
        }
    }
}

impl Window {
    /// What the window says to one more request.
    fn look(&mut self, limit: u32, length: u64, now: u64) -> Verdict {
        let period = u32::try_from(now / length).unwrap_or(u32::MAX);
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

#[cfg(test)]
#[path = "limits/tests.rs"]
mod tests;
