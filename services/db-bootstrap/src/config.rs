//! What the job must be told.

use std::{collections::BTreeMap, time::Duration};

use common::{
    config::{Env, FromEnv},
    postgres::Target,
};
use secrecy::{ExposeSecret, SecretString};

use crate::roles::ROLES;

/// Shortest password of a login role, in bytes.
const MIN_PASSWORD_BYTES: usize = 16;

/// The job's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) admin: Target,
    /// By variable.
    pub(crate) passwords: BTreeMap<&'static str, SecretString>,
    pub(crate) exposed_schemas: Vec<String>,
    pub(crate) quick_start: bool,
    pub(crate) patience: Duration,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        Self {
            admin: admin(env),
            passwords: ROLES
                .iter()
                .filter_map(|role| role.password)
                .map(|name| (name, password(env, name)))
                .collect(),
            exposed_schemas: exposed_schemas(env),
            quick_start: env.flag("QUICK_START_TABLES", true),
            patience: env.seconds("DATABASE_WAIT_SECONDS", 60),
        }
    }
}

/// The superuser's connection.
fn admin(env: &mut Env) -> Target {
    const NAME: &str = "DATABASE_ADMIN_URL";
    match env.required(NAME) {
        url if url.is_empty() => Target::default(),
        url => url.parse().unwrap_or_else(|error| {
            env.problem(format!("{NAME} is not usable: {error}"));
            Target::default()
        }),
    }
}

/// A password that goes through URLs and SCRAM's normalisation unchanged.
fn password(env: &mut Env, name: &str) -> SecretString {
    let password = env.secret_of(name, MIN_PASSWORD_BYTES);
    if !password
        .expose_secret()
        .bytes()
        .all(|byte| byte.is_ascii_graphic())
    {
        env.problem(format!("{name} has characters other than printable ASCII"));
    }
    password
}

/// Schemas of the user's tables; never one of the services' own or PostgreSQL's.
fn exposed_schemas(env: &mut Env) -> Vec<String> {
    const NAME: &str = "EXPOSED_SCHEMAS";
    let schemas = env.list(NAME, "public");
    for schema in &schemas {
        let is_ours = ["ferrobase", "extensions", "information_schema"].contains(&schema.as_str())
            || ROLES.iter().any(|role| role.schema == Some(schema));
        if is_ours || schema.starts_with("pg_") {
            env.problem(format!("{NAME} names {schema}, which must stay closed"));
        }
    }
    schemas
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let message = load::<Config>(&mut Env::default()).unwrap_err().to_string();
        for name in [
            "DATABASE_ADMIN_URL",
            "AUTHENTICATOR_PASSWORD",
            "AUTH_DB_PASSWORD",
            "EMAIL_DB_PASSWORD",
        ] {
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn a_schema_of_ours_cannot_be_exposed() {
        let mut env = Env::from_pairs([("EXPOSED_SCHEMAS", "public, auth")]);
        let message = load::<Config>(&mut env).unwrap_err().to_string();
        assert!(message.contains("names auth"), "{message}");
    }
}
