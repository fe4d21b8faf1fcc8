//! Applications of others that users can sign in to with their account here.

use common::config::{Env, FromEnv};
use time::Duration;

use super::duration;
use crate::oauth_server::scope::Scopes;

/// The OAuth 2.1 authorization server.
#[derive(Clone, Debug)]
pub struct OAuthServer {
    /// Whether there is one.
    pub enabled: bool,
    /// Whether applications may register themselves.
    pub allow_dynamic_registration: bool,
    /// Path under the site where users are asked for their consent.
    pub authorization_path: String,
    /// How long an authorization waits for consent and for the exchange of its code.
    pub authorization_ttl: Duration,
    /// What an application gets that asks for nothing in particular.
    pub default_scope: Scopes,
}

impl FromEnv for OAuthServer {
    fn from_env(env: &mut Env) -> Self {
        let enabled = env.flag("GOTRUE_OAUTH_SERVER_ENABLED", false);
        let authorization_path = env.text("GOTRUE_OAUTH_SERVER_AUTHORIZATION_PATH", "");
        if enabled && authorization_path.is_empty() {
            env.problem("GOTRUE_OAUTH_SERVER_AUTHORIZATION_PATH is not set");
        }
        let ttl = "GOTRUE_OAUTH_SERVER_AUTHORIZATION_TTL";
        let scope = "GOTRUE_OAUTH_SERVER_DEFAULT_SCOPE";
        let default_scope = Scopes::parse(&env.text(scope, "email"));
        if let Err(problem) = &default_scope {
            env.problem(format!("{scope}: {problem}"));
        }
        Self {
            enabled,
            allow_dynamic_registration: env
                .flag("GOTRUE_OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION", false),
            authorization_path,
            authorization_ttl: duration(env, ttl, Duration::minutes(10)),
            default_scope: default_scope.unwrap_or_default(),
        }
    }
}
