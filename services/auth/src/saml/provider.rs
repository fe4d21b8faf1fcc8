//! Identity providers that admins have made known.

use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::assertion::Mapping;

/// An identity provider: a row of `auth.sso_providers`, its SAML side and its domains.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SsoProvider {
    /// Identifies it.
    pub id: Uuid,
    /// What the operator knows it by.
    pub resource_id: Option<String>,
    /// Whether nobody can sign in by it.
    pub disabled: Option<bool>,
    /// When it was made known.
    pub created_at: Option<OffsetDateTime>,
    /// When it was changed.
    pub updated_at: Option<OffsetDateTime>,
    /// Its name in SAML.
    pub entity_id: String,
    /// What it says about itself.
    pub metadata_xml: String,
    /// Where it says that.
    pub metadata_url: Option<String>,
    /// Which attributes become which claims.
    pub attribute_mapping: Option<Json<Mapping>>,
    /// How users are to be named.
    pub name_id_format: Option<String>,
    /// When the SAML side was changed.
    pub saml_updated_at: Option<OffsetDateTime>,
    /// Whose users it signs in.
    pub domains: Vec<String>,
}

impl SsoProvider {
    /// Whether users can sign in by it.
    pub fn is_enabled(&self) -> bool {
        self.disabled != Some(true)
    }

    /// What the provider of its users' identities is called.
    pub fn name(&self) -> String {
        format!("sso:{}", self.id)
    }
}
