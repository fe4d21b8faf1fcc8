//! Single sign-on by SAML.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::config::Env;
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;
use url::Url;

use super::duration;

/// How we sign users in by SAML.
#[derive(Clone, Debug)]
pub struct Saml {
    /// What requests are signed with.
    pub key: Arc<KeyPair>,
    /// Where identity providers and browsers reach this service.
    pub external_url: Url,
    /// How long a browser may be away at an identity provider.
    pub relay_state_validity: Duration,
}

impl Saml {
    /// What is configured, if SAML is switched on.
    pub(super) fn from_env(env: &mut Env, external_url: &Url) -> Option<Self> {
        let enabled = env.flag("GOTRUE_SAML_ENABLED", false);
        let external_url = env.url("GOTRUE_SAML_EXTERNAL_URL", Some(external_url.as_str()));
        let two_minutes = Duration::minutes(2);
        let validity = duration(env, "GOTRUE_SAML_RELAY_STATE_VALIDITY_PERIOD", two_minutes);
        if validity.is_negative() {
            env.problem("GOTRUE_SAML_RELAY_STATE_VALIDITY_PERIOD is negative");
        }
        let encrypted = env.flag("GOTRUE_SAML_ALLOW_ENCRYPTED_ASSERTIONS", false);
        let key: SecretString = env.text("GOTRUE_SAML_PRIVATE_KEY", "").into();
        if !enabled {
            return None;
        }
        if encrypted {
            env.problem(
                "GOTRUE_SAML_ALLOW_ENCRYPTED_ASSERTIONS is true, but encrypted assertions are not \
                 supported",
            );
        }
        let Some(key) = rsa(&key) else {
            env.problem(
                "GOTRUE_SAML_PRIVATE_KEY is not an RSA key of at least 2048 bits in PKCS#1 format, \
                 as Base64",
            );
            return None;
        };
        Some(Self {
            key: Arc::new(key),
            external_url,
            relay_state_validity: if validity.is_zero() {
                two_minutes
            } else {
                validity
            },
        })
    }
}

fn rsa(text: &SecretString) -> Option<KeyPair> {
    let der = STANDARD.decode(text.expose_secret().trim()).ok()?;
    let key = KeyPair::try_from(der).ok()?;
    (key.algorithm() == &PKCS_RSA_SHA256).then_some(key)
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;
    use crate::Config;

    #[test]
    fn saml_needs_a_key_and_does_without_encryption() {
        for (key, encrypted, problem) in [
            ("", "false", "GOTRUE_SAML_PRIVATE_KEY is not an RSA key"),
            (
                "bm90IGEga2V5",
                "false",
                "GOTRUE_SAML_PRIVATE_KEY is not an RSA key",
            ),
            ("", "true", "encrypted assertions are not supported"),
        ] {
            let mut env = Env::from_pairs([
                ("GOTRUE_SAML_ENABLED", "true"),
                ("GOTRUE_SAML_PRIVATE_KEY", key),
                ("GOTRUE_SAML_ALLOW_ENCRYPTED_ASSERTIONS", encrypted),
            ]);
            let message = load::<Config>(&mut env).unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }
}
