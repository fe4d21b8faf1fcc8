//! ID tokens (OpenID Connect Core, 2 and 3.1.3.7): who signed them, for whom, and when.

use anyhow::{Context, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha384, Sha512};
use time::OffsetDateTime;

use super::discovery::{Issuers, TENANT};

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY: i64 = 60;

/// The algorithms of issuers; a shared secret is none, for everybody who verifies could sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The claims of a token that `issuer` signed and that is good at `now`. Whom it is for and its
/// nonce are the caller's to check.
pub async fn verify(
    issuers: &Issuers,
    (issuer, discovery_url): (&str, Option<&str>),
    token: &str,
    now: OffsetDateTime,
) -> anyhow::Result<Value> {
    ensure!(token.len() <= MAX_TOKEN_BYTES, "the token is too long");
    let header = decode_header(token)?;
    ensure!(
        ALGORITHMS.contains(&header.alg),
        "the algorithm is not accepted"
    );
    let from = (issuer, discovery_url);
    let document = issuers.get(issuer, discovery_url, now).await?.document;
    let key = issuers.key(from, header.kid.as_deref(), now).await?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    validation.validate_exp = false;
    // The library refuses a key that is not of the algorithm's kind.
    let claims = decode::<Value>(token, &DecodingKey::from_jwk(&key)?, &validation)?.claims;
    let tenant = claims["tid"].as_str().unwrap_or_default();
    let expected = document.issuer.replace(TENANT, tenant);
    ensure!(claims["iss"] == expected.as_str(), "the issuer is another");
    let second = now.unix_timestamp();
    let expires = claims["exp"].as_i64().context("there is no expiry")?;
    ensure!(second < expires + LEEWAY, "the token has expired");
    let begins = claims["nbf"].as_i64().unwrap_or(second);
    ensure!(begins <= second + LEEWAY, "the token is not good yet");
    Ok(claims)
}

/// Whether one of `clients` is whom the token is for.
pub fn is_for(claims: &Value, clients: &[String]) -> bool {
    let is_ours = |audience: &Value| {
        let audience = audience.as_str().unwrap_or_default();
        !audience.is_empty() && clients.iter().any(|client| client == audience)
    };
    match &claims["aud"] {
        Value::Array(audiences) => audiences.iter().any(is_ours),
        audience => is_ours(audience),
    }
}

/// Whether `access_token` is the one that was issued along with the ID token, if that says which.
pub fn fits(token: &str, claims: &Value, access_token: &str) -> bool {
    let Some(expected) = claims["at_hash"].as_str() else {
        return true;
    };
    let Ok(header) = decode_header(token) else {
        return false;
    };
    let half = match header.alg {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => {
            Sha384::digest(access_token)[..24].to_vec()
        }
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => {
            Sha512::digest(access_token)[..32].to_vec()
        }
        _ => Sha256::digest(access_token)[..16].to_vec(),
    };
    URL_SAFE_NO_PAD.encode(half) == expected
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_for_whom_it_names() {
        let ours = ["one".to_owned(), String::new()];
        assert!(is_for(&json!({"aud": "one"}), &ours));
        assert!(is_for(&json!({"aud": ["two", "one"]}), &ours));
        for claims in [
            json!({"aud": "two"}),
            json!({"aud": ""}),
            json!({"aud": []}),
            json!({}),
        ] {
            assert!(!is_for(&claims, &ours), "{claims}");
        }
    }

    #[test]
    fn the_example_of_the_standard_fits_its_access_token() {
        // OpenID Connect Core, A.3.
        let token = "eyJhbGciOiJSUzI1NiJ9.e30.x";
        let claims = json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"});
        assert!(fits(
            token,
            &claims,
            "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
        ));
        assert!(!fits(token, &claims, "another"));
        assert!(fits(token, &json!({}), "any"));
    }
}
