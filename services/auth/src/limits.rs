//! How often something may be tried: per client address, per account, and mails altogether.
//!
//! Token buckets in memory, on by default. The key of a client is the address its connection came
//! from or a proxy of ours names, never what the client says itself.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::{Duration, OffsetDateTime};

use crate::{
    config,
    error::{Error, Result, code},
};

/// Most buckets kept. Those that are full are forgotten first, then those that little was taken from:
/// whoever makes many buckets does not get rid of the one that holds them back.
const MAX_BUCKETS: usize = 100_000;

/// Most tokens of a bucket that refills faster than GoTrue's bursts.
const MAX_BURST: f64 = 30.0;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Accounts made.
    SignUp,
    /// Accounts made without saying anything.
    Anonymous,
    /// Codes asked for.
    Otp,
    /// Recoveries asked for.
    Recover,
    /// Mails asked for again.
    Resend,
    /// Changes of a user by themselves.
    UpdateUser,
    /// One-time tokens tried.
    Verify,
    /// Grants.
    Token,
    /// Second factors challenged and tried.
    Mfa,
    /// Single sign-ons begun.
    Sso,
    /// Assertions of identity providers brought.
    Assertion,
    /// Passkeys asked for and tried.
    Passkey,
    /// Sign-ins with a wallet.
    Web3,
    /// OAuth clients that register themselves.
    ClientRegistration,
    /// Authorizations that OAuth clients ask for.
    Authorization,
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Client(Limit, IpAddr),
    Account(Limit, String),
    /// Messages of a kind to one address or number.
    Interval(Limit, String),
    AllMails,
    AllTexts,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Tokens that are missing.
    taken: f64,
    filled_at: OffsetDateTime,
    /// From when on a new one would be the same.
    full_at: OffsetDateTime,
}

/// All buckets of this process.
#[derive(Debug)]
pub struct Limits {
    config: config::Limits,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl Limits {
    /// Limits as configured.
    pub fn new(config: config::Limits) -> Self {
        Self {
            config,
            buckets: Mutex::default(),
        }
    }

    /// Counts one attempt of a client; fails when there were too many.
    pub fn check(&self, limit: Limit, ip: Option<IpAddr>, now: OffsetDateTime) -> Result<()> {
        let Some(ip) = ip else { return Ok(()) };
        self.take(Key::Client(limit, network(ip)), self.rate(limit), now)
            .then_some(())
            .ok_or_else(too_many)
    }

    /// Counts one attempt on an account, from wherever; fails when there were too many.
    pub fn check_account(&self, limit: Limit, account: &str, now: OffsetDateTime) -> Result<()> {
        let key = Key::Account(limit, account.to_lowercase());
        self.take(key, self.config.account, now)
            .then_some(())
            .ok_or_else(too_many)
    }

    /// Notes that a message of a kind was asked for an address or number; fails with the time to
    /// wait when that was so less than `interval` ago.
    pub fn check_interval(
        &self,
        limit: Limit,
        address: &str,
        interval: Duration,
        now: OffsetDateTime,
    ) -> Result<(), Duration> {
        if interval <= Duration::ZERO {
            return Ok(());
        }
        let mut buckets = self.lock(now);
        let asked = Bucket {
            taken: 1.0,
            filled_at: now,
            full_at: now + interval,
        };
        let key = Key::Interval(limit, address.to_lowercase());
        match buckets.get_mut(&key) {
            Some(last) if now < last.full_at => Err(last.full_at - now),
            Some(last) => {
                *last = asked;
                Ok(())
            }
            None => {
                buckets.insert(key, asked);
                Ok(())
            }
        }
    }

    /// Counts one mail; fails when too many went out.
    pub fn check_mails(&self, now: OffsetDateTime) -> Result<()> {
        self.take(Key::AllMails, self.config.mail, now)
            .then_some(())
            .ok_or_else(too_many_mails)
    }

    /// Counts one text message; fails when too many went out.
    pub fn check_texts(&self, now: OffsetDateTime) -> Result<()> {
        self.take(Key::AllTexts, self.config.sms, now)
            .then_some(())
            .ok_or_else(too_many_texts)
    }

    /// Fails when no mail could go out now.
    pub fn expect_mails(&self, now: OffsetDateTime) -> Result<()> {
        self.has(Key::AllMails, self.config.mail, now)
            .then_some(())
            .ok_or_else(too_many_mails)
    }

    /// Fails when no text message could go out now.
    pub fn expect_texts(&self, now: OffsetDateTime) -> Result<()> {
        self.has(Key::AllTexts, self.config.sms, now)
            .then_some(())
            .ok_or_else(too_many_texts)
    }

    fn rate(&self, limit: Limit) -> config::Rate {
        match limit {
            Limit::SignUp | Limit::Otp | Limit::Recover | Limit::Resend | Limit::UpdateUser => {
                self.config.otp
            }
            Limit::Anonymous => self.config.anonymous,
            Limit::Verify => self.config.verify,
            Limit::Token => self.config.token,
            Limit::Mfa => self.config.mfa,
            Limit::Sso => self.config.sso,
            Limit::Assertion => self.config.assertion,
            Limit::Passkey => self.config.passkey,
            Limit::Web3 => self.config.web3,
            Limit::ClientRegistration => self.config.client_registration,
            Limit::Authorization => self.config.authorization,
        }
    }

    /// Takes a token, if there is one.
    fn take(&self, key: Key, rate: config::Rate, now: OffsetDateTime) -> bool {
        self.with_tokens(key, rate, now, |tokens| {
            let has = *tokens >= 1.0;
            if has {
                *tokens -= 1.0;
            }
            has
        })
    }

    /// Whether there is a token to be taken.
    fn has(&self, key: Key, rate: config::Rate, now: OffsetDateTime) -> bool {
        self.with_tokens(key, rate, now, |tokens| *tokens >= 1.0)
    }

    fn with_tokens(
        &self,
        key: Key,
        rate: config::Rate,
        now: OffsetDateTime,
        use_them: impl FnOnce(&mut f64) -> bool,
    ) -> bool {
        let scaled = rate.count * self.config.scale;
        let burst = scaled.min(MAX_BURST * self.config.scale);
        let per_second = scaled / rate.period.as_seconds_f64();
        let mut buckets = self.lock(now);
        let bucket = buckets.entry(key).or_insert(Bucket {
            taken: 0.0,
            filled_at: now,
            full_at: now,
        });
        let elapsed = (now - bucket.filled_at)
            .max(Duration::ZERO)
            .as_seconds_f64();
        let mut tokens = (burst - bucket.taken + elapsed * per_second).min(burst);
        let answer = use_them(&mut tokens);
        bucket.taken = burst - tokens;
        bucket.filled_at = now;
        let missing = Duration::checked_seconds_f64(bucket.taken / per_second);
        bucket.full_at = now + missing.map_or(rate.period, |missing| missing.min(rate.period));
        answer
    }

    /// The buckets, with room for one more.
    fn lock(&self, now: OffsetDateTime) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            forget(&mut buckets, now);
        }
        buckets
    }
}

/// Makes room for many, so that it happens rarely.
fn forget(buckets: &mut HashMap<Key, Bucket>, now: OffsetDateTime) {
    buckets.retain(|_, bucket| bucket.full_at > now);
    if buckets.len() < MAX_BUCKETS {
        return;
    }
    let mut taken: Vec<_> = buckets.values().map(|bucket| bucket.taken).collect();
    let half = taken.len() / 2;
    let (_, &mut median, _) = taken.select_nth_unstable_by(half, f64::total_cmp);
    buckets.retain(|_, bucket| bucket.taken > median);
}

/// An IPv6 client commands at least a /64.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

fn too_many_mails() -> Error {
    let message = "email rate limit exceeded";
    Error::too_many(code::OVER_EMAIL_SEND_RATE_LIMIT, message)
}

fn too_many_texts() -> Error {
    let message = "SMS rate limit exceeded";
    Error::too_many(code::OVER_SMS_SEND_RATE_LIMIT, message)
}

fn too_many() -> Error {
    Error::too_many(code::OVER_REQUEST_RATE_LIMIT, "Request rate limit reached")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn limits() -> Limits {
        let rate = |count, period| config::Rate { count, period };
        Limits::new(config::Limits {
            scale: 1.0,
            otp: rate(3.0, Duration::minutes(5)),
            verify: rate(30.0, Duration::minutes(5)),
            token: rate(150.0, Duration::minutes(5)),
            anonymous: rate(30.0, Duration::HOUR),
            mfa: rate(15.0, Duration::MINUTE),
            sso: rate(30.0, Duration::minutes(5)),
            assertion: rate(15.0, Duration::minutes(5)),
            passkey: rate(30.0, Duration::minutes(5)),
            web3: rate(30.0, Duration::minutes(5)),
            client_registration: rate(10.0, Duration::minutes(5)),
            authorization: rate(150.0, Duration::minutes(5)),
            account: rate(2.0, Duration::MINUTE),
            mail: rate(1.0, Duration::HOUR),
            sms: rate(1.0, Duration::HOUR),
        })
    }

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let limits = limits();
        let check = |now| limits.check(Limit::Otp, ip("192.0.2.1"), now).is_ok();
        assert_eq!(
            [check(NOW), check(NOW), check(NOW), check(NOW)],
            [true, true, true, false]
        );
        assert!(check(NOW + Duration::seconds(101)));
        assert!(!check(NOW + Duration::seconds(102)));
    }

    #[test]
    fn clients_endpoints_and_accounts_have_buckets_of_their_own() {
        let limits = limits();
        for _ in 0..3 {
            limits.check(Limit::Otp, ip("192.0.2.1"), NOW).unwrap();
        }
        assert!(limits.check(Limit::Otp, ip("192.0.2.2"), NOW).is_ok());
        assert!(limits.check(Limit::Recover, ip("192.0.2.1"), NOW).is_ok());
        for expected in [true, true, false] {
            let taken = limits.check_account(Limit::Token, "Ada@example.com", NOW);
            assert_eq!(taken.is_ok(), expected);
        }
        assert!(
            limits
                .check_account(Limit::Token, "ada@example.com", NOW)
                .is_err()
        );
    }

    #[test]
    fn the_same_message_is_asked_for_once_in_an_interval() {
        let limits = limits();
        let ask = |limit, address, now| {
            let minute = Duration::MINUTE;
            limits.check_interval(limit, address, minute, now)
        };
        let ada = "ada@example.com";
        assert_eq!(ask(Limit::Recover, ada, NOW), Ok(()));
        let later = NOW + Duration::seconds(20);
        let wait = Err(Duration::seconds(40));
        assert_eq!(ask(Limit::Recover, "Ada@example.com", later), wait);
        assert_eq!(ask(Limit::Resend, ada, later), Ok(()));
        assert_eq!(ask(Limit::Recover, "grace@example.com", later), Ok(()));
        assert_eq!(ask(Limit::Recover, ada, NOW + Duration::MINUTE), Ok(()));
    }

    #[test]
    fn looking_whether_a_mail_may_go_out_counts_none() {
        let limits = limits();
        assert!(limits.expect_mails(NOW).is_ok() && limits.expect_mails(NOW).is_ok());
        assert!(limits.check_mails(NOW).is_ok());
        assert!(limits.expect_mails(NOW).is_err() && limits.check_mails(NOW).is_err());
    }

    #[test]
    fn whoever_makes_many_buckets_does_not_empty_their_own() {
        let limits = limits();
        let attack = |n: u8| {
            let now = NOW + Duration::seconds(i64::from(n));
            limits.check_account(Limit::Token, "ada@example.com", now)
        };
        assert!(attack(0).is_ok() && attack(0).is_ok() && attack(0).is_err());
        for n in 0..2 * u32::try_from(MAX_BUCKETS).unwrap() {
            let ip = IpAddr::from(n.to_be_bytes());
            limits.check(Limit::Otp, Some(ip), NOW).unwrap();
        }
        assert!(limits.buckets.lock().unwrap().len() <= MAX_BUCKETS);
        assert!(attack(1).is_err());
    }

    #[test]
    fn neighbours_in_an_ipv6_network_are_one_client() {
        let limits = limits();
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
            limits.check(Limit::Otp, ip(host), NOW).unwrap();
        }
        assert!(limits.check(Limit::Otp, ip("2001:db8::4"), NOW).is_err());
        assert!(limits.check(Limit::Otp, ip("2001:db8:0:1::1"), NOW).is_ok());
    }
}
