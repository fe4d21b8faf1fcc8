//! What the job must be told.

use std::time::Duration;

use common::config::{Env, FromEnv};
use secrecy::SecretString;

/// Shortest password of a user, in bytes.
const MIN_PASSWORD_BYTES: usize = 16;

/// The job's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where this job reaches the server: a loopback address until the administrator exists.
    pub(crate) server: String,
    /// Under which address the members of the set know the server.
    pub(crate) member: String,
    pub(crate) replica_set: String,
    pub(crate) root_password: SecretString,
    /// Of the user `mongo_api`.
    pub(crate) password: SecretString,
    /// The users' documents.
    pub(crate) database: String,
    pub(crate) patience: Duration,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        Self {
            server: env.text("MONGO_SERVER", "127.0.0.1:27017"),
            member: env.text("MONGO_MEMBER", "mongo:27017"),
            replica_set: env.text("MONGO_REPLICA_SET", "rs0"),
            root_password: env.secret_of("MONGO_ROOT_PASSWORD", MIN_PASSWORD_BYTES),
            password: env.secret_of("MONGO_PASSWORD", MIN_PASSWORD_BYTES),
            database: env.text("MONGO_DATABASE", "ferrobase"),
            patience: env.seconds("DATABASE_WAIT_SECONDS", 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    #[test]
    fn both_passwords_must_be_given_and_strong() {
        let mut env = Env::from_pairs([("MONGO_PASSWORD", "short")]);
        let message = load::<Config>(&mut env).unwrap_err().to_string();
        assert!(
            message.contains("MONGO_ROOT_PASSWORD is not set"),
            "{message}"
        );
        assert!(message.contains("MONGO_PASSWORD is too weak"), "{message}");
    }
}
