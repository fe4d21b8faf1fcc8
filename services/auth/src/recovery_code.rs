//! Codes for those who have lost their second factor: how they look, and how often they are tried.

use std::{collections::BTreeSet, fmt};

use rand::RngExt;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{config::RecoveryCodes, hex};

/// The type of the factor that codes are.
pub const FACTOR_TYPE: &str = "recovery_code";

/// How a session says that one was given.
pub const METHOD: &str = "mfa/recovery_code";

/// What a set is called unless its user says otherwise.
pub const DEFAULT_NAME: &str = "Recovery codes";

/// Characters of a code: base32 in lower case, five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A row of `auth.mfa_recovery_code_sets`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct CodeSet {
    /// Identifies the row.
    pub id: Uuid,
    /// The factor that the codes are.
    pub mfa_factor_id: Uuid,
    /// Wrong codes since the last right one.
    pub failed_verification_count: i32,
    /// Until when no code is looked at.
    pub verification_locked_until: Option<OffsetDateTime>,
}

/// A code that was not used, as it is stored.
#[derive(Clone, sqlx::FromRow)]
pub struct StoredCode {
    /// Identifies the row.
    pub id: Uuid,
    /// Stands for the code.
    pub code_hash: String,
}

impl CodeSet {
    /// Whether wrong codes have kept all others out for a while.
    pub fn is_locked(&self, now: OffsetDateTime) -> bool {
        self.verification_locked_until
            .is_some_and(|until| now < until)
    }

    /// The count of wrong codes after one more, and until when no other is looked at.
    pub fn after_failure(
        &self,
        config: &RecoveryCodes,
        now: OffsetDateTime,
    ) -> (i32, Option<OffsetDateTime>) {
        // A lock that has ended forgives what led to it.
        let before = match self.verification_locked_until {
            Some(_) => 0,
            None => self.failed_verification_count,
        };
        let count = before.saturating_add(1);
        let is_enough = count >= config.max_attempts;
        (count, is_enough.then(|| now + config.lockout))
    }
}

/// New codes, all different.
pub fn new_codes(config: &RecoveryCodes) -> Vec<String> {
    let mut rng = rand::rng();
    let mut codes = BTreeSet::new();
    while codes.len() < config.count {
        let letter = |_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
        codes.insert((0..config.length).map(letter).collect());
    }
    codes.into_iter().collect()
}

/// A code without what people write into it.
pub fn normalized(input: &str) -> String {
    let is_part = |c: &char| *c != '-' && !c.is_whitespace();
    input
        .chars()
        .filter(is_part)
        .collect::<String>()
        .to_lowercase()
}

/// Stands for a code. A code has at least 65 random bits, so nothing is gained by a slower hash.
pub fn hash(code: &str) -> String {
    hex::encode(&Sha256::digest(code))
}

impl fmt::Debug for StoredCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredCode")
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::config::Allowed;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn config() -> RecoveryCodes {
        RecoveryCodes {
            allowed: Allowed {
                enroll: true,
                verify: true,
            },
            count: 10,
            length: 16,
            max_attempts: 2,
            lockout: Duration::MINUTE,
        }
    }

    #[test]
    fn codes_are_different_and_easy_to_type() {
        let codes = new_codes(&config());
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), 10);
        for code in codes {
            assert!(code.len() == 16 && code.bytes().all(|byte| ALPHABET.contains(&byte)));
        }
        assert_eq!(normalized(" ABCD-efgh 2345\t"), "abcdefgh2345");
    }

    #[test]
    fn wrong_codes_lock_the_set_for_a_while() {
        let mut set = CodeSet {
            id: Uuid::nil(),
            mfa_factor_id: Uuid::nil(),
            failed_verification_count: 0,
            verification_locked_until: None,
        };
        let fail = |set: &mut CodeSet, now| {
            let after = set.after_failure(&config(), now);
            (set.failed_verification_count, set.verification_locked_until) = after;
        };
        fail(&mut set, NOW);
        assert!(!set.is_locked(NOW));
        fail(&mut set, NOW);
        assert!(set.is_locked(NOW));
        let later = NOW + Duration::MINUTE;
        assert!(!set.is_locked(later));
        fail(&mut set, later);
        assert!(!set.is_locked(later));
    }
}
