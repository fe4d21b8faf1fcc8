//! WebAuthn (W3C, Level 3) as a second factor: what a browser is asked, and whether its answer is
//! genuine.
//!
//! No attestation is asked for, since no maker of authenticators is trusted more than another; a
//! statement that vouches for more than the credential's own key is refused.

mod authenticator;
mod client;
mod key;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ciborium::Value as Cbor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use self::{
    authenticator::Data,
    client::{Ceremony, ClientData},
    key::PublicKey,
};

/// Bytes of a challenge; the standard asks for at least 16.
const CHALLENGE_BYTES: usize = 32;

/// How long a browser may wait for its user, in milliseconds.
const TIMEOUT_MS: u32 = 300_000;

/// Who asks: browsers hand credentials to their own party only.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    /// The domain credentials belong to.
    pub id: String,
    /// What browsers show.
    pub name: String,
    /// The pages that may use them, such as `https://app.example.com`.
    pub origins: Vec<String>,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It has not the form the standard gives it.
    #[error("the answer is malformed")]
    Malformed,
    /// It is well-formed, and not the proof it should be.
    #[error("{0}")]
    Refused(&'static str),
}

/// A credential as it is stored, in the form of GoTrue's library.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    id: String,
    public_key: String,
    #[serde(default)]
    attestation_type: String,
    #[serde(default)]
    transport: Option<Vec<String>>,
    #[serde(default)]
    flags: Flags,
    authenticator: Authenticator,
}

/// What the authenticator said about itself when the credential was made.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of the standard"
)]
struct Flags {
    user_present: bool,
    user_verified: bool,
    backup_eligible: bool,
    backup_state: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Authenticator {
    #[serde(rename = "AAGUID")]
    aaguid: String,
    #[serde(rename = "signCount", default)]
    sign_count: u32,
    #[serde(rename = "cloneWarning", default)]
    clone_warning: bool,
    #[serde(default)]
    attachment: String,
}

/// `PublicKeyCredential` in JSON, with the members either ceremony fills.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    id: String,
    #[serde(default)]
    raw_id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    response: AnswerBody,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerBody {
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    attestation_object: Option<String>,
    authenticator_data: Option<String>,
    signature: Option<String>,
    user_handle: Option<String>,
    #[serde(default)]
    transports: Option<Vec<String>>,
}

/// An attestation object (§6.5).
struct Attestation {
    /// The authenticator's data.
    data: Vec<u8>,
    /// Form of the statement.
    format: String,
    /// What vouches for the credential.
    statement: Vec<(Cbor, Cbor)>,
}

/// A new challenge, as browsers give it back.
pub fn new_challenge() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; CHALLENGE_BYTES]>())
}

impl RelyingParty {
    /// What `navigator.credentials.create` is asked.
    pub fn creation_options(
        &self,
        challenge: &str,
        (user, name): (Uuid, &str),
        known: &[Credential],
    ) -> Value {
        let algorithms: Vec<_> = key::ALGORITHMS
            .into_iter()
            .map(|algorithm| json!({ "type": "public-key", "alg": algorithm }))
            .collect();
        json!({ "publicKey": {
            "rp": { "id": self.id, "name": self.name },
            "user": {
                "id": URL_SAFE_NO_PAD.encode(user.to_string()),
                "name": name,
                "displayName": name,
            },
            "challenge": challenge,
            "pubKeyCredParams": algorithms,
            "timeout": TIMEOUT_MS,
            "excludeCredentials": known.iter().map(Credential::descriptor).collect::<Vec<_>>(),
            "authenticatorSelection": { "userVerification": "preferred" },
            "attestation": "none",
        }})
    }

    /// What `navigator.credentials.get` is asked.
    pub fn request_options(&self, challenge: &str, credential: &Credential) -> Value {
        json!({ "publicKey": {
            "challenge": challenge,
            "timeout": TIMEOUT_MS,
            "rpId": self.id,
            "allowCredentials": [credential.descriptor()],
            "userVerification": "preferred",
        }})
    }

    /// Takes a new credential (§7.1 of the standard).
    pub fn register(&self, challenge: &str, answer: &Value) -> Result<Credential, Rejection> {
        let answer = Answer::parse(answer)?;
        let client_hash = self.check_client(&answer, Ceremony::Create, challenge)?;
        let object = answer.response.attestation_object.as_deref();
        let Attestation {
            data,
            format,
            statement,
        } = Attestation::parse(&decode(object)?)?;
        let parsed = Data::parse(&data)?;
        self.check_authenticator(&parsed)?;
        let attested = parsed.attested.ok_or(Rejection::Malformed)?;
        if attested.credential_id != answer.raw_id()? {
            return Err(Rejection::Refused("the credential is not the one attested"));
        }
        let key = PublicKey::parse(&attested.public_key)?;
        check_statement(
            &format,
            &statement,
            &key,
            &[data.as_slice(), &client_hash].concat(),
        )?;
        Ok(Credential {
            id: STANDARD.encode(&attested.credential_id),
            public_key: STANDARD.encode(&attested.public_key),
            attestation_type: format,
            transport: answer.response.transports,
            flags: Flags {
                user_present: true,
                user_verified: parsed.user_verified,
                backup_eligible: parsed.backup_eligible,
                backup_state: parsed.backup_state,
            },
            authenticator: Authenticator {
                aaguid: STANDARD.encode(attested.aaguid.as_bytes()),
                sign_count: parsed.sign_count,
                clone_warning: false,
                attachment: String::new(),
            },
        })
    }

    /// Takes a proof of holding `credential` (§7.2); gives the credential as it is to be stored.
    pub fn authenticate(
        &self,
        challenge: &str,
        (user, credential): (Uuid, &Credential),
        answer: &Value,
    ) -> Result<Credential, Rejection> {
        let answer = Answer::parse(answer)?;
        if answer.raw_id()? != credential.id()? {
            return Err(Rejection::Refused("the credential is another one"));
        }
        if let Some(handle) = answer.response.user_handle.as_deref()
            && !handle.is_empty()
            && decode(Some(handle))? != user.to_string().as_bytes()
        {
            return Err(Rejection::Refused("the credential is somebody else's"));
        }
        let client_hash = self.check_client(&answer, Ceremony::Get, challenge)?;
        let data = decode(answer.response.authenticator_data.as_deref())?;
        let parsed = Data::parse(&data)?;
        self.check_authenticator(&parsed)?;
        if parsed.backup_eligible != credential.flags.backup_eligible {
            return Err(Rejection::Refused("the credential changed its nature"));
        }
        let key = STANDARD.decode(&credential.public_key);
        let key = PublicKey::parse(&key.map_err(|_| Rejection::Malformed)?)?;
        let signature = decode(answer.response.signature.as_deref())?;
        key.verify(&[data.as_slice(), &client_hash].concat(), &signature)?;
        let before = credential.authenticator.sign_count;
        if (before, parsed.sign_count) != (0, 0) && parsed.sign_count <= before {
            return Err(Rejection::Refused("the authenticator may have been copied"));
        }
        let mut after = credential.clone();
        after.authenticator.sign_count = parsed.sign_count;
        after.flags.backup_state = parsed.backup_state;
        Ok(after)
    }

    /// Fails unless the browser asked the user on one of our pages for this challenge; gives the
    /// hash of what it says it did.
    fn check_client(
        &self,
        answer: &Answer,
        ceremony: Ceremony,
        challenge: &str,
    ) -> Result<[u8; 32], Rejection> {
        let bytes = decode(Some(&answer.response.client_data_json))?;
        ClientData::parse(&bytes)?.check(ceremony, challenge, &self.origins)?;
        Ok(Sha256::digest(&bytes).into())
    }

    fn check_authenticator(&self, data: &Data) -> Result<(), Rejection> {
        if !bool::from(data.rp_id_hash.ct_eq(&Sha256::digest(&self.id))) {
            return Err(Rejection::Refused(
                "the credential belongs to another domain",
            ));
        }
        if !data.user_present {
            return Err(Rejection::Refused("nobody was there"));
        }
        Ok(())
    }
}

impl Credential {
    /// The kind of authenticator, all noughts when it does not say.
    pub fn aaguid(&self) -> Option<Uuid> {
        let bytes = STANDARD.decode(&self.authenticator.aaguid).ok()?;
        Uuid::from_slice(&bytes).ok()
    }

    fn id(&self) -> Result<Vec<u8>, Rejection> {
        STANDARD.decode(&self.id).map_err(|_| Rejection::Malformed)
    }

    fn descriptor(&self) -> Value {
        let id = self.id().unwrap_or_default();
        let mut descriptor = json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(id) });
        if let (Some(transports), Some(members)) = (&self.transport, descriptor.as_object_mut()) {
            members.insert("transports".to_owned(), json!(transports));
        }
        descriptor
    }
}

impl Answer {
    fn parse(value: &Value) -> Result<Self, Rejection> {
        let answer = Self::deserialize(value).map_err(|_| Rejection::Malformed)?;
        if answer.kind == "public-key" {
            Ok(answer)
        } else {
            Err(Rejection::Malformed)
        }
    }

    fn raw_id(&self) -> Result<Vec<u8>, Rejection> {
        let id = decode(Some(&self.id))?;
        match &self.raw_id {
            Some(raw) if decode(Some(raw))? != id => Err(Rejection::Malformed),
            _ => Ok(id),
        }
    }
}

impl Attestation {
    fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
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
fn check_statement(
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

/// One CBOR item and what follows it.
fn cbor(mut bytes: &[u8]) -> Result<(Cbor, &[u8]), Rejection> {
    let value = ciborium::from_reader(&mut bytes).map_err(|_| Rejection::Malformed)?;
    Ok((value, bytes))
}

fn decode(text: Option<&str>) -> Result<Vec<u8>, Rejection> {
    let text = text.ok_or(Rejection::Malformed)?;
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Rejection::Malformed)
}
