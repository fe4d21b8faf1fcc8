//! Text messages: who sends them, and how long their codes are good.

use common::config::{Env, FromEnv};

/// Text messages.
#[derive(Clone, Debug)]
pub struct Sms {
    /// Whether a number counts as confirmed without a message.
    pub autoconfirm: bool,
    /// Who sends them, as shown by the settings.
    pub provider: String,
}

impl FromEnv for Sms {
    fn from_env(env: &mut Env) -> Self {
        Self {
            autoconfirm: env.flag("GOTRUE_SMS_AUTOCONFIRM", false),
            provider: env.text("GOTRUE_SMS_PROVIDER", ""),
        }
    }
}
