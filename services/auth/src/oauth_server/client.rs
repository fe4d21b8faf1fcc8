//! Applications: what they say about themselves, and what is kept of it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::redirect_uri;
use crate::error::{Error, Result};

/// The grants a client may have.
const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];

/// How a client may prove who it is at the token endpoint.
pub const AUTH_METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

/// Longest name of a client, in characters.
const MAX_NAME: usize = 1024;

/// Longest URL of a client, in characters.
const MAX_URI: usize = 2048;

/// A row of `auth.oauth_clients`. Lists are texts with commas between, as in GoTrue.
#[derive(Clone, sqlx::FromRow)]
pub struct Client {
    /// Identifies the client.
    pub id: Uuid,
    /// Hash of its secret, if it has one.
    pub client_secret_hash: Option<String>,
    /// `dynamic` or `manual`.
    pub registration_type: String,
    /// Where browsers may be sent back to.
    pub redirect_uris: String,
    /// What it may exchange for tokens.
    pub grant_types: String,
    /// Its name.
    pub client_name: Option<String>,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its picture.
    pub logo_uri: Option<String>,
    /// `public` or `confidential`.
    pub client_type: String,
    /// How it proves who it is.
    pub token_endpoint_auth_method: String,
    /// When it was registered.
    pub created_at: OffsetDateTime,
    /// When it was changed.
    pub updated_at: OffsetDateTime,
}

/// A client as it is to be; in a change, what is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClientInput {
    redirect_uris: Option<Vec<String>>,
    client_type: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
}

/// A client as admins and the client itself see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientView {
    client_id: Uuid,
    /// Shown when it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Zero, which is never; there beside a secret (RFC 7591, 3.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u8>,
    client_type: String,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: String,
    grant_types: Vec<String>,
    response_types: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    registration_type: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// A client as users see it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientSummary {
    id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
}

impl Client {
    /// Whether it cannot keep a secret.
    pub fn is_public(&self) -> bool {
        self.client_type == "public"
    }

    /// Whether it may exchange this for tokens.
    pub fn may_use(&self, grant_type: &str) -> bool {
        self.grant_types.split(',').any(|known| known == grant_type)
    }

    /// Whether a browser may be sent back to `uri`: only to the very text that was registered.
    pub fn may_return_to(&self, uri: &str) -> bool {
        self.redirect_uris.split(',').any(|known| known == uri)
    }

    /// What is shown of it, with its secret where that is new.
    pub fn view(self, client_secret: Option<String>) -> ClientView {
        ClientView {
            client_id: self.id,
            client_secret_expires_at: client_secret.is_some().then_some(0),
            client_secret,
            client_type: self.client_type,
            redirect_uris: listed(&self.redirect_uris),
            token_endpoint_auth_method: self.token_endpoint_auth_method,
            grant_types: listed(&self.grant_types),
            response_types: ["code"],
            client_name: self.client_name,
            client_uri: self.client_uri,
            logo_uri: self.logo_uri,
            registration_type: self.registration_type,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// What users see of it.
    pub fn summary(self) -> ClientSummary {
        ClientSummary {
            id: self.id,
            name: self.client_name,
            uri: self.client_uri,
            logo_uri: self.logo_uri,
        }
    }
}

impl ClientInput {
    /// A new client without a secret.
    pub fn register(self, registration_type: &str, now: OffsetDateTime) -> Result<Client> {
        if self.redirect_uris.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::invalid("redirect_uris is required"));
        }
        let (client_type, method) = self.authentication()?;
        let blank = Client {
            id: Uuid::new_v4(),
            client_secret_hash: None,
            registration_type: registration_type.to_owned(),
            redirect_uris: String::new(),
            grant_types: GRANT_TYPES.join(","),
            client_name: None,
            client_uri: None,
            logo_uri: None,
            client_type: client_type.to_owned(),
            token_endpoint_auth_method: method.to_owned(),
            created_at: now,
            updated_at: now,
        };
        let grant_types = self.grant_types.filter(|types| !types.is_empty());
        Self {
            grant_types,
            ..self
        }
        .fill(blank)
    }

    /// `client` with what this says put over it.
    pub fn change(self, client: Client) -> Result<Client> {
        let is_empty = self.redirect_uris.is_none()
            && self.grant_types.is_none()
            && self.client_name.is_none()
            && self.client_uri.is_none()
            && self.logo_uri.is_none();
        if is_empty {
            return Err(Error::invalid("No fields provided for update"));
        }
        if self.redirect_uris.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("redirect_uris cannot be empty"));
        }
        self.fill(client)
    }

    fn fill(self, mut client: Client) -> Result<Client> {
        if let Some(uris) = self.redirect_uris {
            redirect_uri::check_all(&uris).map_err(Error::invalid)?;
            client.redirect_uris = uris.join(",");
        }
        if let Some(types) = self.grant_types {
            check_grant_types(&types)?;
            client.grant_types = types.join(",");
        }
        if let Some(name) = self.client_name {
            if name.chars().count() > MAX_NAME {
                let message = "client_name cannot exceed 1024 characters";
                return Err(Error::invalid(message));
            }
            client.client_name = Some(name).filter(|name| !name.is_empty());
        }
        if let Some(uri) = self.client_uri {
            client.client_uri = checked_uri("client_uri", uri)?;
        }
        if let Some(uri) = self.logo_uri {
            client.logo_uri = checked_uri("logo_uri", uri)?;
        }
        Ok(client)
    }

    /// Type and method, of which one may follow from the other.
    fn authentication(&self) -> Result<(&'static str, &'static str)> {
        let client_type = match self.client_type.as_deref().unwrap_or_default() {
            "" => None,
            "public" => Some("public"),
            "confidential" => Some("confidential"),
            _ => {
                let message = "client_type must be 'public' or 'confidential'";
                return Err(Error::invalid(message));
            }
        };
        let given = self
            .token_endpoint_auth_method
            .as_deref()
            .unwrap_or_default();
        let method = AUTH_METHODS.into_iter().find(|known| *known == given);
        if method.is_none() && !given.is_empty() {
            let known = AUTH_METHODS.join(" ");
            return Err(Error::invalid(format!(
                "token_endpoint_auth_method must be one of: [{known}]"
            )));
        }
        let type_of = |method| {
            if method == "none" {
                "public"
            } else {
                "confidential"
            }
        };
        match (client_type, method) {
            (None, None) => Ok(("confidential", "client_secret_basic")),
            (None, Some(method)) => Ok((type_of(method), method)),
            (Some("public"), None) => Ok(("public", "none")),
            (Some(client_type), None) => Ok((client_type, "client_secret_basic")),
            (Some(client_type), Some(method)) if client_type == type_of(method) => {
                Ok((client_type, method))
            }
            (Some(client_type), Some(method)) => Err(Error::invalid(format!(
                "client_type '{client_type}' is inconsistent with token_endpoint_auth_method \
                 '{method}' (expected client_type '{}')",
                type_of(method)
            ))),
        }
    }
}

fn check_grant_types(types: &[String]) -> Result<()> {
    if types.is_empty() {
        return Err(Error::invalid("grant_types cannot be empty"));
    }
    let is_known = |name: &String| GRANT_TYPES.contains(&name.as_str());
    if types.len() <= GRANT_TYPES.len() && types.iter().all(is_known) {
        return Ok(());
    }
    Err(Error::invalid(
        "grant_types must only contain 'authorization_code' and/or 'refresh_token'",
    ))
}

/// A URL that users may be shown; nothing if it is empty.
fn checked_uri(name: &str, uri: String) -> Result<Option<String>> {
    if uri.chars().count() > MAX_URI {
        return Err(Error::invalid(format!(
            "{name} cannot exceed 2048 characters"
        )));
    }
    let is_web = Url::parse(&uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
    if is_web || uri.is_empty() {
        return Ok(Some(uri).filter(|uri| !uri.is_empty()));
    }
    Err(Error::invalid(format!("{name} must be a valid URL")))
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn register(input: Value) -> Result<Client, String> {
        let input: ClientInput = serde_json::from_value(input).unwrap();
        let client = input.register("manual", OffsetDateTime::UNIX_EPOCH);
        client.map_err(|error| error.to_string())
    }

    #[test]
    fn type_and_method_follow_from_each_other() {
        let uris = json!(["https://app.example.com"]);
        for (client_type, method, expected) in [
            (None, None, ("confidential", "client_secret_basic")),
            (Some("public"), None, ("public", "none")),
            (None, Some("none"), ("public", "none")),
            (
                None,
                Some("client_secret_post"),
                ("confidential", "client_secret_post"),
            ),
        ] {
            let client = register(json!({
                "redirect_uris": uris, "client_type": client_type,
                "token_endpoint_auth_method": method,
            }));
            let client = client.unwrap();
            let found = (
                client.client_type.as_str(),
                client.token_endpoint_auth_method.as_str(),
            );
            assert_eq!(found, expected);
        }
        let contradiction = json!({
            "redirect_uris": uris, "client_type": "public",
            "token_endpoint_auth_method": "client_secret_basic",
        });
        assert!(register(contradiction).is_err());
    }

    #[test]
    fn a_client_returns_to_the_very_uri_it_registered() {
        let uris = json!([
            "https://app.example.com/callback",
            "https://app.example.com/other"
        ]);
        let client = register(json!({ "redirect_uris": uris })).unwrap();
        assert!(client.may_return_to("https://app.example.com/other"));
        for uri in [
            "https://app.example.com/callback/",
            "https://app.example.com/callback?x=1",
            "https://app.example.com/callback,https://app.example.com/other",
            "https://app.example.com/call",
            "",
        ] {
            assert!(!client.may_return_to(uri), "{uri}");
        }
    }

    #[test]
    fn a_picture_is_on_the_web() {
        let input = json!({
            "redirect_uris": ["https://app.example.com"], "logo_uri": "javascript:alert(1)",
        });
        assert_eq!(register(input).unwrap_err(), "logo_uri must be a valid URL");
    }
}
