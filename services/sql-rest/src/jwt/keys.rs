//! The keys that tokens are signed with.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::config::{MIN_SECRET_BYTES, weakness};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::error::JwtError;

/// Why tokens without signature are refused.
const UNSECURED: &str = "JWT is unsecured but expected 'alg' was not 'none'";
/// No key is of the kind the token wants.
const NO_KEY: &str = "No suitable key was found to decode the JWT";
/// No key gives the signature the token has.
const NO_MATCH: &str = "None of the keys was able to decode the JWT";

/// Keys that verify tokens. Debug output does not show them.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    id: Option<String>,
    /// What it may be used with; a token's own word on that is never taken.
    algorithms: Vec<Algorithm>,
    secret: DecodingKey,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood for the token to be believed (RFC 7515, 4.1.11); nothing of it is.
    crit: Option<IgnoredAny>,
}

/// A set of keys as it is given (RFC 7517, 5), of kinds we may not know.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a text secret, one JSON Web Key, or a set of them; text may be base64.
    pub fn parse(text: &str, is_base64: bool) -> Result<Self, String> {
        if is_base64 {
            let secret = decode_base64(text).ok_or("is not base64")?;
            return match str::from_utf8(&secret) {
                Ok(text) => Self::from_text(text),
                Err(_) => Ok(Self::from_secret(&secret)),
            };
        }
        Self::from_text(text)
    }

    /// The claims of `token`, if one of the keys signed it.
    pub(super) fn verify(&self, token: &str) -> Result<Map<String, Value>, JwtError> {
        if token.is_empty() {
            return Err(JwtError::Empty);
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            return Err(JwtError::Parts(parts.len()));
        };
        let header: Header = decode_json(header).ok_or(JwtError::Crypto)?;
        if header.alg == "none" {
            return Err(JwtError::Algorithm(UNSECURED.to_owned()));
        }
        if header.crit.is_some() {
            return Err(JwtError::Crypto);
        }
        let signed = token
            .strip_suffix(signature)
            .and_then(|text| text.strip_suffix('.'));
        self.check_signature(&header, signed.unwrap_or_default(), signature)?;
        decode_json(payload).ok_or(JwtError::Claims)
    }

    fn check_signature(
        &self,
        header: &Header,
        signed: &str,
        signature: &str,
    ) -> Result<(), JwtError> {
        let algorithm: Option<Algorithm> = header.alg.parse().ok();
        let fits = |key: &&Key| {
            let same_id = header.kid.is_none() || key.id.is_none() || header.kid == key.id;
            same_id && algorithm.is_some_and(|algorithm| key.algorithms.contains(&algorithm))
        };
        let mut candidates = self.0.iter().filter(fits).peekable();
        if candidates.peek().is_none() {
            return Err(JwtError::Key(NO_KEY.to_owned()));
        }
        let signs = |key: &Key| {
            let verified = algorithm.map(|algorithm| {
                jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key.secret, algorithm)
            });
            matches!(verified, Some(Ok(true)))
        };
        if candidates.any(signs) {
            Ok(())
        } else {
            Err(JwtError::Key(NO_MATCH.to_owned()))
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if let Ok(set) = serde_json::from_str::<KeySet>(text) {
            return Self::from_set(set);
        }
        if let Ok(jwk) = serde_json::from_str::<Jwk>(text) {
            return Ok(Self(vec![Key::from_jwk(&jwk)?]));
        }
        match weakness(text, MIN_SECRET_BYTES) {
            Some(weakness) => Err(format!("is too weak: {weakness}")),
            None => Ok(Self::from_secret(text.as_bytes())),
        }
    }

    /// The keys of a set that can verify; others may be in it for other purposes.
    fn from_set(set: KeySet) -> Result<Self, String> {
        let is_for_signatures =
            |jwk: &Jwk| !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
        let keys: Vec<Key> = set
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
            .filter(is_for_signatures)
            .filter_map(|jwk| Key::from_jwk(&jwk).ok())
            .collect();
        if keys.is_empty() {
            return Err("holds no key that is usable".to_owned());
        }
        Ok(Self(keys))
    }

    fn from_secret(secret: &[u8]) -> Self {
        Self(vec![Key {
            id: None,
            algorithms: vec![Algorithm::HS256],
            secret: DecodingKey::from_secret(secret),
        }])
    }
}

impl Key {
    fn from_jwk(jwk: &Jwk) -> Result<Self, String> {
        let secret = DecodingKey::from_jwk(jwk).map_err(|_| "holds a key that is not usable")?;
        let declared = jwk
            .common
            .key_algorithm
            .map(|name| name.to_string().parse());
        let algorithms = match declared {
            Some(Ok(algorithm)) => vec![algorithm],
            Some(Err(_)) => return Err("holds a key of an unknown algorithm".to_owned()),
            None if secret.family() == AlgorithmFamily::Hmac => vec![Algorithm::HS256],
            None => secret.family().algorithms().to_vec(),
        };
        Ok(Self {
            id: jwk.common.key_id.clone(),
            algorithms,
            secret,
        })
    }
}

/// Base64 in either alphabet, padded or not; `.` may stand for `=`.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let url_safe: String = text
        .trim()
        .trim_end_matches(['=', '.'])
        .chars()
        .map(|character| match character {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    URL_SAFE_NO_PAD.decode(url_safe).ok()
}

fn decode_json<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}
