//! Second factors: which there are, and how many a user may have.

use common::config::{Env, FromEnv};
use time::Duration;

use super::duration;

/// Second factors.
#[derive(Clone, Debug)]
pub struct Mfa {
    /// Whether time-based codes can be set up.
    pub totp_enroll: bool,
    /// Most factors of a user, verified or not.
    pub max_enrolled: usize,
    /// Most verified factors of a user.
    pub max_verified: usize,
    /// How long a challenge can be answered.
    pub challenge_expiry: Duration,
    /// How long a factor may stay unverified.
    pub factor_expiry: Duration,
}

impl FromEnv for Mfa {
    fn from_env(env: &mut Env) -> Self {
        let challenge_seconds = env.parse("GOTRUE_MFA_CHALLENGE_EXPIRY_DURATION", 300.0);
        let factor = "GOTRUE_MFA_FACTOR_EXPIRY_DURATION";
        Self {
            totp_enroll: env.flag("GOTRUE_MFA_TOTP_ENROLL_ENABLED", true),
            max_enrolled: env.parse("GOTRUE_MFA_MAX_ENROLLED_FACTORS", 10),
            max_verified: env.parse("GOTRUE_MFA_MAX_VERIFIED_FACTORS", 10),
            challenge_expiry: Duration::checked_seconds_f64(challenge_seconds)
                .unwrap_or(Duration::minutes(5)),
            factor_expiry: duration(env, factor, Duration::minutes(5)).max(Duration::minutes(5)),
        }
    }
}
