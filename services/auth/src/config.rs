//! What auth can be told, in GoTrue's variable names.

mod captcha;
pub mod hooks;
mod jwt;
mod limits;
mod mail;
mod mfa;
mod password;
pub mod providers;
mod saml;
mod sessions;
mod sms;
mod webauthn;

use std::time::Duration as StdDuration;

use common::{
    config::{Env, FromEnv},
    postgres::PoolConfig,
};
use time::Duration;
use url::Url;

pub use self::{
    captcha::Captcha,
    jwt::Jwt,
    limits::{Limits, Rate},
    mail::Mailer,
    mfa::{Allowed, Mfa},
    password::Password,
    saml::Saml,
    sessions::Sessions,
    sms::Sms,
};
use crate::{duration::GoDuration, webauthn::RelyingParty};

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
    /// Who asks browsers for credentials.
    pub webauthn: RelyingParty,
    /// Single sign-on by SAML, if there is any.
    pub saml: Option<Saml>,
    /// Who tells people from programs, if that is asked.
    pub captcha: Option<Captcha>,
    /// How often something may be tried.
    pub limits: Limits,
    /// Code of the operator's own that has a say.
    pub hooks: hooks::Hooks,
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
    /// With an account elsewhere.
    pub providers: Vec<providers::Provider>,
    /// Whether users may link and unlink identities themselves.
    pub manual_linking: bool,
}

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
        let site_url = env.url("GOTRUE_SITE_URL", None);
        let max_request_duration = std_duration(env, "GOTRUE_API_MAX_REQUEST_DURATION", 10);
        let database = PoolConfig::from_env(env, "GOTRUE_DB_DATABASE_URL");
        let external_url = env.url("API_EXTERNAL_URL", None);
        Self {
            saml: Saml::from_env(env, &external_url),
            webauthn: webauthn::relying_party(env, &site_url),
            captcha: Captcha::from_env(env),
            database: PoolConfig {
                max_connections: env.parse("GOTRUE_DB_MAX_POOL_SIZE", 10),
                // A database that is away must be noticed as that, before the request times out.
                acquire_timeout: database.acquire_timeout.min(max_request_duration / 2),
                ..database
            },
            site_url,
            external_url,
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
                providers: providers::read(env),
                manual_linking: env.flag("GOTRUE_SECURITY_MANUAL_LINKING_ENABLED", false),
            },
            mailer: Mailer::from_env(env),
            sms: Sms::from_env(env),
            password: Password::from_env(env),
            sessions: Sessions::from_env(env),
            mfa: Mfa::from_env(env),
            limits: Limits::from_env(env),
            hooks: hooks::Hooks::from_env(env),
        }
    }
}

/// Digits of a code that a person types.
fn otp_length(env: &mut Env, name: &str) -> usize {
    let length = env.parse(name, 6);
    if !(6..=10).contains(&length) {
        env.problem(format!("{name} is not between 6 and 10"));
    }
    length
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
