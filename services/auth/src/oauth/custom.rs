//! Providers that the operator adds while the service runs.

use secrecy::SecretString;
use serde_json::Value;
use sqlx::types::Json;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use super::{
    provider::{Known, Provider},
    rules::{ClientAuth, STANDARD},
};
use crate::{encryption::Keys, user::Members};

/// A row of `auth.custom_oauth_providers`.
#[derive(Clone, sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct CustomProvider {
    /// Identifies the row.
    pub id: Uuid,
    /// `oidc` or `oauth2`.
    pub provider_type: String,
    /// Its name, as clients and identities know it: `custom:` and a word.
    pub identifier: String,
    /// What people call it.
    pub name: String,
    /// What it knows us by.
    pub client_id: String,
    /// What proves to it who we are, encrypted if the row was written so.
    pub client_secret: String,
    /// What else ID tokens may be for.
    pub acceptable_client_ids: Vec<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whether it understands PKCE.
    pub pkce_enabled: bool,
    /// Claims of ours and the members they come from.
    pub attribute_mapping: Json<Members>,
    /// More parameters of the first request.
    pub authorization_params: Json<Members>,
    /// Whether users can sign in with it.
    pub enabled: bool,
    /// Whether a user may have no address.
    pub email_optional: bool,
    /// Who signs ID tokens.
    pub issuer: Option<String>,
    /// Where the issuer's document is, if not where the standard says.
    pub discovery_url: Option<String>,
    /// Whether ID tokens are taken without comparing their nonce.
    pub skip_nonce_check: bool,
    /// Where a browser is sent.
    pub authorization_url: Option<String>,
    /// Where a code is exchanged.
    pub token_url: Option<String>,
    /// Where the profile is.
    pub userinfo_url: Option<String>,
    /// When the row was made.
    pub created_at: OffsetDateTime,
    /// When the row was changed.
    pub updated_at: OffsetDateTime,
}

impl CustomProvider {
    /// A provider about which nothing is said yet.
    pub fn blank(now: OffsetDateTime) -> Self {
        Self {
            id: Uuid::now_v7(),
            provider_type: String::new(),
            identifier: String::new(),
            name: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            acceptable_client_ids: Vec::new(),
            scopes: Vec::new(),
            pkce_enabled: true,
            attribute_mapping: Json(Members::new()),
            authorization_params: Json(Members::new()),
            enabled: true,
            email_optional: false,
            issuer: None,
            discovery_url: None,
            skip_nonce_check: false,
            authorization_url: None,
            token_url: None,
            userinfo_url: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The provider that the row describes.
    pub fn provider(self, callback: &Url, keys: &Keys) -> anyhow::Result<Provider> {
        let secret = keys.open(self.id, &self.client_secret)?;
        let is_oidc = self.provider_type == "oidc";
        let mut scopes = self.scopes;
        if is_oidc && !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        let mut client_ids = vec![self.client_id];
        client_ids.extend(self.acceptable_client_ids);
        let parameters = self.authorization_params.0.into_iter();
        Ok(Provider {
            name: self.identifier,
            client_ids,
            secret: SecretString::from(secret),
            redirect_uri: callback.to_string(),
            issuer: self.issuer.filter(|_| is_oidc),
            discovery_url: self.discovery_url,
            endpoints: (!is_oidc).then(|| Known {
                authorize: self.authorization_url.unwrap_or_default(),
                token: self.token_url.unwrap_or_default(),
                profile: self.userinfo_url,
            }),
            scopes,
            parameters: parameters
                .map(|(name, value)| (name, text(value)))
                .collect(),
            client_auth: if is_oidc {
                ClientAuth::Discovered
            } else {
                ClientAuth::Form
            },
            pkce: self.pkce_enabled,
            rules: STANDARD,
            emails_url: None,
            mapping: self.attribute_mapping.0,
            skip_nonce_check: self.skip_nonce_check,
            email_optional: self.email_optional,
        })
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl std::fmt::Debug for CustomProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomProvider")
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}
