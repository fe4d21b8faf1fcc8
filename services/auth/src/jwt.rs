//! Access tokens: what they say, how they are signed and verified.

use std::{fmt, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::ErrorKind,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    config,
    error::{Error, Result, code},
    signing_key::SigningKey,
    user::Members,
};

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The claims of an access token, in GoTrue's order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// Who issued it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub iss: String,
    /// The user's id; API keys have none.
    pub sub: String,
    /// Who it is for.
    #[serde(deserialize_with = "one_or_first")]
    pub aud: String,
    /// End of its life, in seconds since 1970.
    pub exp: Option<i64>,
    /// When it was issued.
    pub iat: i64,
    /// Beginning of its life.
    #[serde(skip_serializing)]
    pub nbf: Option<i64>,
    /// The user's address, or nothing.
    pub email: String,
    /// The user's number, or nothing.
    pub phone: String,
    /// What only servers may change.
    pub app_metadata: Members,
    /// What the user may change.
    pub user_metadata: Members,
    /// Database role.
    pub role: String,
    /// How sure we are who the user is.
    pub aal: String,
    /// How the user proved it, newest first.
    pub amr: Vec<Method>,
    /// The session it belongs to.
    pub session_id: String,
    /// Whether the user gave nothing about themselves.
    pub is_anonymous: bool,
    /// The OAuth client that has the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What that client may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// One way a user proved who they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Method {
    /// Name of the way.
    pub method: String,
    /// When, in seconds since 1970.
    pub timestamp: i64,
    /// Who vouched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// The keys that tokens are signed and verified with. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    header: Header,
    signing: EncodingKey,
    keys: Vec<SigningKey>,
    /// The algorithms that count; every key's when there are none.
    valid_methods: Vec<Algorithm>,
    /// Keeps old tokens and API keys good where tokens are signed otherwise.
    secret: DecodingKey,
}

impl Keys {
    /// The keys of the configuration.
    pub fn new(config: &config::Jwt) -> Self {
        let secret = config.secret.expose_secret().as_bytes();
        let signer = config.keys.iter().find(|key| key.signs);
        let (header, signing) = signer
            .and_then(|key| Some((key.header(), key.encoding.clone()?)))
            .unwrap_or_else(|| {
                let mut header = Header::new(Algorithm::HS256);
                header.kid = (!config.key_id.is_empty()).then(|| config.key_id.clone());
                (header, EncodingKey::from_secret(secret))
            });
        Self(Arc::new(Inner {
            header,
            signing,
            keys: config.keys.clone(),
            valid_methods: config.valid_methods.clone(),
            secret: DecodingKey::from_secret(secret),
        }))
    }

    /// A token that makes these claims.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String> {
        encode(&self.0.header, claims, &self.0.signing)
            .map_err(|error| Error::Internal(error.into()))
    }

    /// Whether everybody can verify what is signed, without a secret.
    pub fn are_public(&self) -> bool {
        self.public_algorithm().is_some()
    }

    /// The algorithm of what everybody can verify.
    pub fn public_algorithm(&self) -> Option<&'static str> {
        match self.0.header.alg {
            Algorithm::ES256 => Some("ES256"),
            Algorithm::RS256 => Some("RS256"),
            Algorithm::EdDSA => Some("EdDSA"),
            _ => None,
        }
    }

    /// The claims of `token`, if it is genuine and `now` is within its life.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(bad_jwt("token is malformed: token is too long"));
        }
        let malformed = |error: jsonwebtoken::errors::Error| bad_jwt(reason(error.kind()));
        let header = decode_header(token).map_err(malformed)?;
        let (algorithm, key) = self.key(header.kid.as_deref());
        let valid = &self.0.valid_methods;
        if !valid.is_empty() && !valid.contains(&algorithm) {
            return Err(bad_jwt(reason(&ErrorKind::InvalidAlgorithm)));
        }
        // What the token says about its algorithm is never believed.
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        validation.validate_aud = false;
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, key, &validation)
            .map_err(malformed)?
            .claims;
        let now = now.unix_timestamp();
        if claims.exp.is_some_and(|exp| exp <= now) {
            return Err(bad_jwt("token has invalid claims: token is expired"));
        }
        if claims.nbf.is_some_and(|nbf| nbf > now) {
            return Err(bad_jwt("token has invalid claims: token is not valid yet"));
        }
        Ok(claims)
    }

    /// The public keys as a JSON Web Key Set; shared secrets are not among them.
    pub fn public_set(&self) -> Value {
        let keys: Vec<_> = self
            .0
            .keys
            .iter()
            .filter_map(|key| key.public.clone())
            .collect();
        json!({ "keys": keys })
    }

    /// The key of this name, and the secret for tokens that name none of ours.
    fn key(&self, id: Option<&str>) -> (Algorithm, &DecodingKey) {
        let named = self.0.keys.iter().find(|key| Some(key.id.as_str()) == id);
        named.map_or((Algorithm::HS256, &self.0.secret), |key| {
            (key.algorithm, &key.decoding)
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

fn bad_jwt(reason: &str) -> Error {
    let message = format!("invalid JWT: unable to parse or verify signature, {reason}");
    Error::forbidden(code::BAD_JWT, message)
}

/// What golang-jwt says about the same mistake.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "token signature is invalid: signature is invalid",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "token signature is invalid: signing method is invalid"
        }
        ErrorKind::InvalidToken => {
            "token is malformed: token contains an invalid number of segments"
        }
        _ => "token is malformed: could not be decoded",
    }
}

/// Other issuers write the audience as a list.
fn one_or_first<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(audience) => audience,
        Audience::Many(audiences) => audiences.into_iter().next().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn keys(secret: &str) -> Keys {
        Keys::new(&config::Jwt {
            secret: SecretString::from(secret),
            keys: Vec::new(),
            key_id: String::new(),
            valid_methods: Vec::new(),
            expires_in: Duration::HOUR,
            audience: String::new(),
            issuer: String::new(),
            admin_roles: Vec::new(),
            default_role: String::new(),
        })
    }

    fn claims() -> Claims {
        Claims {
            sub: "a".into(),
            exp: Some(NOW.unix_timestamp() + 1),
            ..Claims::default()
        }
    }

    #[test]
    fn a_token_is_read_back_until_it_expires() {
        let keys = keys("a secret");
        let token = keys.sign(&claims()).unwrap();
        assert_eq!(keys.verify(&token, NOW).unwrap(), claims());
        let error = keys.verify(&token, NOW + Duration::SECOND).unwrap_err();
        assert!(error.to_string().ends_with("token is expired"), "{error}");
    }

    #[test]
    fn forged_tokens_are_refused() {
        let token = keys("another").sign(&claims()).unwrap();
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.";
        for token in [token.as_str(), unsigned, "", "a.b.c", "x"] {
            let error = keys("a secret").verify(token, NOW).unwrap_err();
            assert!(error.to_string().starts_with("invalid JWT: "), "{token}");
        }
    }

    #[test]
    fn empty_texts_are_present_but_an_empty_issuer_is_not() {
        let text = serde_json::to_string(&Claims::default()).unwrap();
        assert!(text.starts_with(r#"{"sub":"","aud":"","exp":"#), "{text}");
        assert!(text.contains(r#""email":"","phone":"""#), "{text}");
    }
}
