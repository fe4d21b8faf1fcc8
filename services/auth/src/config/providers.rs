//! Providers that users can sign in with, by configuration.

use common::config::Env;
use secrecy::SecretString;
use url::Url;

use crate::oauth::{catalogue::NAMED, rules::Named};

const PREFIX: &str = "GOTRUE_EXTERNAL_";

/// A provider that is switched on.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What is known about it.
    pub named: &'static Named,
    /// What it knows us by; the first is used to ask, all are good in ID tokens.
    pub client_ids: Vec<String>,
    /// What proves to it who we are.
    pub secret: SecretString,
    /// Where it sends browsers back to, if not to the callback under the external URL.
    pub redirect_uri: Option<Url>,
    /// Where it is, without a slash at the end.
    pub url: String,
    /// Whether ID tokens are taken without comparing their nonce.
    pub skip_nonce_check: bool,
    /// Whether a user may have no address.
    pub email_optional: bool,
}

/// The providers that are switched on. Only those that are mentioned are read.
pub fn read(env: &mut Env) -> Vec<Provider> {
    let given = env.with_prefix(PREFIX);
    let mentioned = |named: &&Named| {
        let enabled = format!("{}_ENABLED", named.name.to_ascii_uppercase());
        given.iter().any(|(name, _)| *name == enabled)
    };
    let mentioned: Vec<_> = NAMED.iter().filter(mentioned).collect();
    mentioned
        .into_iter()
        .filter_map(|named| provider(env, named))
        .collect()
}

fn provider(env: &mut Env, named: &'static Named) -> Option<Provider> {
    let prefix = format!("{PREFIX}{}", named.name.to_ascii_uppercase());
    let variable = |part: &str| format!("{prefix}_{part}");
    if !env.flag(&variable("ENABLED"), false) {
        return None;
    }
    let mut client_ids = env.list(&variable("CLIENT_ID"), "");
    if named.name == "apple" {
        // What applications on Apple's devices are known by is good in ID tokens too.
        client_ids.extend(env.optional("GOTRUE_EXTERNAL_IOS_BUNDLE_ID"));
    }
    if client_ids.is_empty() {
        env.problem(format!("{} is not set", variable("CLIENT_ID")));
    }
    let url = env.text(&variable("URL"), named.url);
    if url.is_empty() {
        env.problem(format!("{} is not set", variable("URL")));
    } else if Url::parse(&url).is_err() {
        env.problem(format!("{} is not a URL", variable("URL")));
    }
    Some(Provider {
        named,
        client_ids,
        secret: SecretString::from(env.required(&variable("SECRET"))),
        redirect_uri: env.parse_optional(&variable("REDIRECT_URI")),
        url: url.trim_end_matches('/').to_owned(),
        skip_nonce_check: env.flag(&variable("SKIP_NONCE_CHECK"), false),
        email_optional: env.flag(&variable("EMAIL_OPTIONAL"), false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_when_it_is_switched_on() {
        let mut env = Env::from_pairs([
            ("GOTRUE_EXTERNAL_GITHUB_ENABLED", "true"),
            ("GOTRUE_EXTERNAL_GITHUB_CLIENT_ID", "one,two"),
            ("GOTRUE_EXTERNAL_GITHUB_SECRET", "x"),
            ("GOTRUE_EXTERNAL_GITLAB_ENABLED", "false"),
        ]);
        let providers = read(&mut env);
        assert!(env.check().is_ok());
        assert_eq!(providers.len(), 1);
        assert_eq!(providers[0].client_ids, ["one", "two"]);
        assert_eq!(providers[0].url, "https://github.com");
    }

    #[test]
    fn what_a_provider_needs_is_asked_for() {
        let mut env = Env::from_pairs([("GOTRUE_EXTERNAL_KEYCLOAK_ENABLED", "true")]);
        read(&mut env);
        let message = env.check().unwrap_err().to_string();
        for part in ["CLIENT_ID", "SECRET", "URL"] {
            let problem = format!("GOTRUE_EXTERNAL_KEYCLOAK_{part} is not set");
            assert!(message.contains(&problem), "{message}");
        }
    }
}
