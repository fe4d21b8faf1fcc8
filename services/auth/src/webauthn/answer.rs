//! What a browser answers, before anything of it is believed.

use ciborium::Value as Cbor;
use serde::Deserialize;
use serde_json::Value;

use super::{Rejection, cbor, decode, key::PublicKey};

/// `PublicKeyCredential` in JSON, with the members either ceremony fills.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    id: String,
    #[serde(default)]
    raw_id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    pub(super) response: AnswerBody,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnswerBody {
    #[serde(rename = "clientDataJSON")]
    pub(super) client_data_json: String,
    pub(super) attestation_object: Option<String>,
    pub(super) authenticator_data: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) user_handle: Option<String>,
    #[serde(default)]
    pub(super) transports: Option<Vec<String>>,
}

/// An attestation object (§6.5).
pub(super) struct Attestation {
    /// The authenticator's data.
    pub(super) data: Vec<u8>,
    /// Form of the statement.
    pub(super) format: String,
    /// What vouches for the credential.
    pub(super) statement: Vec<(Cbor, Cbor)>,
}

impl Answer {
    pub(super) fn parse(value: &Value) -> Result<Self, Rejection> {
        let answer = Self::deserialize(value).map_err(|_| Rejection::Malformed)?;
        if answer.kind == "public-key" {
            Ok(answer)
        } else {
            Err(Rejection::Malformed)
        }
    }

    pub(super) fn raw_id(&self) -> Result<Vec<u8>, Rejection> {
        let id = decode(Some(&self.id))?;
        match &self.raw_id {
            Some(raw) if decode(Some(raw))? != id => Err(Rejection::Malformed),
            _ => Ok(id),
        }
    }
}

impl Attestation {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let (object, rest) = cbor(bytes)?;
        let members = object.into_map().map_err(|_| Rejection::Malformed)?;
        let (mut data, mut format, mut statement) = (None, None, None);
        for (name, value) in members {
            match name.as_text() {
                Some("authData") => data = value.into_bytes().ok(),
                Some("fmt") => format = value.into_text().ok(),
                Some("attStmt") => statement = value.into_map().ok(),
                _ => {}
            }
        }
        match (data, format, statement, rest.is_empty()) {
            (Some(data), Some(format), Some(statement), true) => Ok(Self {
                data,
                format,
                statement,
            }),
            _ => Err(Rejection::Malformed),
        }
    }
}

/// Takes no statement, or one made with the credential's own key.
pub(super) fn check_statement(
    format: &str,
    statement: &[(Cbor, Cbor)],
    key: &PublicKey,
    signed: &[u8],
) -> Result<(), Rejection> {
    let member = |wanted: &str| {
        let mut named = statement
            .iter()
            .filter(|(name, _)| name.as_text() == Some(wanted));
        named.next().map(|(_, value)| value)
    };
    match format {
        "none" if statement.is_empty() => Ok(()),
        "packed" if member("x5c").is_none() => {
            let algorithm = member("alg").and_then(Cbor::as_integer);
            if algorithm != Some(key.algorithm().into()) {
                return Err(Rejection::Malformed);
            }
            let signature = member("sig").and_then(Cbor::as_bytes);
            key.verify(signed, signature.ok_or(Rejection::Malformed)?)
        }
        _ => Err(Rejection::Refused("an attestation was not asked for")),
    }
}
