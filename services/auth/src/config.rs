//! What auth can be told, in GoTrue's variable names.

mod captcha;
mod encryption;
pub mod hooks;
mod jwt;
mod limits;
mod mail;
mod mfa;
mod oauth_server;
mod password;
pub mod providers;
mod saml;
mod sessions;
mod sms;
mod web3;
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
    mfa::{Allowed, Mfa, RecoveryCodes},
    oauth_server::OAuthServer,
    password::Password,
    saml::Saml,
    sessions::Sessions,
    sms::Sms,
    web3::Web3,
    webauthn::Passkeys,
};
use crate::{duration::GoDuration, encryption::Keys, glob::Pattern, webauthn::RelyingParty};

/// Everything auth can be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its own schema.
    pub database: PoolConfig,
    /// Whether rows that nobody will ask for again are removed.
    pub database_cleanup: bool,
    /// What secrets in the database are encrypted with.
    pub encryption: Keys,
    /// Where the application lives; links lead there unless they name an allowed other place.
    pub site_url: Url,
    /// Where clients reach this service.
    pub external_url: Url,
    /// Other places that links may lead to, as patterns.
    pub uri_allow_list: Vec<Pattern>,
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
    /// Sign-ins by those credentials alone.
    pub passkeys: Passkeys,
    /// Who tells people from programs, if that is asked.
    pub captcha: Option<Captcha>,
    /// Applications of others that users sign in to.
    pub oauth_server: OAuthServer,
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
    /// The addresses that mails may go to, in lower case; to all when there are none.
    pub authorized_addresses: Vec<String>,
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
    /// With a wallet.
    pub web3: Web3,
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
            passkeys: Passkeys::from_env(env),
            captcha: Captcha::from_env(env),
            database: PoolConfig {
                max_connections: env.parse("GOTRUE_DB_MAX_POOL_SIZE", 10),
                // A database that is away must be noticed as that, before the request times out.
                acquire_timeout: database.acquire_timeout.min(max_request_duration / 2),
                ..database
            },
            database_cleanup: env.flag("GOTRUE_DB_CLEANUP_ENABLED", false),
            encryption: Keys::from_env(env),
            site_url,
            external_url,
            uri_allow_list: patterns(env, "GOTRUE_URI_ALLOW_LIST"),
            disable_signup: env.flag("GOTRUE_DISABLE_SIGNUP", false),
            max_request_duration,
            jwt: Jwt::from_env(env),
            external: External {
                email: env.flag("GOTRUE_EXTERNAL_EMAIL_ENABLED", true),
                authorized_addresses: env
                    .list("GOTRUE_EXTERNAL_EMAIL_AUTHORIZED_ADDRESSES", "")
                    .into_iter()
                    .map(|address| address.to_lowercase())
                    .collect(),
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
                web3: Web3::from_env(env),
            },
            mailer: Mailer::from_env(env),
            sms: Sms::from_env(env),
            password: Password::from_env(env),
            sessions: Sessions::from_env(env),
            mfa: Mfa::from_env(env),
            oauth_server: OAuthServer::from_env(env),
            limits: Limits::from_env(env),
            hooks: hooks::Hooks::from_env(env),
        }
    }
}

fn patterns(env: &mut Env, name: &str) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for text in env.list(name, "") {
        match text.parse() {
            Ok(pattern) => patterns.push(pattern),
            Err(problem) => env.problem(format!("{name}: {text}: {problem}")),
        }
    }
    patterns
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

    /// What users are told about variables.
    const PAGE: &str = include_str!("../../../docs/auth.md");

    /// Every variable of GoTrue (its prefix left out) but those of providers.
    const GOTRUE: &str = include_str!("config/gotrue.txt");

    /// Whether the page has the variable, by its name or as one of a family (`GOTRUE_SMS_TWILIO_…`).
    fn is_told(name: &str) -> bool {
        let is_family = |told: &&str| {
            let prefix = told.find(['…', '<']).and_then(|end| told.get(..end));
            prefix.is_some_and(|prefix| !prefix.is_empty() && name.starts_with(prefix))
        };
        let mut told = PAGE.split('`').skip(1).step_by(2);
        let families = told.clone().filter(|told| !told.contains("<PROVIDER>"));
        told.any(|told| told == name) || families.filter(is_family).count() > 0
    }

    fn is_of_provider(name: &str) -> bool {
        let rest = name.strip_prefix("GOTRUE_EXTERNAL_").unwrap_or_default();
        let mut named = crate::oauth::catalogue::NAMED.iter();
        named.any(|named| rest.starts_with(&format!("{}_", named.name.to_ascii_uppercase())))
    }

    #[test]
    fn every_variable_that_is_read_is_in_the_table_for_users() {
        let mut env = Env::default();
        Config::from_env(&mut env);
        let ours = |name: &&str| name.starts_with("GOTRUE_") || name.starts_with("AUTH_");
        let names = env
            .known()
            .filter(ours)
            .filter(|name| !is_of_provider(name));
        let untold: Vec<_> = names.filter(|name| !is_told(name)).collect();
        assert!(untold.is_empty(), "not in docs/auth.md: {untold:?}");
    }

    #[test]
    fn every_variable_of_gotrue_is_read_or_told_not_to_be() {
        let mut env = Env::default();
        Config::from_env(&mut env);
        let is_known = |name: &str| {
            let prefixed = format!("GOTRUE_{name}");
            is_told(name) || is_told(&prefixed) || env.known().any(|known| known == prefixed)
        };
        let unknown: Vec<_> = GOTRUE.lines().filter(|name| !is_known(name)).collect();
        assert!(unknown.is_empty(), "neither read nor told: {unknown:?}");
    }

    #[test]
    fn a_place_that_is_no_pattern_stops_the_start() {
        let list = (
            "GOTRUE_URI_ALLOW_LIST",
            "https://[a-z.example.org,https://*",
        );
        let pairs = [list].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let message = load::<Config>(&mut Env::from_pairs(pairs)).unwrap_err();
        let problem = "GOTRUE_URI_ALLOW_LIST: https://[a-z.example.org: a class is one range";
        assert!(message.to_string().contains(problem), "{message}");
    }

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
