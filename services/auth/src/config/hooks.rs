//! Hooks: where code of the operator's own has a say.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::config::{Env, FromEnv};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use url::{Host, Url};

/// What a secret of Standard Webhooks begins with.
const SECRET_PREFIX: &str = "v1,whsec_";

/// Bytes that a secret may have (Standard Webhooks).
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Longest identifier of PostgreSQL.
const MAX_IDENTIFIER_CHARS: usize = 63;

/// The hooks that are switched on.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Whether a user may be made.
    pub before_user_created: Option<Hook>,
    /// Who became a user.
    pub after_user_created: Option<Hook>,
    /// What an access token says.
    pub custom_access_token: Option<Hook>,
    /// Mails, in place of the email service.
    pub send_email: Option<Hook>,
    /// Text messages.
    pub send_sms: Option<Hook>,
    /// What an attempt at a second factor leads to.
    pub mfa_verification_attempt: Option<Hook>,
    /// What an attempt at a password leads to.
    pub password_verification_attempt: Option<Hook>,
}

/// Who is asked.
#[derive(Clone, Debug)]
pub enum Hook {
    /// A server.
    Http {
        /// Where it listens.
        url: Url,
        /// Keys of the signatures; several while one takes the place of another.
        secrets: Vec<Secret>,
    },
    /// A function in the database.
    Function {
        /// Its schema.
        schema: String,
        /// Its name.
        name: String,
    },
}

/// The key of a signature.
#[derive(Clone)]
pub struct Secret(SecretSlice<u8>);

impl FromEnv for Hooks {
    fn from_env(env: &mut Env) -> Self {
        Self {
            before_user_created: hook(env, "BEFORE_USER_CREATED"),
            after_user_created: hook(env, "AFTER_USER_CREATED"),
            custom_access_token: hook(env, "CUSTOM_ACCESS_TOKEN"),
            send_email: hook(env, "SEND_EMAIL"),
            send_sms: hook(env, "SEND_SMS"),
            mfa_verification_attempt: hook(env, "MFA_VERIFICATION_ATTEMPT"),
            password_verification_attempt: hook(env, "PASSWORD_VERIFICATION_ATTEMPT"),
        }
    }
}

impl Secret {
    /// The key of `text`: `v1,whsec_` and the base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
        SECRET_BYTES.contains(&key.len()).then(|| Self(key.into()))
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The hook of this name, if it is switched on.
fn hook(env: &mut Env, name: &str) -> Option<Hook> {
    let prefix = format!("GOTRUE_HOOK_{name}");
    let enabled = env.flag(&format!("{prefix}_ENABLED"), false);
    let uri = env.optional(&format!("{prefix}_URI"));
    let secrets = env.optional(&format!("{prefix}_SECRETS"));
    if !enabled {
        return None;
    }
    let secrets = SecretString::from(secrets.unwrap_or_default());
    match parse(&uri.unwrap_or_default(), &secrets) {
        Ok(hook) => Some(hook),
        Err(problem) => {
            env.problem(format!("{prefix}_{problem}"));
            None
        }
    }
}

/// What a hook's variables say, or what is wrong with which of them.
fn parse(uri: &str, secrets: &SecretString) -> Result<Hook, &'static str> {
    let url = Url::parse(uri).map_err(|_| "URI is not a URL")?;
    match url.scheme() {
        "pg-functions" => {
            function(&url).ok_or("URI is not pg-functions://postgres/schema/function")
        }
        "https" => http(url, secrets),
        "http" if is_local(&url) => http(url, secrets),
        "http" => Err("URI must be https: what it carries is secret"),
        _ => Err("URI is neither https nor pg-functions"),
    }
}

fn http(url: Url, secrets: &SecretString) -> Result<Hook, &'static str> {
    let texts = secrets.expose_secret().split('|').map(str::trim);
    let secrets: Option<Vec<_>> = texts.map(Secret::parse).collect();
    let secrets = secrets.ok_or("SECRETS are not v1,whsec_<base64>, separated by |")?;
    Ok(Hook::Http { url, secrets })
}

fn function(url: &Url) -> Option<Hook> {
    let mut names = url.path_segments()?;
    let (schema, name) = (names.next()?, names.next()?);
    let is_whole = url.host_str() == Some("postgres") && names.next().is_none();
    (is_whole && is_identifier(schema) && is_identifier(name)).then(|| Hook::Function {
        schema: schema.to_owned(),
        name: name.to_owned(),
    })
}

fn is_identifier(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.len() <= MAX_IDENTIFIER_CHARS
        && text.starts_with(is_first)
        && text.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => ["localhost", "host.docker.internal"].contains(&name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    const SECRETS: &str =
        "v1,whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz|v1,whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";

    fn read(uri: &str, secrets: &str) -> Result<Hooks, String> {
        let pairs = [
            ("GOTRUE_HOOK_SEND_SMS_ENABLED", "true"),
            ("GOTRUE_HOOK_SEND_SMS_URI", uri),
            ("GOTRUE_HOOK_SEND_SMS_SECRETS", secrets),
        ];
        load(&mut Env::from_pairs(pairs)).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_have_keys_and_functions_have_names() {
        let http = read("https://example.com/hook", SECRETS).unwrap();
        assert!(matches!(http.send_sms, Some(Hook::Http { secrets, .. }) if secrets.len() == 2));
        let function = read("pg-functions://postgres/public/send_it", "").unwrap();
        assert!(
            matches!(function.send_sms, Some(Hook::Function { name, .. }) if name == "send_it")
        );
    }

    #[test]
    fn what_cannot_be_asked_safely_is_refused_at_start() {
        for (uri, secrets) in [
            ("", SECRETS),
            ("http://example.com/hook", SECRETS),
            ("ftp://example.com/hook", SECRETS),
            ("https://example.com/hook", ""),
            ("https://example.com/hook", "v1,whsec_c2hvcnQ="),
            (
                "https://example.com/hook",
                "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz",
            ),
            ("pg-functions://elsewhere/public/f", ""),
            ("pg-functions://postgres/public", ""),
            ("pg-functions://postgres/public/f/g", ""),
            ("pg-functions://postgres/public/f%22;", ""),
        ] {
            let message = read(uri, secrets).unwrap_err();
            assert!(
                message.contains("GOTRUE_HOOK_SEND_SMS_"),
                "{uri}: {message}"
            );
            assert!(!message.contains("whsec_MDE"), "{message}");
        }
    }

    #[test]
    fn a_hook_that_is_not_switched_on_is_none() {
        let pairs = [("GOTRUE_HOOK_SEND_SMS_URI", "nonsense")];
        let hooks: Hooks = load(&mut Env::from_pairs(pairs)).unwrap();
        assert!(hooks.send_sms.is_none());
    }
}
