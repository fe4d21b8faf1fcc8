//! Everything the service can be told.
//!
//! Variables are named as in `PostgREST`. Those of [`Settings`] can be given in the database too and
//! change while the service runs; the rest is read once.

mod given;
mod listen;
mod settings;

use common::{
    config::{Env, FromEnv},
    postgres::PoolConfig,
    server::UnixSocket,
};

pub use self::{
    given::Given,
    listen::{Door, listen_address},
    settings::{OpenApiMode, Settings, TransactionEnd},
};

/// What a setting begins with when it is in the file behind it.
const FILE: char = '@';

/// Longest request body, unless configured.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the database is, how many connections to make, and for how long.
    pub pool: PoolConfig,
    /// The channel that announces changes, if it is listened to.
    pub channel: Option<String>,
    /// Whether settings can come from the database.
    pub settings_in_database: bool,
    /// Longest request body.
    pub max_body_bytes: usize,
    /// Whether statements are logged.
    pub logs_statements: bool,
    /// Where requests are answered beside the port, if anywhere.
    pub socket: Option<UnixSocket>,
    /// Where the administrator's server listens, if there is one.
    pub admin: Option<Door>,
    /// What can change while the service runs.
    pub settings: Settings,
    /// The texts the settings were read from; they hold where the database gives nothing.
    pub given: Given,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        let given = Given::from_env(env);
        let (settings, problems) = Settings::read(&given);
        for problem in problems {
            env.problem(problem);
        }
        let listens = env.flag("PGRST_DB_CHANNEL_ENABLED", true);
        Self {
            pool: pool(env),
            channel: listens.then(|| env.text("PGRST_DB_CHANNEL", "pgrst")),
            settings_in_database: env.flag("PGRST_DB_CONFIG", true),
            max_body_bytes: env.parse("SQL_REST_MAX_BODY_BYTES", MAX_BODY_BYTES),
            logs_statements: env.flag("PGRST_LOG_QUERY", false),
            socket: listen::socket(env, "PGRST_SERVER_UNIX_SOCKET"),
            admin: listen::admin(env),
            settings,
            given,
        }
    }
}

fn pool(env: &mut Env) -> PoolConfig {
    let name = "PGRST_DB_URI";
    let uri = env.required(name);
    let uri = from_file(&uri).unwrap_or_else(|| {
        env.problem(format!("{name} names a file that cannot be read"));
        String::new()
    });
    let defaults = PoolConfig::checked(env, name, uri);
    let older_idletime = env.parse("PGRST_DB_POOL_TIMEOUT", 30);
    PoolConfig {
        max_connections: env.within("PGRST_DB_POOL", 10, 1..=10_000),
        acquire_timeout: env.seconds("PGRST_DB_POOL_ACQUISITION_TIMEOUT", 10),
        max_idle: env.seconds("PGRST_DB_POOL_MAX_IDLETIME", older_idletime),
        max_lifetime: env.seconds("PGRST_DB_POOL_MAX_LIFETIME", 1800),
        ..defaults
    }
}

/// A text, or the content of the file it names, without the line break at its end.
fn from_file(text: &str) -> Option<String> {
    let Some(path) = text.strip_prefix(FILE) else {
        return Some(text.to_owned());
    };
    let content = std::fs::read_to_string(path).ok()?;
    Some(content.strip_suffix('\n').unwrap_or(&content).to_owned())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, io::Write, time::Duration};

    use common::config::load;

    use super::*;

    const URI: (&str, &str) = ("PGRST_DB_URI", "postgres://authenticator:hunter2@db/app");

    fn config(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let pairs = pairs.iter().copied().chain([URI]);
        load(&mut Env::from_pairs(pairs)).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn a_pool_without_connections_is_refused() {
        let mut env = Env::from_pairs([("PGRST_DB_URI", "postgres://db"), ("PGRST_DB_POOL", "0")]);
        let message = load::<Config>(&mut env).unwrap_err().to_string();
        assert!(message.contains("PGRST_DB_POOL must be 1 to"), "{message}");
    }

    #[test]
    fn little_has_to_be_said() {
        let config = config(&[]).unwrap();
        assert_eq!(config.pool.max_connections, 10);
        assert_eq!(config.pool.acquire_timeout, Duration::from_secs(10));
        assert_eq!(config.channel.as_deref(), Some("pgrst"));
        let settings = &config.settings;
        assert_eq!(settings.core.schemas, ["public"]);
        assert_eq!(settings.extra_search_path, ["public"]);
        assert_eq!(settings.anonymous_role, None);
        assert!(settings.keys.is_none());
    }

    #[test]
    fn texts_can_be_in_files() {
        let file = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            writeln!(file, "{text}").unwrap();
            file
        };
        let (secret, uri) = (
            file("0123456789abcdef0123456789abcdef"),
            file("postgres://me@db/app"),
        );
        let at = |file: &tempfile::NamedTempFile| format!("@{}", file.path().display());
        let pairs = [
            ("PGRST_JWT_SECRET", at(&secret)),
            ("PGRST_DB_URI", at(&uri)),
        ];
        let read = load::<Config>(&mut Env::from_pairs(pairs)).unwrap();
        assert!(read.settings.keys.is_some());
        let message = config(&[("PGRST_JWT_SECRET", "@/nowhere")]).unwrap_err();
        assert!(message.contains("cannot be read"), "{message}");
    }

    #[test]
    fn every_variable_is_in_the_table_for_users() {
        let mut env = Env::from_pairs([URI]);
        load::<Config>(&mut env).unwrap();
        listen_address(&mut env);
        let read: BTreeSet<&str> = env
            .known()
            .filter(|name| name.starts_with("PGRST_") || name.starts_with("SQL_REST_"))
            .collect();
        let page = include_str!("../../../docs/sql-rest.md");
        let told: BTreeSet<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|line| line.split_once('`'))
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("PGRST_") || name.starts_with("SQL_REST_"))
            .filter(|name| *name != "PGRST_APP_SETTINGS_…")
            .collect();
        assert_eq!(read, told);
    }

    #[test]
    fn lists_may_be_empty_where_that_means_something() {
        let empty = [("PGRST_DB_EXTRA_SEARCH_PATH", "")];
        let settings = config(&empty).unwrap().settings;
        assert!(settings.extra_search_path.is_empty());
    }

    #[test]
    fn the_shared_secret_stands_in_for_our_own() {
        let secret = "0123456789abcdef0123456789abcdef";
        let settings = config(&[("JWT_SECRET", secret)]).unwrap().settings;
        assert!(settings.keys.is_some());
    }

    #[test]
    fn all_mistakes_are_named_and_no_secret_is() {
        let message = config(&[
            ("PGRST_JWT_SECRET", "hunter2"),
            ("PGRST_DB_TX_END", "never"),
            ("PGRST_DB_SCHEMAS", "api, pg_catalog"),
            ("PGRST_JWT_ROLE_CLAIM_KEY", "role"),
            ("PGRST_DB_MAX_ROWS", "many"),
        ])
        .unwrap_err();
        for name in [
            "JWT_SECRET",
            "DB_TX_END",
            "pg_catalog",
            "ROLE_CLAIM",
            "MAX_ROWS",
        ] {
            assert!(message.contains(name), "{name}: {message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let secret = "0123456789abcdef0123456789abcdef";
        let config = config(&[("PGRST_JWT_SECRET", secret)]).unwrap();
        let shown = format!("{config:?}");
        assert!(
            !shown.contains(secret) && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn the_database_has_the_last_word_on_settings() {
        let config = config(&[("PGRST_DB_SCHEMAS", "api"), ("PGRST_DB_MAX_ROWS", "5")]).unwrap();
        let given = config
            .given
            .overlaid([("db_schemas".to_owned(), "a, b".to_owned())]);
        let (settings, problems) = Settings::read(&given);
        assert_eq!(problems, [""; 0]);
        assert_eq!(settings.core.schemas, ["a", "b"]);
        assert_eq!(settings.core.max_rows, Some(5));
    }

    #[test]
    fn settings_of_the_application_are_passed_on() {
        let settings = config(&[("PGRST_APP_SETTINGS_GREETING", "hi")])
            .unwrap()
            .settings;
        let expected = [("app.settings.GREETING".to_owned(), "hi".to_owned())];
        assert_eq!(settings.app, expected);
    }
}
