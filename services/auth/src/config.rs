//! What auth can be told, in GoTrue's variable names.

use std::time::Duration as StdDuration;

use common::{
    config::{Env, FromEnv},
    postgres::PoolConfig,
};
use secrecy::SecretString;
use time::Duration;
use url::Url;

use crate::{duration::GoDuration, password::Requirements};

/// Everything auth can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its own schema.
    pub database: PoolConfig,
    /// Where the application lives; links lead there unless they name an allowed other place.
    pub site_url: Url,
    /// Where clients reach this service.
    pub external_url: Url,
    /// Other places that links may lead to, as patterns.
    pub uri_allow_list: Vec<String>,
    /// Whether nobody can sign up.
    pub disable_signup: bool,
    /// Longest time a request may take.
    pub max_request_duration: StdDuration,
    /// Access tokens.
    pub jwt: Jwt,
    /// Ways to sign in.
    pub external: External,
    /// Mail.
    pub mailer: Mailer,
    /// Text messages.
    pub sms: Sms,
    /// Passwords.
    pub password: Password,
    /// Refresh tokens and sessions.
    pub sessions: Sessions,
    /// Second factors.
    pub mfa: Mfa,
    /// How often something may be tried.
    pub limits: Limits,
}

/// Access tokens.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// Key of HS256.
    pub secret: SecretString,
    /// Lifetime of an access token.
    pub expires_in: Duration,
    /// Audience of users and tokens unless a request names another.
    pub audience: String,
    /// The `iss` claim; empty leaves it out.
    pub issuer: String,
    /// Roles that may use the admin endpoints.
    pub admin_roles: Vec<String>,
    /// Role of a new user.
    pub default_role: String,
}

/// Ways to sign in.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct External {
    /// With an e-mail address.
    pub email: bool,
    /// With a link or code sent by e-mail.
    pub magic_link: bool,
    /// With a phone number.
    pub phone: bool,
    /// Without giving anything.
    pub anonymous_users: bool,
    /// How long a code may wait for its exchange.
    pub flow_state_expiry: Duration,
}

/// Mail.
#[derive(Clone, Debug)]
pub struct Mailer {
    /// Whether an address counts as confirmed without a mail.
    pub autoconfirm: bool,
    /// Whether an unconfirmed address may sign in.
    pub allow_unverified_sign_ins: bool,
    /// Whether a change of address must be confirmed from the present one too.
    pub secure_email_change: bool,
    /// Digits of a one-time code.
    pub otp_length: usize,
    /// How long a one-time token is good.
    pub otp_expiry: Duration,
    /// Least time between two mails of one kind to one user.
    pub max_frequency: Duration,
    /// The email service; without it mails are dropped.
    pub email_url: Option<Url>,
    /// What the email service knows us by.
    pub email_token: Option<SecretString>,
    /// Subjects that take the place of the templates' own.
    pub subjects: Vec<(&'static str, String)>,
    /// Where links of a template lead, if not to the verify endpoint.
    pub url_paths: Vec<(&'static str, String)>,
}

/// Text messages.
#[derive(Clone, Debug)]
pub struct Sms {
    /// Whether a number counts as confirmed without a message.
    pub autoconfirm: bool,
    /// Who sends them, as shown by the settings.
    pub provider: String,
}

/// Passwords.
#[derive(Clone, Debug)]
pub struct Password {
    /// What a new one must fulfil.
    pub requirements: Requirements,
    /// Whether a change needs a fresh proof of who the user is.
    pub update_requires_reauthentication: bool,
    /// Whether a change needs the present password.
    pub update_requires_current: bool,
    /// Hashes that may be computed at the same time.
    pub workers: usize,
    /// Longest wait for a free worker.
    pub max_wait: StdDuration,
}

/// Refresh tokens and sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Whether a misused refresh token ends its whole family.
    pub rotation: bool,
    /// How long a used refresh token may be used again.
    pub reuse_interval: Duration,
    /// Longest life of a session.
    pub timebox: Option<Duration>,
    /// Longest pause between two refreshes.
    pub inactivity_timeout: Option<Duration>,
    /// How long a session of a user with a second factor may do without it.
    pub allow_low_aal: Option<Duration>,
    /// Whether a user has one session at a time.
    pub single_per_user: bool,
}

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
    /// Passwords and codes tried, per account.
    pub account: Rate,
    /// Mails, altogether.
    pub mail: Rate,
}

/// So many in so much time.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many.
    pub count: f64,
    /// In what time.
    pub period: Duration,
}

/// Names of the mail templates.
const TEMPLATES: [&str; 6] = [
    "confirmation",
    "invite",
    "recovery",
    "magic_link",
    "email_change",
    "reauthentication",
];

impl Config {
    /// Where links of a template lead: the path given for it on the external URL's host, or the
    /// verify endpoint under the external URL.
    pub fn verify_url(&self, template: &str) -> anyhow::Result<Url> {
        let path = self
            .mailer
            .url_paths
            .iter()
            .find(|(name, _)| *name == template);
        if let Some((_, path)) = path {
            return Ok(self.external_url.join(path)?);
        }
        let mut url = self.external_url.clone();
        url.set_path(&format!("{}/verify", url.path().trim_end_matches('/')));
        Ok(url)
    }
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        let max_request_duration = std_duration(env, "GOTRUE_API_MAX_REQUEST_DURATION", 10);
        let database = PoolConfig::from_env(env, "GOTRUE_DB_DATABASE_URL");
        Self {
            database: PoolConfig {
                max_connections: env.parse("GOTRUE_DB_MAX_POOL_SIZE", 10),
                // A database that is away must be noticed as that, before the request times out.
                acquire_timeout: database.acquire_timeout.min(max_request_duration / 2),
                ..database
            },
            site_url: env.url("GOTRUE_SITE_URL", None),
            external_url: env.url("API_EXTERNAL_URL", None),
            uri_allow_list: env.list("GOTRUE_URI_ALLOW_LIST", ""),
            disable_signup: env.flag("GOTRUE_DISABLE_SIGNUP", false),
            max_request_duration,
            jwt: Jwt::from_env(env),
            external: External {
                email: env.flag("GOTRUE_EXTERNAL_EMAIL_ENABLED", true),
                magic_link: env.flag("GOTRUE_EXTERNAL_EMAIL_MAGIC_LINK_ENABLED", true),
                phone: env.flag("GOTRUE_EXTERNAL_PHONE_ENABLED", false),
                anonymous_users: env.flag("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", false),
                flow_state_expiry: duration(
                    env,
                    "GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION",
                    Duration::minutes(5),
                )
                .max(Duration::minutes(5)),
            },
            mailer: Mailer::from_env(env),
            sms: Sms {
                autoconfirm: env.flag("GOTRUE_SMS_AUTOCONFIRM", false),
                provider: env.text("GOTRUE_SMS_PROVIDER", ""),
            },
            password: Password::from_env(env),
            sessions: Sessions::from_env(env),
            mfa: Mfa::from_env(env),
            limits: Limits::from_env(env),
        }
    }
}

impl FromEnv for Jwt {
    fn from_env(env: &mut Env) -> Self {
        let own = env.optional("GOTRUE_JWT_SECRET").is_some();
        let name = if own {
            "GOTRUE_JWT_SECRET"
        } else {
            "JWT_SECRET"
        };
        Self {
            secret: env.secret(name),
            expires_in: Duration::seconds(env.parse("GOTRUE_JWT_EXP", 3600)),
            audience: env.text("GOTRUE_JWT_AUD", "authenticated"),
            issuer: env.text("GOTRUE_JWT_ISSUER", ""),
            admin_roles: env.list("GOTRUE_JWT_ADMIN_ROLES", "service_role,supabase_admin"),
            default_role: env.text("GOTRUE_JWT_DEFAULT_GROUP_NAME", "authenticated"),
        }
    }
}

impl FromEnv for Mailer {
    fn from_env(env: &mut Env) -> Self {
        let otp_length = env.parse("GOTRUE_MAILER_OTP_LENGTH", 6);
        if !(6..=10).contains(&otp_length) {
            env.problem("GOTRUE_MAILER_OTP_LENGTH is not between 6 and 10");
        }
        let email_url = env.parse_optional("EMAIL_URL");
        Self {
            autoconfirm: env.flag("GOTRUE_MAILER_AUTOCONFIRM", false),
            allow_unverified_sign_ins: env
                .flag("GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", false),
            secure_email_change: env.flag("GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED", true),
            otp_length,
            otp_expiry: Duration::seconds(env.parse("GOTRUE_MAILER_OTP_EXP", 86_400)),
            max_frequency: duration(env, "GOTRUE_SMTP_MAX_FREQUENCY", Duration::MINUTE),
            email_token: email_url
                .is_some()
                .then(|| env.secret("EMAIL_SERVICE_TOKEN")),
            email_url,
            subjects: per_template(env, "GOTRUE_MAILER_SUBJECTS_"),
            url_paths: per_template(env, "GOTRUE_MAILER_URLPATHS_"),
        }
    }
}

impl FromEnv for Password {
    fn from_env(env: &mut Env) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = env.parse("AUTH_PASSWORD_WORKERS", (cores / 2).max(1));
        if workers == 0 {
            env.problem("AUTH_PASSWORD_WORKERS must be at least 1");
        }
        Self {
            requirements: Requirements {
                min_length: env.parse("GOTRUE_PASSWORD_MIN_LENGTH", 6),
                characters: Requirements::character_sets(
                    &env.text("GOTRUE_PASSWORD_REQUIRED_CHARACTERS", ""),
                ),
            },
            update_requires_reauthentication: env.flag(
                "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION",
                false,
            ),
            update_requires_current: env.flag(
                "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD",
                false,
            ),
            workers,
            max_wait: std_duration(env, "AUTH_PASSWORD_MAX_WAIT", 5),
        }
    }
}

impl FromEnv for Sessions {
    fn from_env(env: &mut Env) -> Self {
        let reuse = env.parse("GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", 0);
        Self {
            rotation: env.flag("GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", true),
            reuse_interval: Duration::seconds(reuse),
            timebox: optional_duration(env, "GOTRUE_SESSIONS_TIMEBOX"),
            inactivity_timeout: optional_duration(env, "GOTRUE_SESSIONS_INACTIVITY_TIMEOUT"),
            allow_low_aal: optional_duration(env, "GOTRUE_SESSIONS_ALLOW_LOW_AAL"),
            single_per_user: env.flag("GOTRUE_SESSIONS_SINGLE_PER_USER", false),
        }
    }
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
            account: rate(env, "AUTH_RATE_LIMIT_ACCOUNT", 30.0, five_minutes),
            mail: rate(env, "GOTRUE_RATE_LIMIT_EMAIL_SENT", 30.0, Duration::HOUR),
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

/// The variables of one prefix that are set, by template.
fn per_template(env: &mut Env, prefix: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for template in TEMPLATES {
        let name = format!("{prefix}{}", template.to_ascii_uppercase());
        if let Some(value) = env.optional(&name) {
            found.push((template, value));
        }
    }
    found
}

fn duration(env: &mut Env, name: &str, default: Duration) -> Duration {
    env.parse(name, GoDuration(default)).0
}

/// A limit that zero switches off.
fn optional_duration(env: &mut Env, name: &str) -> Option<Duration> {
    let GoDuration(duration) = env.parse_optional(name)?;
    duration.is_positive().then_some(duration)
}

fn std_duration(env: &mut Env, name: &str, default_seconds: i64) -> StdDuration {
    let duration = duration(env, name, Duration::seconds(default_seconds));
    StdDuration::try_from(duration).unwrap_or_else(|_| {
        env.problem(format!("{name} is negative"));
        StdDuration::ZERO
    })
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    #[test]
    fn nothing_that_must_be_given_has_a_default() {
        let message = load::<Config>(&mut Env::default()).unwrap_err().to_string();
        for name in [
            "GOTRUE_DB_DATABASE_URL",
            "GOTRUE_SITE_URL",
            "API_EXTERNAL_URL",
            "JWT_SECRET",
        ] {
            assert!(message.contains(&format!("{name} is not set")), "{message}");
        }
    }
}
