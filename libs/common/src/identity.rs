//! Who is calling: verification of JSON Web Tokens (RFC 7519) and the extractors built on it.
//!
//! The algorithm is that of the key: HS256 for the shared secret, and for a public key what it is made
//! for. What a token's own header says about it is never believed.

mod public_keys;

use std::{fmt, str::FromStr, sync::Arc};

use axum::extract::{FromRef, FromRequestParts};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION, request::Parts};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode_header, errors::ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

pub use self::public_keys::PublicKeys;
use crate::{
    context::RequestContext,
    error::{ApiError, Problem},
};

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verifies tokens signed with the shared secret or a public key. Cheap to clone.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    secret: DecodingKey,
    keys: PublicKeys,
}

impl Verifier {
    /// A verifier of HS256 tokens signed with `secret`.
    pub fn new(secret: &SecretString) -> Self {
        Self::with_keys(secret, PublicKeys::default())
    }

    /// A verifier of HS256 tokens signed with `secret`, and of those that name one of `keys`.
    pub fn with_keys(secret: &SecretString, keys: PublicKeys) -> Self {
        let secret = DecodingKey::from_secret(secret.expose_secret().as_bytes());
        Self(Arc::new(Inner { secret, keys }))
    }

    /// The claims of `token`, if it is genuine and current.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        // Extensions that must be understood (RFC 7515, 4.1.11): none is.
        if header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let named = header.kid.as_deref().and_then(|id| self.0.keys.find(id));
        let (algorithm, key) = named.unwrap_or((Algorithm::HS256, &self.0.secret));
        jsonwebtoken::decode::<Claims>(token, key, &validation(algorithm))
            .map(|decoded| decoded.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })
    }
}

/// The lifetime counts to the second; whom a token is for is not our concern.
fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = 0;
    validation.validate_exp = true;
    validation.validate_nbf = true;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// The claims of a verified token.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Claims {
    /// Subject: the user's id.
    pub sub: Option<String>,
    /// Database role.
    pub role: Option<String>,
    /// Session the token was issued in.
    pub session_id: Option<String>,
    /// E-mail address, when the user has one.
    pub email: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// The role a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holder of the public key, not signed in.
    Anon,
    /// A signed-in user.
    Authenticated,
    /// A server of the operator; above row-level security.
    ServiceRole,
}

impl FromStr for Role {
    type Err = TokenError;

    fn from_str(name: &str) -> Result<Self, TokenError> {
        match name {
            "anon" => Ok(Self::Anon),
            "authenticated" => Ok(Self::Authenticated),
            "service_role" => Ok(Self::ServiceRole),
            _ => Err(TokenError::UnknownRole),
        }
    }
}

/// Why a caller was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No bearer token was sent.
    #[error("send an access token as `Authorization: Bearer <token>`")]
    Missing,
    /// The token is malformed, forged or signed otherwise.
    #[error("the access token is not valid")]
    Invalid,
    /// The token was good once.
    #[error("the access token has expired; refresh it")]
    Expired,
    /// The token's role is none of ours.
    #[error("the access token's role is not known here")]
    UnknownRole,
    /// The token is good but belongs to nobody who is signed in.
    #[error("sign in to use this endpoint")]
    SignInRequired,
    /// The token is good but not the service role's.
    #[error("this endpoint is for the service role")]
    ServiceRoleRequired,
}

impl Problem for TokenError {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownRole | Self::ServiceRoleRequired => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing_token",
            Self::Invalid => "invalid_token",
            Self::Expired => "token_expired",
            Self::UnknownRole => "unknown_role",
            Self::SignInRequired => "sign_in_required",
            Self::ServiceRoleRequired => "service_role_required",
        }
    }
}

/// Anyone with a genuine token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The role the token speaks for.
    pub role: Role,
    /// The user, when the token has one.
    pub user_id: Option<Uuid>,
    /// The token's claims.
    pub claims: Claims,
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers).ok_or(TokenError::Missing)?;
        let claims = Verifier::from_ref(state).verify(token)?;
        let role = claims.role.as_deref().unwrap_or_default().parse()?;
        let user_id = match claims.sub.as_deref() {
            Some(sub) => Some(sub.parse().map_err(|_| TokenError::Invalid)?),
            None => None,
        };
        if let (Some(context), Some(sub)) = (RequestContext::current(), &claims.sub) {
            context.set_user(sub);
        }
        Ok(Self {
            role,
            user_id,
            claims,
        })
    }
}

/// A signed-in user.
#[derive(Clone, Debug)]
pub struct User {
    /// The user's id.
    pub id: Uuid,
    /// The token's claims.
    pub claims: Claims,
}

impl<S> FromRequestParts<S> for User
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match (caller.role, caller.user_id) {
            (Role::Authenticated, Some(id)) => Ok(Self {
                id,
                claims: caller.claims,
            }),
            _ => Err(TokenError::SignInRequired.into()),
        }
    }
}

/// The operator's own servers.
#[derive(Clone, Debug)]
pub struct ServiceRole;

impl<S> FromRequestParts<S> for ServiceRole
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await?.role {
            Role::ServiceRole => Ok(Self),
            _ => Err(TokenError::ServiceRoleRequired.into()),
        }
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750, 2.1), if there is one.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a-secret-that-is-long-enough-for-hs256";

    fn verify(token: &str) -> Result<Claims, TokenError> {
        Verifier::new(&SecretString::from(SECRET)).verify(token)
    }

    fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    #[test]
    fn a_genuine_token_yields_its_claims() {
        let token = sign(Algorithm::HS256, SECRET, &json!({ "role": "anon", "x": 1 }));
        let claims = verify(&token).unwrap();
        assert_eq!(claims.role.as_deref(), Some("anon"));
        assert_eq!(claims.other["x"], 1);
    }

    #[test]
    fn another_secret_or_algorithm_is_refused() {
        let claims = json!({ "role": "service_role" });
        let other_secret = sign(
            Algorithm::HS256,
            "another-secret-of-sufficient-length!!",
            &claims,
        );
        let other_algorithm = sign(Algorithm::HS512, SECRET, &claims);
        // {"alg":"none"} . {"role":"service_role"} . (no signature)
        let unsigned = "eyJhbGciOiJub25lIn0.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.";
        for token in [
            other_secret.as_str(),
            &other_algorithm,
            unsigned,
            "",
            "a.b.c",
        ] {
            assert_eq!(verify(token).unwrap_err(), TokenError::Invalid, "{token}");
        }
    }

    #[test]
    fn a_token_of_a_public_key_is_genuine_only_under_its_name_and_algorithm() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let (der, point) = (pair.serialize_der(), rcgen::PublicKeyData::der_bytes(&pair));
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let set = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256",
            "x": text(&point[1..33]), "y": text(&point[33..65]),
        }] });
        let keys = PublicKeys::parse(&set.to_string()).unwrap();
        let verifier = Verifier::with_keys(&SecretString::from(SECRET), keys);
        let named = |algorithm, id: &str, key: &EncodingKey| {
            let mut header = Header::new(algorithm);
            header.kid = Some(id.to_owned());
            encode(&header, &json!({ "role": "anon" }), key).unwrap()
        };
        let (private, secret) = (
            EncodingKey::from_ec_der(&der),
            EncodingKey::from_secret(SECRET.as_bytes()),
        );
        for token in [
            named(Algorithm::ES256, "one", &private),
            named(Algorithm::HS256, "another", &secret),
        ] {
            assert_eq!(
                verifier.verify(&token).unwrap().role.as_deref(),
                Some("anon")
            );
        }
        for token in [
            named(Algorithm::ES256, "another", &private),
            named(Algorithm::HS256, "one", &secret),
            named(Algorithm::HS256, "one", &EncodingKey::from_secret(point)),
        ] {
            assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Invalid);
        }
    }

    #[test]
    fn a_token_of_an_edwards_key_is_genuine() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let x = URL_SAFE_NO_PAD.encode(rcgen::PublicKeyData::der_bytes(&pair));
        let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x }] });
        let keys = PublicKeys::parse(&set.to_string()).unwrap();
        let verifier = Verifier::with_keys(&SecretString::from(SECRET), keys);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("one".to_owned());
        let key = EncodingKey::from_ed_der(&pair.serialize_der());
        let token = encode(&header, &json!({ "role": "anon" }), &key).unwrap();
        assert_eq!(
            verifier.verify(&token).unwrap().role.as_deref(),
            Some("anon")
        );
        let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let other = EncodingKey::from_ed_der(&other.serialize_der());
        let forged = encode(&header, &json!({ "role": "anon" }), &other).unwrap();
        assert_eq!(verifier.verify(&forged).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn a_set_with_a_key_that_cannot_be_used_is_refused() {
        let secret = json!({ "keys": [{ "kty": "oct", "kid": "one", "k": "AAAA" }] });
        for text in ["", "[]", &secret.to_string()] {
            assert!(PublicKeys::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_that_demands_what_nobody_here_understands_is_refused() {
        let header = Header {
            crit: Some(vec!["exp".to_owned()]),
            ..Header::default()
        };
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&header, &json!({ "role": "anon" }), &key).unwrap();
        assert_eq!(verify(&token).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn an_expired_token_is_told_apart() {
        let token = sign(
            Algorithm::HS256,
            SECRET,
            &json!({ "role": "anon", "exp": 1 }),
        );
        assert_eq!(verify(&token).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn a_token_from_the_future_is_refused() {
        let claims = json!({ "role": "anon", "nbf": 32_503_680_000_u64 });
        let token = sign(Algorithm::HS256, SECRET, &claims);
        assert_eq!(verify(&token).unwrap_err(), TokenError::Invalid);
    }
}
