//! Text messages: how long their codes are good, and numbers that get none.

use common::config::{Env, FromEnv};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::{duration, otp_length};

/// Text messages.
#[derive(Clone, Debug)]
pub struct Sms {
    /// Whether a number counts as confirmed without a message.
    pub autoconfirm: bool,
    /// Who sends them, as shown by the settings.
    pub provider: String,
    /// Digits of a one-time code.
    pub otp_length: usize,
    /// How long a one-time code is good.
    pub otp_expiry: Duration,
    /// Least time between two messages of one kind to one user.
    pub max_frequency: Duration,
    /// Numbers that get no message, and the code that is always theirs.
    pub test_codes: Vec<(String, String)>,
    /// Until when that is so.
    pub test_codes_until: Option<OffsetDateTime>,
}

impl FromEnv for Sms {
    fn from_env(env: &mut Env) -> Self {
        Self {
            autoconfirm: env.flag("GOTRUE_SMS_AUTOCONFIRM", false),
            provider: env.text("GOTRUE_SMS_PROVIDER", ""),
            otp_length: otp_length(env, "GOTRUE_SMS_OTP_LENGTH"),
            otp_expiry: Duration::seconds(env.parse("GOTRUE_SMS_OTP_EXP", 60)),
            max_frequency: duration(env, "GOTRUE_SMS_MAX_FREQUENCY", Duration::MINUTE),
            test_codes: test_codes(env),
            test_codes_until: test_codes_until(env),
        }
    }
}

impl Sms {
    /// The code of a number that gets no message.
    pub fn test_code(&self, phone: &str, now: OffsetDateTime) -> Option<&str> {
        if self.test_codes_until.is_some_and(|until| now > until) {
            return None;
        }
        let mut codes = self.test_codes.iter().filter(|(known, _)| known == phone);
        codes.next().map(|(_, code)| code.as_str())
    }
}

/// `number:code` or `number=code`, separated by commas.
fn test_codes(env: &mut Env) -> Vec<(String, String)> {
    const NAME: &str = "GOTRUE_SMS_TEST_OTP";
    let mut codes = Vec::new();
    for item in env.list(NAME, "") {
        match item.split_once([':', '=']) {
            Some((phone, code)) => codes.push((phone.trim().to_owned(), code.trim().to_owned())),
            None => env.problem(format!("{NAME} is not a list of number:code")),
        }
    }
    codes
}

fn test_codes_until(env: &mut Env) -> Option<OffsetDateTime> {
    const NAME: &str = "GOTRUE_SMS_TEST_OTP_VALID_UNTIL";
    let text = env.optional(NAME)?;
    OffsetDateTime::parse(&text, &Rfc3339)
        .map_err(|_| env.problem(format!("{NAME} is not a time such as 2030-01-01T00:00:00Z")))
        .ok()
}
