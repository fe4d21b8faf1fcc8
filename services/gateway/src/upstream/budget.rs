//! How much more work than their clients' requests upstreams are given when something fails.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Further attempts each request pays for.
const PER_REQUEST: f64 = 0.2;

/// Further attempts each second pays for, so that few requests may all be repeated.
const PER_SECOND: f64 = 10.0;

/// Further attempts that can be saved up.
const MOST: f64 = 100.0;

/// A number of further attempts that grows with the requests. Without it, an upstream that fails
/// for being overloaded would get several times the load.
#[derive(Debug)]
pub(super) struct Budget(Mutex<Savings>);

#[derive(Debug)]
struct Savings {
    attempts: f64,
    requests: usize,
    looked_at: Instant,
}

impl Budget {
    /// Full.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Savings {
            attempts: MOST,
            requests: 0,
            looked_at: Instant::now(),
        }))
    }

    /// Takes one attempt out, if there is one; `requests` came in so far.
    pub(super) fn take(&self, requests: usize) -> bool {
        self.take_at(requests, Instant::now())
    }

    fn take_at(&self, requests: usize, now: Instant) -> bool {
        let mut savings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = u32::try_from(requests.saturating_sub(savings.requests)).unwrap_or(u32::MAX);
        let seconds = now.duration_since(savings.looked_at).as_secs_f64();
        let saved = f64::from(since) * PER_REQUEST + seconds * PER_SECOND;
        let attempts = (savings.attempts + saved).min(MOST);
        let is_enough = attempts >= 1.0;
        *savings = Savings {
            attempts: if is_enough { attempts - 1.0 } else { attempts },
            requests,
            looked_at: now,
        };
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many attempts are granted at once.
    fn granted(budget: &Budget, requests: usize, now: Instant) -> usize {
        (0..1000).filter(|_| budget.take_at(requests, now)).count()
    }

    #[test]
    fn attempts_are_paid_for_by_requests_and_by_time() {
        let budget = Budget::new();
        let start = Instant::now();
        assert_eq!(granted(&budget, 0, start), 100);
        assert_eq!(granted(&budget, 50, start), 10, "a fifth of the requests");
        let later = start + Duration::from_secs(2);
        assert_eq!(granted(&budget, 50, later), 20, "ten for each second");
    }

    #[test]
    fn not_more_is_saved_up_than_a_burst() {
        let budget = Budget::new();
        let later = Instant::now() + Duration::from_hours(1);
        assert_eq!(granted(&budget, 1_000_000, later), 100);
    }
}
