//! Access tokens.

use common::config::{Env, FromEnv};
use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use time::Duration;

use crate::signing_key::{self, SigningKey};

/// Access tokens.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// Key of HS256; good for verification whatever the keys are.
    pub secret: SecretString,
    /// Keys that take its place, if there are some; one of them signs.
    pub keys: Vec<SigningKey>,
    /// Name of the secret in the header of tokens it signs; empty leaves it out.
    pub key_id: String,
    /// The algorithms tokens may be signed with, if not those of every key.
    pub valid_methods: Vec<Algorithm>,
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
            keys: keys(env),
            key_id: env.text("GOTRUE_JWT_KEY_ID", ""),
            valid_methods: valid_methods(env),
            expires_in: Duration::seconds(env.parse("GOTRUE_JWT_EXP", 3600)),
            audience: env.text("GOTRUE_JWT_AUD", "authenticated"),
            issuer: env.text("GOTRUE_JWT_ISSUER", ""),
            admin_roles: env.list("GOTRUE_JWT_ADMIN_ROLES", "service_role,supabase_admin"),
            default_role: env.text("GOTRUE_JWT_DEFAULT_GROUP_NAME", "authenticated"),
        }
    }
}

fn valid_methods(env: &mut Env) -> Vec<Algorithm> {
    const NAME: &str = "GOTRUE_JWT_VALID_METHODS";
    let mut methods = Vec::new();
    for name in env.list(NAME, "") {
        match name.parse() {
            Ok(method) => methods.push(method),
            Err(_) => env.problem(format!("{NAME} has {name}, which is no algorithm of JWTs")),
        }
    }
    methods
}

fn keys(env: &mut Env) -> Vec<SigningKey> {
    let Some(text) = env.optional("GOTRUE_JWT_KEYS") else {
        return Vec::new();
    };
    signing_key::parse_all(&text).unwrap_or_else(|problem| {
        env.problem(format!("GOTRUE_JWT_KEYS is {problem}"));
        Vec::new()
    })
}
