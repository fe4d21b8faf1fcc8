//! Passwords: what a new one must fulfil, and how many are hashed at a time.

use std::{sync::Arc, time::Duration as StdDuration};

use common::config::{Env, FromEnv};

use super::std_duration;
use crate::password::{Requirements, leaked::Leaked};

/// Fewest characters of a password, whatever is configured.
const MIN_LENGTH: usize = 6;

/// Passwords.
#[derive(Clone, Debug)]
pub struct Password {
    /// What a new one must fulfil.
    pub requirements: Requirements,
    /// Whether a change needs a fresh proof of who the user is.
    pub update_requires_reauthentication: bool,
    /// Whether a change needs the present password.
    pub update_requires_current: bool,
    /// Hashes that may be computed at the same time.
    pub workers: usize,
    /// Longest wait for a free worker.
    pub max_wait: StdDuration,
}

impl FromEnv for Password {
    fn from_env(env: &mut Env) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = env.parse("AUTH_PASSWORD_WORKERS", (cores / 2).max(1));
        if workers == 0 {
            env.problem("AUTH_PASSWORD_WORKERS must be at least 1");
        }
        Self {
            requirements: Requirements {
                min_length: env
                    .parse("GOTRUE_PASSWORD_MIN_LENGTH", MIN_LENGTH)
                    .max(MIN_LENGTH),
                characters: Requirements::character_sets(
                    &env.text("GOTRUE_PASSWORD_REQUIRED_CHARACTERS", ""),
                ),
                leaked: leaked(env),
                leaked_fail_closed: env.flag("GOTRUE_PASSWORD_HIBP_FAIL_CLOSED", false),
            },
            update_requires_reauthentication: env.flag(
                "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION",
                false,
            ),
            update_requires_current: env.flag(
                "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD",
                false,
            ),
            workers,
            max_wait: std_duration(env, "AUTH_PASSWORD_MAX_WAIT", 5),
        }
    }
}

fn leaked(env: &mut Env) -> Option<Arc<Leaked>> {
    const NAME: &str = "AUTH_LEAKED_PASSWORDS_PATH";
    const WANTED: &str = "GOTRUE_PASSWORD_HIBP_ENABLED";
    let path = env.optional(NAME);
    let is_wanted = env.flag(WANTED, path.is_some());
    if is_wanted && path.is_none() {
        env.problem(format!(
            "{WANTED} needs a list of passwords: {NAME} is not set"
        ));
    }
    let path = path.filter(|_| is_wanted)?;
    Leaked::open(&path)
        .map(Arc::new)
        .map_err(|error| env.problem(format!("{NAME} cannot be used: {error}")))
        .ok()
}
