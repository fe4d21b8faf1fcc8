//! Who asks browsers for credentials, and whether those let users in.

use common::config::{Env, FromEnv};
use time::Duration;
use url::Url;

use super::duration;
use crate::webauthn::RelyingParty;

/// Credentials of browsers as all that a sign-in needs.
#[derive(Clone, Copy, Debug)]
pub struct Passkeys {
    /// Whether there are any.
    pub enabled: bool,
    /// Most passkeys of a user.
    pub max_per_user: usize,
    /// How long a challenge can be answered.
    pub challenge_expiry: Duration,
}

impl FromEnv for Passkeys {
    fn from_env(env: &mut Env) -> Self {
        let expiry = "GOTRUE_WEBAUTHN_CHALLENGE_EXPIRY_DURATION";
        Self {
            enabled: env.flag("GOTRUE_PASSKEY_ENABLED", false),
            max_per_user: env.parse("GOTRUE_PASSKEY_MAX_PASSKEYS_PER_USER", 10),
            challenge_expiry: duration(env, expiry, Duration::minutes(5)),
        }
    }
}

/// The party of the site unless told otherwise.
pub(super) fn relying_party(env: &mut Env, site: &Url) -> RelyingParty {
    let site_host = site.host_str().unwrap_or_default();
    let site_origin = site.origin().ascii_serialization();
    let party = RelyingParty {
        id: env.text("GOTRUE_WEBAUTHN_RP_ID", site_host),
        name: env.text("GOTRUE_WEBAUTHN_RP_DISPLAY_NAME", site_host),
        origins: env.list("GOTRUE_WEBAUTHN_RP_ORIGINS", &site_origin),
    };
    let is_foreign = |origin: &&String| {
        let host = Url::parse(origin).ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
        host != party.id && !host.ends_with(&format!(".{}", party.id))
    };
    // Applications for Android have origins of another kind.
    let web = |origin: &&String| origin.starts_with("http");
    if let Some(origin) = party.origins.iter().filter(web).find(is_foreign) {
        env.problem(format!(
            "GOTRUE_WEBAUTHN_RP_ORIGINS has {origin}, which is not on the domain {} of \
             GOTRUE_WEBAUTHN_RP_ID",
            party.id
        ));
    }
    party
}
