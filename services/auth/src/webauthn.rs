//! WebAuthn (W3C, Level 3): what a browser is asked, and whether its answer is genuine.
//!
//! No attestation is asked for, since no maker of authenticators is trusted more than another; a
//! statement that vouches for more than the credential's own key is refused.

mod answer;
mod authenticator;
mod client;
mod credential;
mod key;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

pub use self::credential::Credential;
use self::{
    answer::{Answer, Attestation, check_statement},
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

/// What a credential is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It goes with a password or what stands for one.
    SecondFactor,
    /// It is all its user needs, so it is found without a name and knows whose it is.
    Passkey,
}

/// What a browser was asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What it is to sign.
    pub challenge: &'a str,
    /// What the credential is for.
    pub purpose: Purpose,
}

/// A new challenge, as browsers give it back.
pub fn new_challenge() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; CHALLENGE_BYTES]>())
}

/// The credential that an answer says it is of, and the user it says it is from; none of it is
/// proven.
pub fn claimed(answer: &Value) -> Result<(Vec<u8>, Uuid), Rejection> {
    let answer = Answer::parse(answer)?;
    let handle = decode(answer.response.user_handle.as_deref())?;
    let user = Uuid::try_parse_ascii(&handle).map_err(|_| Rejection::Malformed)?;
    Ok((answer.raw_id()?, user))
}

impl Purpose {
    /// How much the authenticator is to care who is there.
    fn user_verification(self) -> &'static str {
        match self {
            Self::SecondFactor => "preferred",
            Self::Passkey => "required",
        }
    }

    fn selection(self) -> Value {
        let verification = self.user_verification();
        match self {
            Self::SecondFactor => json!({ "userVerification": verification }),
            Self::Passkey => json!({
                "residentKey": "required",
                "requireResidentKey": true,
                "userVerification": verification,
            }),
        }
    }
}

impl RelyingParty {
    /// What `navigator.credentials.create` is asked.
    pub fn creation_options(
        &self,
        asked: Asked<'_>,
        (user, name): (Uuid, &str),
        known: &[Credential],
    ) -> Value {
        let algorithms: Vec<_> = key::ALGORITHMS
            .into_iter()
            .map(|algorithm| json!({ "type": "public-key", "alg": algorithm }))
            .collect();
        json!({
            "rp": { "id": self.id, "name": self.name },
            "user": {
                "id": URL_SAFE_NO_PAD.encode(user.to_string()),
                "name": name,
                "displayName": name,
            },
            "challenge": asked.challenge,
            "pubKeyCredParams": algorithms,
            "timeout": TIMEOUT_MS,
            "excludeCredentials": known.iter().map(Credential::descriptor).collect::<Vec<_>>(),
            "authenticatorSelection": asked.purpose.selection(),
            "attestation": "none",
        })
    }

    /// What `navigator.credentials.get` is asked; for any credential of ours when none is named.
    pub fn request_options(&self, asked: Asked<'_>, credential: Option<&Credential>) -> Value {
        json!({
            "challenge": asked.challenge,
            "timeout": TIMEOUT_MS,
            "rpId": self.id,
            "allowCredentials": credential.map(Credential::descriptor).as_slice(),
            "userVerification": asked.purpose.user_verification(),
        })
    }

    /// Takes a new credential (§7.1 of the standard).
    pub fn register(&self, asked: Asked<'_>, answer: &Value) -> Result<Credential, Rejection> {
        let answer = Answer::parse(answer)?;
        let client_hash = self.check_client(&answer, Ceremony::Create, asked.challenge)?;
        let object = answer.response.attestation_object.as_deref();
        let Attestation {
            data,
            format,
            statement,
        } = Attestation::parse(&decode(object)?)?;
        let parsed = Data::parse(&data)?;
        self.check_authenticator(&parsed, asked.purpose)?;
        let attested = parsed.attested.ok_or(Rejection::Malformed)?;
        if attested.credential_id != answer.raw_id()? {
            return Err(Rejection::Refused("the credential is not the one attested"));
        }
        let key = PublicKey::parse(&attested.public_key)?;
        let signed = [data.as_slice(), &client_hash].concat();
        check_statement(&format, &statement, &key, &signed)?;
        Ok(Credential {
            id: attested.credential_id,
            public_key: attested.public_key,
            attestation_type: format,
            transports: answer.response.transports,
            aaguid: attested.aaguid,
            sign_count: parsed.sign_count,
            user_verified: parsed.user_verified,
            backup_eligible: parsed.backup_eligible,
            backed_up: parsed.backup_state,
        })
    }

    /// Takes a proof of holding `credential` (§7.2); gives the credential as it is to be stored.
    pub fn authenticate(
        &self,
        asked: Asked<'_>,
        (user, credential): (Uuid, &Credential),
        answer: &Value,
    ) -> Result<Credential, Rejection> {
        let answer = Answer::parse(answer)?;
        if answer.raw_id()? != credential.id {
            return Err(Rejection::Refused("the credential is another one"));
        }
        if let Some(handle) = answer.response.user_handle.as_deref()
            && !handle.is_empty()
            && decode(Some(handle))? != user.to_string().as_bytes()
        {
            return Err(Rejection::Refused("the credential is somebody else's"));
        }
        let client_hash = self.check_client(&answer, Ceremony::Get, asked.challenge)?;
        let data = decode(answer.response.authenticator_data.as_deref())?;
        let parsed = Data::parse(&data)?;
        self.check_authenticator(&parsed, asked.purpose)?;
        if parsed.backup_eligible != credential.backup_eligible {
            return Err(Rejection::Refused("the credential changed its nature"));
        }
        let key = PublicKey::parse(&credential.public_key)?;
        let signature = decode(answer.response.signature.as_deref())?;
        key.verify(&[data.as_slice(), &client_hash].concat(), &signature)?;
        let before = credential.sign_count;
        if (before, parsed.sign_count) != (0, 0) && parsed.sign_count <= before {
            return Err(Rejection::Refused("the authenticator may have been copied"));
        }
        Ok(Credential {
            sign_count: parsed.sign_count,
            backed_up: parsed.backup_state,
            ..credential.clone()
        })
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

    fn check_authenticator(&self, data: &Data, purpose: Purpose) -> Result<(), Rejection> {
        if !bool::from(data.rp_id_hash.ct_eq(&Sha256::digest(&self.id))) {
            return Err(Rejection::Refused(
                "the credential belongs to another domain",
            ));
        }
        if !data.user_present {
            return Err(Rejection::Refused("nobody was there"));
        }
        if purpose == Purpose::Passkey && !data.user_verified {
            return Err(Rejection::Refused("it is not known who was there"));
        }
        Ok(())
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
