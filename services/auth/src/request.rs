//! What a request says, read the way GoTrue reads it.

use std::{collections::BTreeMap, net::IpAddr};

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use common::server::PeerAddr;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    error::{Error, Result, code},
    passkey,
};

/// Largest body that is read.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Longest `User-Agent` that is kept.
const MAX_USER_AGENT_CHARS: usize = 1024;

/// A JSON body, whatever its content type says. Nulls count as absent, unknown members are ignored.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A JSON body that may be left out.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

/// Parameters of the query string; the first of a name counts.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

/// The user a path names.
#[derive(Clone, Copy, Debug)]
pub struct UserId(pub Uuid);

/// The factor a path names.
#[derive(Clone, Copy, Debug)]
pub struct FactorId(pub Uuid);

/// The passkey a path names.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyId(pub Uuid);

/// The identity a path names.
#[derive(Clone, Copy, Debug)]
pub struct IdentityId(pub Uuid);

/// The provider a path names.
#[derive(Clone, Debug)]
pub struct ProviderName(pub String);

/// The identity provider a path names.
#[derive(Clone, Debug)]
pub struct IdpName(pub String);

/// The OAuth client a path names.
#[derive(Clone, Copy, Debug)]
pub struct ClientId(pub Uuid);

/// The authorization a path names.
#[derive(Clone, Debug)]
pub struct AuthorizationId(pub String);

/// Who sent the request, and with what wishes.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// Address of the client.
    pub ip: Option<IpAddr>,
    /// Program of the client.
    pub user_agent: String,
    /// Audience the request names.
    pub audience: Option<String>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        decode(&read(request).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let bytes = read(request).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        decode(&bytes).map(Self)
    }
}

impl Params {
    /// The value of `name`, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Parameters in the form of a query string.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text) {
            if value.contains('\0') {
                return Err(Error::invalid(format!(
                    "{name} has a character that is not allowed"
                )));
            }
            params
                .entry(name.into_owned())
                .or_insert(value.into_owned());
        }
        Ok(Self(params))
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Self::parse(parts.uri.query().unwrap_or_default().as_bytes())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UserId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        path_id(parts, state, "user_id").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for FactorId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        path_id(parts, state, "factor_id").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PasskeyId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let text = path_text(parts, state, "passkey_id").await;
        Uuid::try_parse(&text.unwrap_or_default())
            .map(Self)
            .map_err(|_| passkey::not_found())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdentityId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        path_id(parts, state, "identity_id").await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ProviderName {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let name = path_text(parts, state, "provider_id").await;
        Ok(Self(name.unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdpName {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let name = path_text(parts, state, "idp_id").await;
        Ok(Self(name.unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let text = path_text(parts, state, "client_id").await;
        Uuid::try_parse(&text.unwrap_or_default())
            .map(Self)
            .map_err(|_| Error::invalid("invalid client_id format"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AuthorizationId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let text = path_text(parts, state, "authorization_id").await;
        Ok(Self(text.unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Ok(Self {
            ip: client_ip(parts),
            user_agent: text(&parts.headers, USER_AGENT.as_str())
                .unwrap_or_default()
                .chars()
                .take(MAX_USER_AGENT_CHARS)
                .collect(),
            audience: text(&parts.headers, "x-jwt-aud").map(str::to_owned),
        })
    }
}

/// A path parameter that must be a UUID.
async fn path_id<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Result<Uuid> {
    let text = path_text(parts, state, name).await;
    Uuid::try_parse(&text.unwrap_or_default())
        .map_err(|_| Error::not_found(code::VALIDATION_FAILED, format!("{name} must be an UUID")))
}

async fn path_text<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let mut named = params.iter().filter(|(known, _)| *known == name);
    named.next().map(|(_, value)| value.to_owned())
}

/// The parameters of a form.
pub async fn form(request: Request) -> Result<Params> {
    Params::parse(&read(request).await?)
}

/// The parameters of a form, or of a JSON object of texts.
pub async fn form_or_json(request: Request) -> Result<Params> {
    let kind = text(request.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.contains("application/json") {
        let bytes = read(request).await?;
        return decode(&bytes).map(Params);
    }
    form(request).await
}

/// Reads a value from JSON text.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| bad_json(&error))?;
    if has_nul(&value) {
        return Err(bad_json(&"a text holds the character U+0000"));
    }
    match &mut value {
        Value::Object(members) => members.retain(|_, member| !member.is_null()),
        Value::Null => value = Value::Object(serde_json::Map::new()),
        _ => return Err(bad_json(&"expected an object")),
    }
    serde_json::from_value(value).map_err(|error| bad_json(&error))
}

/// A header that is text and not empty.
pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)?
        .to_str()
        .ok()
        .filter(|value| !value.is_empty())
}

async fn read(request: Request) -> Result<Bytes> {
    match Limited::new(request.into_body(), MAX_BODY_BYTES)
        .collect()
        .await
    {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            code::REQUEST_ENTITY_TOO_LARGE,
            format!("Request body too large (max {MAX_BODY_BYTES} bytes)"),
        )),
        Err(_) => Err(bad_json(&"the body ended early")),
    }
}

fn bad_json(reason: &dyn std::fmt::Display) -> Error {
    let message = format!("Could not parse request body as JSON: {reason}");
    Error::bad_request(code::BAD_JSON, message)
}

/// PostgreSQL cannot store U+0000; serde has bounded the depth already.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name.contains('\0') || has_nul(member)),
        _ => false,
    }
}

/// The socket's address, or what a proxy of ours says about it. Only a peer on a private network
/// is believed: our services are not reachable from anywhere else.
fn client_ip(parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<PeerAddr>().map(|peer| peer.0.ip());
    let forwarded = || {
        let list = text(&parts.headers, "x-forwarded-for")?;
        list.split(',').find_map(|entry| entry.trim().parse().ok())
    };
    match peer {
        Some(peer) if !is_private(peer) => Some(peer),
        peer => forwarded().or(peer),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Example {
        name: String,
        data: Value,
    }

    #[test]
    fn null_counts_as_absent_and_unknown_members_are_ignored() {
        let example: Example = decode(br#"{"name":null,"data":{"a":null},"more":1}"#).unwrap();
        assert_eq!(example.name, "");
        assert_eq!(example.data, json!({"a": null}));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{\"name\":1}", r#"{"data":{"a":"\u0000"}}"#] {
            let error = decode::<Example>(text.as_bytes()).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("Could not parse request body as JSON: ")
            );
        }
    }

    #[test]
    fn a_public_peer_cannot_claim_another_address() {
        let parts = |peer: &str| {
            let request = http::Request::builder().header("x-forwarded-for", "1.2.3.4, 10.0.0.1");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            parts.extensions.insert(PeerAddr(peer.parse().unwrap()));
            parts
        };
        let claimed: IpAddr = "1.2.3.4".parse().unwrap();
        assert_eq!(client_ip(&parts("172.18.0.2:5000")), Some(claimed));
        let public: IpAddr = "8.8.8.8".parse().unwrap();
        assert_eq!(client_ip(&parts("8.8.8.8:5000")), Some(public));
    }
}
