//! A second factor of a user.

use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A row of `auth.mfa_factors`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Factor {
    /// Identifies the row.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The user's own name for it.
    pub friendly_name: Option<String>,
    /// `totp`, `phone` or `webauthn`.
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

impl Factor {
    /// Whether the user has proven to hold it.
    pub fn is_verified(&self) -> bool {
        self.status == "verified"
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
