//! Sessions: when they end, and what a used refresh token is still good for.

use common::config::{Env, FromEnv};
use time::Duration;

use super::optional_duration;

/// Refresh tokens and sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Whether a misused refresh token ends its whole family.
    pub rotation: bool,
    /// How long a used refresh token may be used again.
    pub reuse_interval: Duration,
    /// Longest life of a session.
    pub timebox: Option<Duration>,
    /// Longest pause between two refreshes.
    pub inactivity_timeout: Option<Duration>,
    /// How long a session of a user with a second factor may do without it.
    pub allow_low_aal: Option<Duration>,
    /// Whether a user has one session at a time.
    pub single_per_user: bool,
    /// Kinds of clients that have one each; the first is that of every other client.
    pub tags: Vec<String>,
}

impl FromEnv for Sessions {
    fn from_env(env: &mut Env) -> Self {
        let reuse = env.parse("GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", 0);
        Self {
            rotation: env.flag("GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", true),
            reuse_interval: Duration::seconds(reuse),
            timebox: optional_duration(env, "GOTRUE_SESSIONS_TIMEBOX"),
            inactivity_timeout: optional_duration(env, "GOTRUE_SESSIONS_INACTIVITY_TIMEOUT"),
            allow_low_aal: optional_duration(env, "GOTRUE_SESSIONS_ALLOW_LOW_AAL"),
            single_per_user: env.flag("GOTRUE_SESSIONS_SINGLE_PER_USER", false),
            tags: env.list("GOTRUE_SESSIONS_TAGS", ""),
        }
    }
}
