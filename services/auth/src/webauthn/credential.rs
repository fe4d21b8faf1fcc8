//! A credential: what is kept of it, and how browsers are told of it.

use base64::{
    DecodeError, Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// A key of an authenticator. Its form in JSON is that of GoTrue's library.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Credential {
    /// Names it.
    pub id: Vec<u8>,
    /// Its public part in COSE's form.
    pub public_key: Vec<u8>,
    /// Form of the statement it came with.
    pub attestation_type: String,
    /// How browsers can reach it.
    pub transports: Option<Vec<String>>,
    /// Kind of authenticator, all noughts when it does not say.
    pub aaguid: Uuid,
    /// Grows with every use, or stays nought.
    pub sign_count: u32,
    /// Whether the authenticator knew who made it.
    pub user_verified: bool,
    /// Whether it can leave the authenticator.
    pub backup_eligible: bool,
    /// Whether it has.
    pub backed_up: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
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

impl Credential {
    /// Names it to a browser.
    pub(super) fn descriptor(&self) -> Value {
        let id = URL_SAFE_NO_PAD.encode(&self.id);
        let mut descriptor = json!({ "type": "public-key", "id": id });
        if let (Some(transports), Some(members)) = (&self.transports, descriptor.as_object_mut()) {
            members.insert("transports".to_owned(), json!(transports));
        }
        descriptor
    }
}

impl TryFrom<Stored> for Credential {
    type Error = DecodeError;

    fn try_from(stored: Stored) -> Result<Self, DecodeError> {
        let aaguid = STANDARD.decode(&stored.authenticator.aaguid)?;
        Ok(Self {
            id: STANDARD.decode(&stored.id)?,
            public_key: STANDARD.decode(&stored.public_key)?,
            attestation_type: stored.attestation_type,
            transports: stored.transport,
            aaguid: Uuid::from_slice(&aaguid).unwrap_or_default(),
            sign_count: stored.authenticator.sign_count,
            user_verified: stored.flags.user_verified,
            backup_eligible: stored.flags.backup_eligible,
            backed_up: stored.flags.backup_state,
        })
    }
}

impl From<Credential> for Stored {
    fn from(credential: Credential) -> Self {
        Self {
            id: STANDARD.encode(&credential.id),
            public_key: STANDARD.encode(&credential.public_key),
            attestation_type: credential.attestation_type,
            transport: credential.transports,
            flags: Flags {
                user_present: true,
                user_verified: credential.user_verified,
                backup_eligible: credential.backup_eligible,
                backup_state: credential.backed_up,
            },
            authenticator: Authenticator {
                aaguid: STANDARD.encode(credential.aaguid.as_bytes()),
                sign_count: credential.sign_count,
                clone_warning: false,
                attachment: String::new(),
            },
        }
    }
}
