//! Proof Key for Code Exchange (RFC 7636): codes that only their requester can use.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::error::{Error, Result, code};

/// What marks a one-time token whose use yields a code instead of tokens.
pub const PREFIX: &str = "pkce_";

/// The challenge as clients send it; both members or neither.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ChallengeInput {
    code_challenge: String,
    code_challenge_method: String,
}

/// A challenge of the right form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The challenge.
    pub text: String,
    /// `s256` or `plain`.
    pub method: &'static str,
}

impl ChallengeInput {
    /// The challenge, if there is one.
    pub fn parse(&self) -> Result<Option<Challenge>> {
        match (
            self.code_challenge.as_str(),
            self.code_challenge_method.as_str(),
        ) {
            ("", "") => Ok(None),
            ("", _) | (_, "") => Err(Error::invalid(
                "PKCE flow requires code_challenge_method and code_challenge",
            )),
            (challenge, method) => {
                let method = match method.to_ascii_lowercase().as_str() {
                    "s256" => "s256",
                    "plain" => "plain",
                    _ => {
                        return Err(Error::invalid(format!(
                            "unsupported code_challenge method {method:?}"
                        )));
                    }
                };
                if !(43..=128).contains(&challenge.len()) {
                    return Err(Error::invalid(
                        "code challenge has to be between 43 and 128 characters",
                    ));
                }
                let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
                if !challenge.chars().all(is_allowed) {
                    return Err(Error::invalid(
                        "code challenge can only contain alphanumeric characters, hyphens, \
                         periods, underscores and tildes",
                    ));
                }
                Ok(Some(Challenge {
                    text: challenge.to_owned(),
                    method,
                }))
            }
        }
    }

    /// Takes a challenge from elsewhere, such as a query string.
    pub fn new(challenge: &str, method: &str) -> Self {
        Self {
            code_challenge: challenge.to_owned(),
            code_challenge_method: method.to_owned(),
        }
    }
}

/// Fails when `verifier` is not what `challenge` was made from.
pub fn check(challenge: &str, method: &str, verifier: &str) -> Result<()> {
    let made = match method {
        "s256" => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)),
        _ => verifier.to_owned(),
    };
    if bool::from(made.as_bytes().ct_eq(challenge.as_bytes())) {
        Ok(())
    } else {
        let message = "code challenge does not match previously saved code verifier";
        Err(Error::bad_request(code::BAD_CODE_VERIFIER, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_fits() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(check(challenge, "s256", verifier).is_ok());
        assert!(check(challenge, "s256", "another").is_err());
        assert!(check(challenge, "plain", challenge).is_ok());
    }

    #[test]
    fn half_a_challenge_is_refused() {
        let long = "a".repeat(43);
        assert_eq!(ChallengeInput::new("", "").parse().unwrap(), None);
        let challenge = ChallengeInput::new(&long, "S256").parse().unwrap();
        assert_eq!(challenge.map(|challenge| challenge.method), Some("s256"));
        for (challenge, method) in [
            (long.as_str(), ""),
            ("", "s256"),
            ("short", "s256"),
            (&long, "md5"),
        ] {
            assert!(ChallengeInput::new(challenge, method).parse().is_err());
        }
    }
}
