//! How often something may be tried.

use common::config::{Env, FromEnv};
use time::Duration;

use crate::duration::GoDuration;

/// How often something may be tried.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What every limit is multiplied with.
    pub scale: f64,
    /// Accounts and mails asked for, per client and endpoint.
    pub otp: Rate,
    /// One-time tokens tried, per client.
    pub verify: Rate,
    /// Grants, per client.
    pub token: Rate,
    /// Anonymous accounts, per client.
    pub anonymous: Rate,
    /// Second factors challenged and tried, per client.
    pub mfa: Rate,
    /// Single sign-ons begun, per client.
    pub sso: Rate,
    /// Assertions of identity providers brought, per client.
    pub assertion: Rate,
    /// Passkeys asked for and tried, per client.
    pub passkey: Rate,
    /// Sign-ins with a wallet, per client.
    pub web3: Rate,
    /// OAuth clients that register themselves, per client address.
    pub client_registration: Rate,
    /// Authorizations that OAuth clients ask for, per address of the browser.
    pub authorization: Rate,
    /// Passwords and codes tried, per account.
    pub account: Rate,
    /// Mails, altogether.
    pub mail: Rate,
    /// Text messages, altogether.
    pub sms: Rate,
}

/// So many in so much time.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many.
    pub count: f64,
    /// In what time.
    pub period: Duration,
}

impl FromEnv for Limits {
    fn from_env(env: &mut Env) -> Self {
        let five_minutes = Duration::minutes(5);
        let shared = env.parse("GATEWAY_RATE_LIMIT_SCALE", 1.0);
        let scale: f64 = env.parse("AUTH_RATE_LIMIT_SCALE", shared);
        if !(scale.is_finite() && scale > 0.0) {
            env.problem("AUTH_RATE_LIMIT_SCALE is not a positive number");
        }
        Self {
            scale,
            otp: rate(env, "GOTRUE_RATE_LIMIT_OTP", 30.0, five_minutes),
            verify: rate(env, "GOTRUE_RATE_LIMIT_VERIFY", 30.0, five_minutes),
            token: rate(env, "GOTRUE_RATE_LIMIT_TOKEN_REFRESH", 150.0, five_minutes),
            anonymous: rate(
                env,
                "GOTRUE_RATE_LIMIT_ANONYMOUS_USERS",
                30.0,
                Duration::HOUR,
            ),
            mfa: rate(
                env,
                "GOTRUE_MFA_RATE_LIMIT_CHALLENGE_AND_VERIFY",
                15.0,
                Duration::MINUTE,
            ),
            sso: rate(env, "GOTRUE_RATE_LIMIT_SSO", 30.0, five_minutes),
            assertion: rate(env, "GOTRUE_SAML_RATE_LIMIT_ASSERTION", 15.0, five_minutes),
            passkey: rate(env, "GOTRUE_RATE_LIMIT_PASSKEY", 30.0, five_minutes),
            web3: rate(env, "GOTRUE_RATE_LIMIT_WEB3", 30.0, five_minutes),
            client_registration: rate(
                env,
                "GOTRUE_RATE_LIMIT_OAUTH_DYNAMIC_CLIENT_REGISTER",
                10.0,
                five_minutes,
            ),
            authorization: rate(env, "AUTH_RATE_LIMIT_OAUTH_AUTHORIZE", 150.0, five_minutes),
            account: rate(env, "AUTH_RATE_LIMIT_ACCOUNT", 30.0, five_minutes),
            mail: rate(env, "GOTRUE_RATE_LIMIT_EMAIL_SENT", 30.0, Duration::HOUR),
            sms: rate(env, "GOTRUE_RATE_LIMIT_SMS_SENT", 30.0, Duration::HOUR),
        }
    }
}

/// A rate as `30` in the given period, or as `10/20m`.
fn rate(env: &mut Env, name: &str, count: f64, period: Duration) -> Rate {
    let default = Rate { count, period };
    let Some(text) = env.optional(name) else {
        return default;
    };
    let (count, period) = match text.split_once('/') {
        None => (text.parse().ok(), Some(period)),
        Some((count, period)) => {
            let period = period.parse::<GoDuration>();
            (
                count.parse().ok(),
                period.ok().map(|GoDuration(period)| period),
            )
        }
    };
    match (count, period) {
        (Some(count), Some(period)) if count >= 0.0 && period.is_positive() => {
            Rate { count, period }
        }
        _ => {
            env.problem(format!("{name} is not a rate such as 30 or 10/20m"));
            default
        }
    }
}
