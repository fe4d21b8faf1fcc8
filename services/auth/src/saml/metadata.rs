//! What identity providers publish about themselves.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use roxmltree::Node;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::{
    key::Key,
    xml::{self, METADATA, PROTOCOL, SIGNATURE},
};
use crate::error::{Error, Result};

const HTTP_REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// Most keys that are looked at.
const MAX_KEYS: usize = 16;

/// Longest name of an entity (SAML metadata, 2.2.1).
const MAX_ENTITY_ID_BYTES: usize = 1024;

/// An identity provider, as its metadata describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its name.
    pub entity_id: String,
    /// The keys it signs with.
    pub keys: Vec<Key>,
    /// Where browsers are sent with a request, if it takes requests that way.
    pub sign_on_url: Option<Url>,
    /// Until when the metadata hold.
    pub valid_until: Option<OffsetDateTime>,
}

impl IdentityProvider {
    /// Reads metadata; of several entities the first that is an identity provider.
    pub fn read(text: &str) -> Result<Self> {
        let document = xml::parse(text)
            .map_err(|error| invalid(&format!("SAML Metadata cannot be read: {error}")))?;
        let root = document.root_element();
        let entity = if xml::is(root, METADATA, "EntitiesDescriptor") {
            let mut entities = root.descendants();
            entities
                .find(|entity| xml::is(*entity, METADATA, "EntityDescriptor") && is_idp(*entity))
        } else {
            Some(root).filter(|root| xml::is(*root, METADATA, "EntityDescriptor"))
        };
        let entity =
            entity.ok_or_else(|| invalid("SAML Metadata does not contain an EntityDescriptor"))?;
        let entity_id = entity.attribute("entityID").unwrap_or_default();
        if entity_id.is_empty() || entity_id.len() > MAX_ENTITY_ID_BYTES {
            return Err(invalid("SAML Metadata does not contain an EntityID"));
        }
        let mut descriptors = xml::children(entity, METADATA, "IDPSSODescriptor");
        let descriptor = descriptors
            .next()
            .ok_or_else(|| invalid("SAML Metadata does not contain any IDPSSODescriptor"))?;
        if descriptors.next().is_some() {
            return Err(invalid("SAML Metadata contains multiple IDPSSODescriptors"));
        }
        let keys = keys(descriptor);
        if keys.is_empty() {
            return Err(invalid(
                "SAML Metadata does not contain a signing certificate with an RSA or ECDSA key",
            ));
        }
        Ok(Self {
            entity_id: entity_id.to_owned(),
            keys,
            sign_on_url: sign_on_url(descriptor),
            valid_until: [entity, descriptor]
                .into_iter()
                .filter_map(|node| moment(node.attribute("validUntil")))
                .min(),
        })
    }
}

/// What is answered to metadata that are not text.
pub fn not_utf8() -> Error {
    invalid(
        "SAML Metadata XML contains invalid UTF-8 characters, which are not supported at this time",
    )
}

/// A moment as SAML writes it.
pub fn moment(text: Option<&str>) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text?.trim(), &Rfc3339).ok()
}

fn is_idp(entity: Node<'_, '_>) -> bool {
    xml::children(entity, METADATA, "IDPSSODescriptor")
        .next()
        .is_some()
}

/// The keys of all certificates that are there for signing.
fn keys(descriptor: Node<'_, '_>) -> Vec<Key> {
    let signing = xml::children(descriptor, METADATA, "KeyDescriptor")
        .filter(|key| matches!(key.attribute("use"), None | Some("signing")));
    let certificates = signing
        .flat_map(|key| xml::children(key, SIGNATURE, "KeyInfo"))
        .flat_map(|info| xml::children(info, SIGNATURE, "X509Data"))
        .flat_map(|data| xml::children(data, SIGNATURE, "X509Certificate"));
    certificates
        .filter_map(|certificate| {
            let mut text = xml::text(certificate)?;
            text.retain(|c| !c.is_ascii_whitespace());
            Key::of_certificate(&STANDARD.decode(text).ok()?)
        })
        .take(MAX_KEYS)
        .collect()
}

fn sign_on_url(descriptor: Node<'_, '_>) -> Option<Url> {
    let supports = descriptor.attribute("protocolSupportEnumeration");
    if !supports?
        .split_ascii_whitespace()
        .any(|name| name == PROTOCOL)
    {
        return None;
    }
    let mut services = xml::children(descriptor, METADATA, "SingleSignOnService");
    let service = services.find(|service| service.attribute("Binding") == Some(HTTP_REDIRECT))?;
    let url = Url::parse(service.attribute("Location")?.trim()).ok()?;
    matches!(url.scheme(), "https" | "http").then_some(url)
}

fn invalid(message: &str) -> Error {
    Error::invalid(message.to_owned())
}
