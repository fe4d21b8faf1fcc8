//! What the browser says it did (§5.8.1).

use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::Rejection;

/// Which of the two ceremonies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ceremony {
    /// A credential is made.
    Create,
    /// A credential is used.
    Get,
}

/// `CollectedClientData`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
}

impl ClientData {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        serde_json::from_slice(bytes).map_err(|_| Rejection::Malformed)
    }

    /// Fails unless it is this ceremony, for this challenge, on one of these pages and in no frame
    /// of another page.
    pub(super) fn check(
        &self,
        ceremony: Ceremony,
        challenge: &str,
        origins: &[String],
    ) -> Result<(), Rejection> {
        let expected = match ceremony {
            Ceremony::Create => "webauthn.create",
            Ceremony::Get => "webauthn.get",
        };
        let refused = if self.kind != expected {
            "it is the other ceremony"
        } else if !bool::from(self.challenge.as_bytes().ct_eq(challenge.as_bytes())) {
            "the challenge is another one"
        } else if self.cross_origin || !origins.contains(&self.origin) {
            "the page is not one of ours"
        } else {
            return Ok(());
        };
        Err(Rejection::Refused(refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), Rejection> {
        let origins = ["https://app.example.com".to_owned()];
        ClientData::parse(text.as_bytes())?.check(Ceremony::Get, "abc", &origins)
    }

    #[test]
    fn only_our_pages_may_answer_our_challenge() {
        let good = r#"{"type":"webauthn.get","challenge":"abc",
                       "origin":"https://app.example.com","crossOrigin":false,"more":1}"#;
        assert_eq!(check(good), Ok(()));
        for (from, to) in [
            ("webauthn.get", "webauthn.create"),
            ("\"abc\"", "\"abd\""),
            ("https://app", "http://app"),
            ("example.com", "example.com.evil.org"),
            ("example.com", "example.com:8443"),
            ("false", "true"),
        ] {
            let answer = check(&good.replace(from, to));
            assert!(matches!(answer, Err(Rejection::Refused(_))), "{to}");
        }
        assert_eq!(check("{}"), Err(Rejection::Malformed));
    }
}
