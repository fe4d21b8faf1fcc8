//! A passkey: a credential of a browser that is all its user needs to sign in.

use serde::Serialize;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::{Uuid, uuid};

use crate::{
    error::{Error, Result, code},
    webauthn::Credential,
};

/// Longest name of a passkey, in bytes.
const MAX_NAME_BYTES: usize = 120;

/// Kinds of authenticators that many people have.
const KNOWN: [(Uuid, &str); 7] = [
    (
        uuid!("fbfc3007-154e-4ecc-8c0b-6e020557d7bd"),
        "Apple Passwords",
    ),
    (
        uuid!("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4"),
        "Google Password Manager",
    ),
    (
        uuid!("08987058-cadc-4b81-b6e1-30de50dcbe96"),
        "Windows Hello",
    ),
    (
        uuid!("9ddd1817-af5a-4672-a2b9-3e3dd95000a9"),
        "Windows Hello",
    ),
    (
        uuid!("6028b017-b1d4-4c02-b4b3-afcdafc96bb2"),
        "Windows Hello",
    ),
    (uuid!("bada5566-a7aa-401f-bd96-45619a55120d"), "1Password"),
    (uuid!("d548826e-79b4-db40-a3d8-11116f7e8349"), "Bitwarden"),
];

/// A row of `auth.webauthn_credentials`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Passkey {
    /// Identifies the row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The user's own name for it.
    pub friendly_name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When somebody last signed in with it.
    pub last_used_at: Option<OffsetDateTime>,
    credential_id: Vec<u8>,
    public_key: Vec<u8>,
    attestation_type: String,
    aaguid: Option<Uuid>,
    sign_count: i64,
    transports: Json<Vec<String>>,
    backup_eligible: bool,
    backed_up: bool,
}

/// A passkey, as shown to clients.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PasskeyView {
    id: Uuid,
    #[serde(skip_serializing_if = "String::is_empty")]
    friendly_name: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    last_used_at: Option<OffsetDateTime>,
}

impl Passkey {
    /// The credential it is.
    pub fn credential(self) -> Credential {
        Credential {
            id: self.credential_id,
            public_key: self.public_key,
            attestation_type: self.attestation_type,
            transports: Some(self.transports.0).filter(|transports| !transports.is_empty()),
            aaguid: self.aaguid.unwrap_or_default(),
            sign_count: u32::try_from(self.sign_count).unwrap_or(u32::MAX),
            user_verified: true,
            backup_eligible: self.backup_eligible,
            backed_up: self.backed_up,
        }
    }
}

impl From<Passkey> for PasskeyView {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.id,
            friendly_name: passkey.friendly_name,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        }
    }
}

/// What a passkey is called until its user says otherwise.
pub fn first_name(aaguid: Uuid) -> &'static str {
    let mut known = KNOWN.into_iter().filter(|(kind, _)| *kind == aaguid);
    known.next().map_or("Passkey", |(_, name)| name)
}

/// Fails when a passkey cannot be called this.
pub fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("friendly_name is required"));
    }
    if name.len() > MAX_NAME_BYTES {
        let message = "friendly_name must be 120 characters or less";
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// The refusal of a passkey that is none, or somebody else's.
pub fn not_found() -> Error {
    Error::not_found(code::VALIDATION_FAILED, "Passkey not found")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passkey_is_named_after_its_authenticator_where_that_is_known() {
        let bitwarden = uuid!("d548826e-79b4-db40-a3d8-11116f7e8349");
        assert_eq!(first_name(bitwarden), "Bitwarden");
        assert_eq!(first_name(Uuid::nil()), "Passkey");
    }
}
