//! The OAuth 2.1 authorization server: applications of others that users sign in to with their
//! account here. (Accounts elsewhere that users sign in with here are [`crate::oauth`].)
//!
//! An application is a [`client`]. It sends the browser with an [`authorization`] request, the site
//! asks the user for consent, and the application exchanges the code it gets for tokens of a session
//! that belongs to user and client both.

pub mod authorization;
pub mod claims;
pub mod client;
pub mod credentials;
pub mod redirect_uri;
pub mod scope;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::config::Config;

/// Who tokens for applications are issued by: what `GOTRUE_JWT_ISSUER` says, or the place where
/// clients reach this service. Without a slash at its end.
pub fn issuer(config: &Config) -> String {
    let configured = &config.jwt.issuer;
    let is_url = Url::parse(configured).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    let issuer = if is_url {
        configured.as_str()
    } else {
        config.external_url.as_str()
    };
    issuer.trim_end_matches('/').to_owned()
}

/// 256 random bits: a client's secret, a code.
pub fn new_secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

/// What is stored of a secret. It has too much entropy to be guessed, so a slow hash would gain
/// nothing.
pub fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret))
}

/// Whether `secret` is what `stored` was made from, in a time that tells nothing.
pub fn is_same(secret: &str, stored: &str) -> bool {
    hash(secret).as_bytes().ct_eq(stored.as_bytes()).into()
}
