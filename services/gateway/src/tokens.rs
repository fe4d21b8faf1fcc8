//! Tokens for keys that are none themselves: short-lived, renewed in the background.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use common::{
    clock::Clock,
    identity::{PublicKeys, Verifier},
    lifecycle::Lifecycle,
};
use http::HeaderValue;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::keys::bearer_header;

const LIFETIME: Duration = Duration::from_mins(15);
const RENEWAL: Duration = Duration::from_mins(5);

/// Makes tokens that carry nothing but a role.
#[derive(Clone)]
pub(crate) struct Minter {
    key: EncodingKey,
    verifier: Verifier,
    clock: Clock,
    lifecycle: Lifecycle,
}

#[derive(Serialize)]
struct Claims<'a> {
    role: &'a str,
    iss: &'static str,
    iat: i64,
    exp: i64,
}

impl Minter {
    /// Signs with `secret`, verifies with `keys` too, renews until `lifecycle` stops.
    pub(crate) fn new(
        (secret, keys): (&SecretString, PublicKeys),
        clock: Clock,
        lifecycle: Lifecycle,
    ) -> Self {
        Self {
            key: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            verifier: Verifier::with_keys(secret, keys),
            clock,
            lifecycle,
        }
    }

    /// Verifies tokens of users and servers.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Whether `key` is a genuine, current token that speaks for `role`.
    pub(crate) fn is_token_of(&self, key: &str, role: &str) -> bool {
        let claims = self.verifier.verify(key);
        claims.is_ok_and(|claims| claims.role.as_deref() == Some(role))
    }

    /// The `Authorization` header of `role`, always current.
    pub(crate) fn token_of(&self, role: &'static str) -> Arc<ArcSwap<HeaderValue>> {
        let current = Arc::new(ArcSwap::from_pointee(self.mint(role)));
        let (minter, renewed) = (self.clone(), Arc::downgrade(&current));
        self.lifecycle
            .spawn_until_stop("token renewal", async move {
                loop {
                    tokio::time::sleep(RENEWAL).await;
                    // Nobody holds it any more after a reload that dropped the key.
                    let Some(current) = renewed.upgrade() else {
                        return;
                    };
                    current.store(Arc::new(minter.mint(role)));
                }
            });
        current
    }

    fn mint(&self, role: &str) -> HeaderValue {
        let now = self.clock.now().unix_timestamp();
        let claims = Claims {
            role,
            iss: "ferrobase-gateway",
            iat: now,
            exp: now.saturating_add_unsigned(LIFETIME.as_secs()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)
            .ok()
            .and_then(|token| bearer_header(&token))
            // An upstream refuses this, so a failure to sign never widens anybody's rights.
            .unwrap_or_else(|| HeaderValue::from_static("Bearer unavailable"))
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Minter")
    }
}
