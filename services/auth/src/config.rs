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
pub struct External {
    /// With an e-mail address.
    pub email: bool,
    /// With a phone number.
    pub phone: bool,
    /// Without giving anything.
    pub anonymous_users: bool,
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
    /// Least time between two mails of one kind to one user.
    pub max_frequency: Duration,
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
    /// Whether a user has one session at a time.
    pub single_per_user: bool,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        Self {
            database: PoolConfig {
                max_connections: env.parse("GOTRUE_DB_MAX_POOL_SIZE", 10),
                ..PoolConfig::from_env(env, "GOTRUE_DB_DATABASE_URL")
            },
            site_url: env.url("GOTRUE_SITE_URL", None),
            external_url: env.url("API_EXTERNAL_URL", None),
            disable_signup: env.flag("GOTRUE_DISABLE_SIGNUP", false),
            max_request_duration: std_duration(env, "GOTRUE_API_MAX_REQUEST_DURATION", 10),
            jwt: Jwt::from_env(env),
            external: External {
                email: env.flag("GOTRUE_EXTERNAL_EMAIL_ENABLED", true),
                phone: env.flag("GOTRUE_EXTERNAL_PHONE_ENABLED", false),
                anonymous_users: env.flag("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", false),
            },
            mailer: Mailer::from_env(env),
            sms: Sms {
                autoconfirm: env.flag("GOTRUE_SMS_AUTOCONFIRM", false),
                provider: env.text("GOTRUE_SMS_PROVIDER", ""),
            },
            password: Password::from_env(env),
            sessions: Sessions::from_env(env),
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
        Self {
            autoconfirm: env.flag("GOTRUE_MAILER_AUTOCONFIRM", false),
            allow_unverified_sign_ins: env
                .flag("GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", false),
            secure_email_change: env.flag("GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED", true),
            otp_length,
            max_frequency: duration(env, "GOTRUE_SMTP_MAX_FREQUENCY", Duration::MINUTE),
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
            single_per_user: env.flag("GOTRUE_SESSIONS_SINGLE_PER_USER", false),
        }
    }
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
