//! Who tells people from programs.

use std::time::Duration as StdDuration;

use common::config::Env;
use secrecy::SecretString;
use url::Url;

use super::std_duration;

/// A service that tells people from programs.
#[derive(Clone, Debug)]
pub struct Captcha {
    /// Where a token is verified.
    pub url: Url,
    /// What the service knows us by.
    pub secret: SecretString,
    /// Longest wait for it.
    pub timeout: StdDuration,
}

impl Captcha {
    /// The service, if one is asked.
    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        let enabled = env.flag("GOTRUE_SECURITY_CAPTCHA_ENABLED", false);
        let provider = env.text("GOTRUE_SECURITY_CAPTCHA_PROVIDER", "hcaptcha");
        let default = match provider.as_str() {
            "hcaptcha" => "https://hcaptcha.com/siteverify",
            "turnstile" => "https://challenges.cloudflare.com/turnstile/v0/siteverify",
            _ => {
                env.problem("GOTRUE_SECURITY_CAPTCHA_PROVIDER is neither hcaptcha nor turnstile");
                "https://hcaptcha.com/siteverify"
            }
        };
        let url = env.url("AUTH_CAPTCHA_URL", Some(default));
        let timeout = std_duration(env, "GOTRUE_SECURITY_CAPTCHA_TIMEOUT", 10);
        let secret = if enabled {
            env.secret_of("GOTRUE_SECURITY_CAPTCHA_SECRET", 8)
        } else {
            env.text("GOTRUE_SECURITY_CAPTCHA_SECRET", "").into()
        };
        enabled.then_some(Self {
            url,
            secret,
            timeout,
        })
    }
}
