//! How many requests a client may make: sliding windows of a minute and an hour, counted in this
//! process or, when there is a Redis, by all gateways together.

use std::net::IpAddr;

use common::redis::Redis;
use sha2::{Digest, Sha256};

use self::{local::Local, shared::Shared};
use crate::refusal::Refusal;

mod local;
mod shared;
mod window;

/// Requests counted in this process because Redis was not there.
const COUNTED_ALONE: &str = "gateway_limits_counted_alone_total";

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

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Limits {
    local: Local,
    shared: Option<Shared>,
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

    /// Anybody else who has a name, under `rule`.
    pub(crate) fn named(rule: u64, name: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        let (half, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self {
            rule,
            who: u128::from_be_bytes(*half),
        }
    }
}

/// The number under which requests are counted; the same for the same name, in every gateway.
pub(crate) fn rule(name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let (start, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*start)
}

impl Limits {
    /// No requests seen yet; counted together with whoever shares `redis`.
    pub(crate) fn new(redis: Option<Redis>) -> Self {
        Self {
            local: Local::new(),
            shared: redis.map(Shared::new),
        }
    }

    /// Counts a request of `subject`, unless it is refused. Without Redis each gateway counts on
    /// its own: a client gets more, never less.
    pub(crate) async fn count(&self, subject: Subject, limit: Limit) -> Verdict {
        if let Some(shared) = &self.shared {
            // Boxed, so that a request holds no room for it where it is not asked.
            if let Some(verdict) = Box::pin(shared.count(subject, limit)).await {
                return verdict;
            }
            metrics::counter!(COUNTED_ALONE).increment(1);
        }
        self.local.count(subject, limit)
    }

    /// Whether limits that should be shared are not.
    pub(crate) fn are_degraded(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| !shared.redis().is_used())
    }

    /// The Redis that counts, if one does.
    pub(crate) fn redis(&self) -> Option<&Redis> {
        self.shared.as_ref().map(Shared::redis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_multiplies_limits_and_never_closes_a_route() {
        let doubled = Limit {
            minute: 120,
            hour: 10_000,
        };
        assert_eq!(Limit::new(60, 5000, 2.0), doubled);
        assert_eq!(Limit::new(60, 5000, 0.0), Limit { minute: 1, hour: 1 });
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let [a, b, c] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
            .map(|text| Subject::address(1, text.parse().unwrap()));
        assert_eq!(a, b);
        assert_ne!(a, c);
        let mapped = Subject::address(1, "::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(mapped, Subject::address(1, [192, 0, 2, 1].into()));
    }
}
