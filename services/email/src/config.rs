//! What the service can be told.

use std::{str::FromStr, time::Duration};

use common::{
    config::{Env, FromEnv},
    identity::PublicKeys,
    postgres::PoolConfig,
};
use secrecy::SecretString;

use crate::{
    mailbox::Mailbox,
    sender::{Allowed, Quota, UserPolicy},
    smtp::SmtpConfig,
};

/// The configuration of the service.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) database: PoolConfig,
    pub(crate) jwt_secret: SecretString,
    /// Public keys that access tokens may be signed with besides.
    pub(crate) jwt_keys: PublicKeys,
    pub(crate) service_token: SecretString,
    pub(crate) from: Mailbox,
    pub(crate) delivery: Delivery,
    pub(crate) policy: UserPolicy,
    pub(crate) quota: Quota,
    pub(crate) outbox: OutboxConfig,
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// To a mail server.
    Smtp(SmtpConfig),
    /// Into the memory of this process, for a developer to look at.
    Inbox,
}

/// How patient and how busy the outbox is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutboxConfig {
    /// Mails that are sent at the same time, each over a connection of its own.
    pub(crate) workers: usize,
    /// Attempts at a mail before it is dead.
    pub(crate) max_attempts: u32,
    /// Pause after the first failed attempt; doubled after each further one.
    pub(crate) retry_base: Duration,
    /// Longest time before a worker looks for work it was not told about.
    pub(crate) poll: Duration,
    /// Longest time one step of an attempt may take.
    pub(crate) step_timeout: Duration,
    /// Age at which finished mails are forgotten.
    pub(crate) retention: Duration,
}

impl OutboxConfig {
    /// How long an attempt is its worker's alone: an attempt is two steps, and one for safety.
    pub(crate) fn lease(&self) -> Duration {
        self.step_timeout * 3
    }
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        let step_timeout = env.within("EMAIL_SMTP_TIMEOUT_SECONDS", 60, 1..=3_600);
        let retention_days: u32 = env.within("EMAIL_RETENTION_DAYS", 30, 1..=36_500);
        let delivery = delivery(env);
        Self {
            database: PoolConfig::from_env(env, "EMAIL_DATABASE_URL"),
            jwt_secret: env.secret("JWT_SECRET"),
            jwt_keys: PublicKeys::from_env(env),
            service_token: env.secret("EMAIL_SERVICE_TOKEN"),
            from: from(env, &delivery),
            delivery,
            policy: policy(env),
            quota: Quota {
                per_hour: env.parse("EMAIL_USER_HOURLY_LIMIT", 20),
                per_day: env.parse("EMAIL_USER_DAILY_LIMIT", 100),
            },
            outbox: OutboxConfig {
                workers: env.within("EMAIL_WORKERS", 4, 1..=64),
                max_attempts: env.within("EMAIL_MAX_ATTEMPTS", 30, 1..=1_000),
                retry_base: Duration::from_millis(env.parse("EMAIL_RETRY_BASE_MS", 15_000)),
                poll: Duration::from_millis(env.within("EMAIL_POLL_MS", 1_000, 1..=3_600_000)),
                step_timeout: Duration::from_secs(step_timeout),
                retention: Duration::from_hours(24) * retention_days,
            },
        }
    }
}

/// Everything comes from this mailbox: `EMAIL_FROM`, or what `GoTrue`'s variables say. Mail that
/// nobody gets needs none.
fn from(env: &mut Env, delivery: &Delivery) -> Mailbox {
    const NAME: &str = "EMAIL_FROM";
    let gotrue_name = env.text("GOTRUE_SMTP_SENDER_NAME", "").replace('"', "");
    let gotrue =
        env.optional("GOTRUE_SMTP_ADMIN_EMAIL")
            .map(|address| match gotrue_name.as_str() {
                "" => address,
                name => format!("\"{name}\" <{address}>"),
            });
    let Some(text) = env.optional(NAME).or(gotrue) else {
        if matches!(delivery, Delivery::Smtp(_)) {
            env.problem(format!("{NAME} is not set"));
        }
        return Mailbox::placeholder();
    };
    Mailbox::from_str(&text).unwrap_or_else(|error| {
        env.problem(format!("{NAME} is not usable: {error}"));
        Mailbox::placeholder()
    })
}

/// A mail server, or where none is given and that is wanted, the development inbox.
fn delivery(env: &mut Env) -> Delivery {
    let smtp = SmtpConfig::from_env(env);
    let catches = env.flag("EMAIL_DEV_INBOX", false);
    if smtp.is_none() && !catches {
        env.problem(
            "EMAIL_SMTP_URL is not set; for development, EMAIL_DEV_INBOX=true catches all mail instead",
        );
    }
    smtp.map_or(Delivery::Inbox, Delivery::Smtp)
}

fn policy(env: &mut Env) -> UserPolicy {
    const LIST: &str = "EMAIL_USER_ALLOWLIST";
    let mut allowed = std::collections::BTreeSet::new();
    for entry in env.list(LIST, "") {
        match entry.parse::<Allowed>() {
            Ok(entry) => drop(allowed.insert(entry)),
            Err(problem) => env.problem(format!("{LIST}: {problem}")),
        }
    }
    match env.text("EMAIL_USER_POLICY", "off").as_str() {
        "off" => UserPolicy::Off,
        "self" => UserPolicy::Themselves,
        "allowlist" => {
            if allowed.is_empty() {
                env.problem(format!(
                    "EMAIL_USER_POLICY is allowlist, and {LIST} is empty"
                ));
            }
            UserPolicy::Listed(allowed)
        }
        _ => {
            env.problem("EMAIL_USER_POLICY is neither off, self nor allowlist");
            UserPolicy::Off
        }
    }
}

#[cfg(test)]
mod tests {
    use common::config::load;

    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        (
            "EMAIL_DATABASE_URL",
            "postgres://email_admin@127.0.0.1/postgres",
        ),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("EMAIL_SERVICE_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("EMAIL_FROM", "Ferrobase <noreply@example.com>"),
    ];

    fn problems(more: &[(&str, &str)]) -> String {
        let mut env = Env::from_pairs(COMPLETE.iter().chain(more).copied());
        load::<Config>(&mut env).map_or_else(|invalid| invalid.to_string(), |_| String::new())
    }

    #[test]
    fn mail_must_go_somewhere_and_rather_to_a_server_than_to_the_inbox() {
        assert!(problems(&[]).contains("EMAIL_SMTP_URL is not set"));
        assert_eq!(problems(&[("EMAIL_DEV_INBOX", "true")]), "");
        assert_eq!(
            problems(&[("EMAIL_SMTP_URL", "smtp://mail.example:587")]),
            ""
        );
        let both = [
            ("EMAIL_SMTP_URL", "smtp://mail.example:587"),
            ("EMAIL_DEV_INBOX", "true"),
        ];
        let mut env = Env::from_pairs(COMPLETE.iter().chain(&both).copied());
        let config = load::<Config>(&mut env).unwrap();
        assert!(matches!(config.delivery, Delivery::Smtp(_)));
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let message = load::<Config>(&mut Env::default()).unwrap_err().to_string();
        for name in [
            "EMAIL_DATABASE_URL",
            "JWT_SECRET",
            "EMAIL_SERVICE_TOKEN",
            "EMAIL_SMTP_URL",
        ] {
            assert!(message.contains(name), "{name}: {message}");
        }
    }

    #[test]
    fn numbers_that_would_stop_or_spin_the_workers_are_refused() {
        let inbox = ("EMAIL_DEV_INBOX", "true");
        for name in [
            "EMAIL_WORKERS",
            "EMAIL_MAX_ATTEMPTS",
            "EMAIL_POLL_MS",
            "EMAIL_RETENTION_DAYS",
            "EMAIL_SMTP_TIMEOUT_SECONDS",
        ] {
            for number in ["0", "4000000000"] {
                let problem = problems(&[inbox, (name, number)]);
                assert!(problem.contains(name), "{name}={number}: {problem}");
            }
        }
    }

    #[test]
    fn mail_that_is_sent_has_a_sender() {
        let from = |more: &[(&str, &str)]| {
            let mut env = Env::from_pairs(COMPLETE.iter().chain(more).copied());
            load::<Config>(&mut env).map(|config| config.from.to_string())
        };
        let server = ("EMAIL_SMTP_URL", "smtp://mail.example:587");
        let unset = ("EMAIL_FROM", "");
        let problem = from(&[server, unset]).unwrap_err().to_string();
        assert!(problem.contains("EMAIL_FROM is not set"), "{problem}");
        assert!(from(&[("EMAIL_DEV_INBOX", "true"), unset]).is_ok());
        let gotrue = [
            server,
            unset,
            ("GOTRUE_SMTP_ADMIN_EMAIL", "hello@example.com"),
            ("GOTRUE_SMTP_SENDER_NAME", "Acme, Inc."),
        ];
        assert_eq!(from(&gotrue).unwrap(), "\"Acme, Inc.\" <hello@example.com>");
    }

    #[test]
    fn an_allow_list_must_be_usable() {
        let inbox = ("EMAIL_DEV_INBOX", "true");
        let policy = ("EMAIL_USER_POLICY", "allowlist");
        assert!(problems(&[inbox, policy]).contains("EMAIL_USER_ALLOWLIST is empty"));
        let list = ("EMAIL_USER_ALLOWLIST", "bob@example.com, @example.org");
        assert_eq!(problems(&[inbox, policy, list]), "");
        assert!(
            problems(&[inbox, policy, ("EMAIL_USER_ALLOWLIST", "bob")]).contains("bob is neither")
        );
        assert!(problems(&[inbox, ("EMAIL_USER_POLICY", "all")]).contains("neither off"));
    }
}
