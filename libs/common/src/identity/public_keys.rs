//! Public keys that access tokens may be signed with besides the shared secret.

use std::fmt;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet},
};

use crate::config::{Env, FromEnv};

/// The keys of `JWT_JWKS`, a JSON Web Key Set (RFC 7517) as auth publishes it. None by default.
#[derive(Clone, Default)]
pub struct PublicKeys(Vec<PublicKey>);

#[derive(Clone)]
struct PublicKey {
    id: String,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl PublicKeys {
    /// The keys of a set, which must all be usable.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let set: JwkSet = serde_json::from_str(text).map_err(|_| "not a JSON Web Key Set")?;
        let keys: Option<Vec<_>> = set.keys.iter().map(PublicKey::new).collect();
        keys.map(Self)
            .ok_or("with a key that has no kid, or is none of EC P-256, Ed25519 and RSA")
    }

    /// The key of this name, and the one algorithm it is for.
    pub(super) fn find(&self, id: &str) -> Option<(Algorithm, &DecodingKey)> {
        let key = self.0.iter().find(|key| key.id == id)?;
        Some((key.algorithm, &key.key))
    }
}

impl FromEnv for PublicKeys {
    fn from_env(env: &mut Env) -> Self {
        let Some(text) = env.optional("JWT_JWKS") else {
            return Self::default();
        };
        Self::parse(&text).unwrap_or_else(|problem| {
            env.problem(format!("JWT_JWKS is {problem}"));
            Self::default()
        })
    }
}

impl PublicKey {
    fn new(jwk: &Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            // A shared secret in a public set would be nobody's secret.
            _ => return None,
        };
        Some(Self {
            id: jwk.common.key_id.clone().filter(|id| !id.is_empty())?,
            algorithm,
            key: DecodingKey::from_jwk(jwk).ok()?,
        })
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|key| &key.id);
        f.debug_list().entries(ids).finish()
    }
}
