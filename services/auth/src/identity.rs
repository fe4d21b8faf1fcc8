//! One way a user signs in: an e-mail address, a phone number, an account elsewhere.

use serde::Serialize;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::user::Members;

/// A row of `auth.identities`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Identity {
    /// Identifies the row.
    pub id: Uuid,
    /// The subject at the provider; for e-mail and phone the user's own id.
    pub provider_id: String,
    /// Whose it is.
    pub user_id: Uuid,
    /// What the provider says about the subject.
    pub identity_data: Json<Members>,
    /// Name of the provider.
    pub provider: String,
    /// Last sign-in this way.
    pub last_sign_in_at: Option<OffsetDateTime>,
    /// When the row was made.
    pub created_at: Option<OffsetDateTime>,
    /// When the row was changed.
    pub updated_at: Option<OffsetDateTime>,
    /// Address in the data.
    pub email: Option<String>,
}

/// An identity, as shown to clients.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IdentityView {
    identity_id: Uuid,
    id: String,
    user_id: Uuid,
    #[schema(value_type = Object)]
    identity_data: Members,
    provider: String,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    last_sign_in_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl From<Identity> for IdentityView {
    fn from(identity: Identity) -> Self {
        Self {
            identity_id: identity.id,
            id: identity.provider_id,
            user_id: identity.user_id,
            identity_data: identity.identity_data.0,
            provider: identity.provider,
            last_sign_in_at: identity.last_sign_in_at,
            created_at: identity.created_at,
            updated_at: identity.updated_at,
            email: identity.email,
        }
    }
}
