//! Mail: who sends it, what it says, how long its codes are good.

use common::config::{Env, FromEnv};
use secrecy::SecretString;
use time::Duration;
use url::Url;

use super::{duration, otp_length};

/// Mail.
#[derive(Clone, Debug)]
pub struct Mailer {
    /// Whether an address counts as confirmed without a mail.
    pub autoconfirm: bool,
    /// Whether an unconfirmed address may sign in.
    pub allow_unverified_sign_ins: bool,
    /// Whether a change of address must be confirmed from the present one too.
    pub secure_email_change: bool,
    /// Digits of a one-time code.
    pub otp_length: usize,
    /// How long a one-time token is good.
    pub otp_expiry: Duration,
    /// Least time between two mails of one kind to one user.
    pub max_frequency: Duration,
    /// The email service; without it mails are dropped.
    pub email_url: Option<Url>,
    /// What the email service knows us by.
    pub email_token: Option<SecretString>,
    /// Subjects that take the place of the templates' own.
    pub subjects: Vec<(&'static str, String)>,
    /// Where links of a template lead, if not to the verify endpoint.
    pub url_paths: Vec<(&'static str, String)>,
}

/// Names of the mail templates.
const TEMPLATES: [&str; 6] = [
    "confirmation",
    "invite",
    "recovery",
    "magic_link",
    "email_change",
    "reauthentication",
];

impl FromEnv for Mailer {
    fn from_env(env: &mut Env) -> Self {
        let email_url = env.parse_optional("EMAIL_URL");
        Self {
            autoconfirm: env.flag("GOTRUE_MAILER_AUTOCONFIRM", false),
            allow_unverified_sign_ins: env
                .flag("GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", false),
            secure_email_change: env.flag("GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED", true),
            otp_length: otp_length(env, "GOTRUE_MAILER_OTP_LENGTH"),
            otp_expiry: Duration::seconds(env.parse("GOTRUE_MAILER_OTP_EXP", 86_400)),
            max_frequency: duration(env, "GOTRUE_SMTP_MAX_FREQUENCY", Duration::MINUTE),
            email_token: email_url
                .is_some()
                .then(|| env.secret("EMAIL_SERVICE_TOKEN")),
            email_url,
            subjects: per_template(env, "GOTRUE_MAILER_SUBJECTS_"),
            url_paths: per_template(env, "GOTRUE_MAILER_URLPATHS_"),
        }
    }
}

/// The variables of one prefix that are set, by template.
fn per_template(env: &mut Env, prefix: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for template in TEMPLATES {
        let name = format!("{prefix}{}", template.to_ascii_uppercase());
        if let Some(value) = env.optional(&name) {
            found.push((template, value));
        }
    }
    found
}
