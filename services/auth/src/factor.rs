//! A second factor of a user.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{recovery_code, webauthn::Credential};

/// What a factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Codes that change with time.
    Totp,
    /// Codes sent to a number.
    Phone,
    /// An authenticator of the browser.
    WebAuthn,
}

/// A row of `auth.mfa_factors`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Factor {
    /// Identifies the row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The user's own name for it.
    pub friendly_name: Option<String>,
    /// `totp`, `phone`, `webauthn` or `recovery_code`.
    pub factor_type: String,
    /// `unverified` or `verified`.
    pub status: String,
    /// When the row was made.
    pub created_at: OffsetDateTime,
    /// When the row was changed.
    pub updated_at: OffsetDateTime,
    /// Secret of a TOTP factor.
    pub secret: Option<String>,
    /// Number of a phone factor.
    pub phone: Option<String>,
    /// Last challenge.
    pub last_challenged_at: Option<OffsetDateTime>,
    /// Credential of a WebAuthn factor.
    pub web_authn_credential: Option<Json<Value>>,
    /// Kind of a WebAuthn authenticator.
    pub web_authn_aaguid: Option<Uuid>,
    /// What the last WebAuthn challenge said.
    pub last_webauthn_challenge_data: Option<Json<Value>>,
}

/// A factor, as shown to clients.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FactorView {
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_name: Option<String>,
    factor_type: String,
    phone: String,
    #[serde(with = "time::serde::rfc3339::option")]
    last_challenged_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_authn_aaguid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    last_webauthn_challenge_data: Option<Value>,
}

impl Kind {
    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Totp, Self::Phone, Self::WebAuthn]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// Its name in requests and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Phone => "phone",
            Self::WebAuthn => "webauthn",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Totp => "TOTP",
            Self::Phone => "Phone",
            Self::WebAuthn => "WebAuthn",
        }
    }

    /// How a session says that it was given (RFC 8176 has no names for all of them).
    pub fn method(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Phone => "mfa/phone",
            Self::WebAuthn => "mfa/webauthn",
        }
    }
}

impl Factor {
    /// Whether the user has proven to hold it.
    pub fn is_verified(&self) -> bool {
        self.status == "verified"
    }

    /// What it is; recovery codes are none of these.
    pub fn kind(&self) -> Option<Kind> {
        Kind::parse(&self.factor_type)
    }

    /// Whether it is the codes for those who have lost their other factors.
    pub fn is_recovery_codes(&self) -> bool {
        self.factor_type == recovery_code::FACTOR_TYPE
    }

    /// The credential of a WebAuthn factor.
    pub fn credential(&self) -> Option<Credential> {
        Credential::deserialize(&self.web_authn_credential.as_ref()?.0).ok()
    }
}

impl From<Factor> for FactorView {
    fn from(factor: Factor) -> Self {
        Self {
            id: factor.id,
            created_at: factor.created_at,
            updated_at: factor.updated_at,
            status: factor.status,
            friendly_name: factor.friendly_name.filter(|name| !name.is_empty()),
            factor_type: factor.factor_type,
            phone: factor.phone.unwrap_or_default(),
            last_challenged_at: factor.last_challenged_at,
            web_authn_aaguid: factor.web_authn_aaguid,
            last_webauthn_challenge_data: factor
                .last_webauthn_challenge_data
                .map(|Json(data)| data),
        }
    }
}
