//! Counting in this process, in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Limit, Subject, Verdict,
    window::{HOUR_MS, Windows},
};

const SHARDS: usize = 16;

/// Entries of one generation of one shard; two generations are kept.
const GENERATION: usize = 4096;

/// Counts requests. Forgets who was seen longest ago when there are too many clients.
#[derive(Debug)]
pub(super) struct Local {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    started: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Subject, Windows>,
    old: HashMap<Subject, Windows>,
}

impl Local {
    /// No requests seen yet.
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            started: Instant::now(),
        }
    }

    /// Counts a request of `subject`, unless it is refused.
    pub(super) fn count(&self, subject: Subject, limit: Limit) -> Verdict {
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

#[cfg(test)]
mod tests;
