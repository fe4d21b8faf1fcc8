//! Second factors: which there are, and how many a user may have.

use common::config::{Env, FromEnv};
use time::Duration;

use super::{duration, otp_length};
use crate::factor::Kind;

/// Second factors.
#[derive(Clone, Debug)]
pub struct Mfa {
    /// Codes that change with time.
    pub totp: Allowed,
    /// Codes sent to a number.
    pub phone: Allowed,
    /// Authenticators of the browser.
    pub webauthn: Allowed,
    /// Codes for those who have lost the others.
    pub recovery_codes: RecoveryCodes,
    /// Digits of a code sent to a number.
    pub phone_otp_length: usize,
    /// Least time between two codes sent to a number.
    pub phone_max_frequency: Duration,
    /// Most factors of a user, verified or not.
    pub max_enrolled: usize,
    /// Most verified factors of a user.
    pub max_verified: usize,
    /// How long a challenge can be answered.
    pub challenge_expiry: Duration,
    /// How long a factor may stay unverified.
    pub factor_expiry: Duration,
}

/// What may be done with factors of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Setting new ones up.
    pub enroll: bool,
    /// Proving those there are.
    pub verify: bool,
}

/// Codes for those who have lost their second factor.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryCodes {
    /// What may be done with them.
    pub allowed: Allowed,
    /// Codes of a user.
    pub count: usize,
    /// Characters of a code.
    pub length: usize,
    /// Wrong codes after which no other is looked at.
    pub max_attempts: i32,
    /// For how long.
    pub lockout: Duration,
}

impl FromEnv for RecoveryCodes {
    fn from_env(env: &mut Env) -> Self {
        let lockout = "GOTRUE_MFA_RECOVERY_CODES_LOCKOUT_DURATION";
        let mut between = |name: &str, default, least, most| {
            let value = env.parse(name, default);
            if !(least..=most).contains(&value) {
                env.problem(format!("{name} is not between {least} and {most}"));
            }
            value
        };
        let count = between("GOTRUE_MFA_RECOVERY_CODES_COUNT", 10, 4, 16);
        let length = between("GOTRUE_MFA_RECOVERY_CODES_CODE_LENGTH", 16, 13, 32);
        Self {
            allowed: Allowed {
                enroll: env.flag("GOTRUE_MFA_RECOVERY_CODES_ENROLL_ENABLED", true),
                verify: env.flag("GOTRUE_MFA_RECOVERY_CODES_VERIFY_ENABLED", true),
            },
            count,
            length,
            max_attempts: env.parse("GOTRUE_MFA_RECOVERY_CODES_MAX_VERIFY_ATTEMPTS", 5),
            lockout: duration(env, lockout, Duration::minutes(15)),
        }
    }
}

impl Mfa {
    /// What may be done with factors of this kind.
    pub fn allowed(&self, kind: Kind) -> Allowed {
        match kind {
            Kind::Totp => self.totp,
            Kind::Phone => self.phone,
            Kind::WebAuthn => self.webauthn,
        }
    }
}

impl FromEnv for Mfa {
    fn from_env(env: &mut Env) -> Self {
        let challenge_seconds = env.parse("GOTRUE_MFA_CHALLENGE_EXPIRY_DURATION", 300.0);
        let factor = "GOTRUE_MFA_FACTOR_EXPIRY_DURATION";
        Self {
            totp: Allowed {
                enroll: env.flag("GOTRUE_MFA_TOTP_ENROLL_ENABLED", true),
                verify: env.flag("GOTRUE_MFA_TOTP_VERIFY_ENABLED", true),
            },
            phone: Allowed {
                enroll: env.flag("GOTRUE_MFA_PHONE_ENROLL_ENABLED", false),
                verify: env.flag("GOTRUE_MFA_PHONE_VERIFY_ENABLED", false),
            },
            webauthn: Allowed {
                enroll: env.flag("GOTRUE_MFA_WEB_AUTHN_ENROLL_ENABLED", false),
                verify: env.flag("GOTRUE_MFA_WEB_AUTHN_VERIFY_ENABLED", false),
            },
            recovery_codes: RecoveryCodes::from_env(env),
            phone_otp_length: otp_length(env, "GOTRUE_MFA_PHONE_OTP_LENGTH"),
            phone_max_frequency: duration(env, "GOTRUE_MFA_PHONE_MAX_FREQUENCY", Duration::MINUTE),
            max_enrolled: env.parse("GOTRUE_MFA_MAX_ENROLLED_FACTORS", 10),
            max_verified: env.parse("GOTRUE_MFA_MAX_VERIFIED_FACTORS", 10),
            challenge_expiry: Duration::checked_seconds_f64(challenge_seconds)
                .unwrap_or(Duration::minutes(5))
                .max(Duration::minutes(5)),
            factor_expiry: duration(env, factor, Duration::minutes(5)).max(Duration::minutes(5)),
        }
    }
}
