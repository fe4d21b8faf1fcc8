//! What the service can be told.

use std::time::Duration;

use common::{
    config::{Env, FromEnv},
    identity::PublicKeys,
};
use mongodb::options::ConnectionString;
use secrecy::{ExposeSecret, SecretString};

/// Configuration of the document API.
#[derive(Clone, Debug)]
pub struct Config {
    /// Key of the access tokens.
    pub jwt_secret: SecretString,
    /// Public keys that access tokens may be signed with besides.
    pub jwt_keys: PublicKeys,
    /// Connection string of the replica set, password included.
    pub mongo_uri: SecretString,
    /// Database that holds the users' collections and nothing else.
    pub database: String,
    /// What one request may cost.
    pub limits: Limits,
}

/// What one request, or all of them together, may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest body, in bytes.
    pub body_bytes: usize,
    /// Longest time MongoDB may work on one operation.
    pub query_time: Duration,
    /// Most collections; a write to a new name makes one.
    pub collections: usize,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        let mongo_uri = SecretString::from(env.required("MONGO_URI"));
        let text = mongo_uri.expose_secret();
        if !text.is_empty() && ConnectionString::parse(text).is_err() {
            env.problem("MONGO_URI is not a MongoDB connection string");
        }
        Self {
            jwt_secret: env.secret("JWT_SECRET"),
            jwt_keys: PublicKeys::from_env(env),
            mongo_uri,
            database: env.text("MONGO_DATABASE", "ferrobase"),
            limits: Limits::from_env(env),
        }
    }
}

impl FromEnv for Limits {
    fn from_env(env: &mut Env) -> Self {
        let defaults = Self::default();
        Self {
            body_bytes: env.parse("MONGO_API_MAX_BODY_BYTES", defaults.body_bytes),
            // To MongoDB zero is no limit at all.
            query_time: Duration::from_millis(env.within(
                "MONGO_API_QUERY_TIMEOUT_MS",
                5_000,
                1..=3_600_000,
            )),
            collections: env.parse("MONGO_API_MAX_COLLECTIONS", defaults.collections),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            query_time: Duration::from_secs(5),
            collections: 1000,
        }
    }
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    #[test]
    fn a_query_has_a_limit() {
        let mut env = Env::from_pairs([("MONGO_API_QUERY_TIMEOUT_MS", "0")]);
        let message = load::<Limits>(&mut env).unwrap_err().to_string();
        assert!(
            message.contains("MONGO_API_QUERY_TIMEOUT_MS must be 1"),
            "{message}"
        );
    }
}
