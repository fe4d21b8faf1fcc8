//! Requests to sign a user in, by the HTTP-Redirect binding (SAML bindings 3.4).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;
use uuid::Uuid;

use super::{
    canonical::escape_attribute,
    key::RSA_SHA256,
    service_provider::ServiceProvider,
    xml::{ASSERTION, PROTOCOL},
};

/// The binding responses come by.
pub const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// A request to an identity provider.
#[derive(Clone, Copy, Debug)]
pub struct AuthnRequest<'a> {
    /// What the response names it by.
    pub id: &'a str,
    /// Where the browser is sent.
    pub destination: &'a Url,
    /// How the user is to be named.
    pub name_id_format: &'a str,
    /// What the browser brings back.
    pub relay_state: Uuid,
}

/// An identifier for a request: a name of XML, so that it begins with no digit.
pub fn new_id() -> String {
    format!("id-{}", Uuid::new_v4().simple())
}

impl AuthnRequest<'_> {
    /// Where the browser is to be sent: the request in the query, signed.
    pub fn url(&self, us: &ServiceProvider, now: OffsetDateTime) -> anyhow::Result<Url> {
        let request = STANDARD.encode(stored(self.xml(us, now)?.as_bytes())?);
        let signed = form_urlencoded::Serializer::new(String::new())
            .append_pair("SAMLRequest", &request)
            .append_pair("RelayState", &self.relay_state.to_string())
            .append_pair("SigAlg", RSA_SHA256)
            .finish();
        let signature = STANDARD.encode(us.sign(signed.as_bytes())?);
        let signature = form_urlencoded::Serializer::new(String::new())
            .append_pair("Signature", &signature)
            .finish();
        let mut url = self.destination.clone();
        url.set_fragment(None);
        let query = match url.query().filter(|query| !query.is_empty()) {
            Some(query) => format!("{query}&{signed}&{signature}"),
            None => format!("{signed}&{signature}"),
        };
        url.set_query(Some(&query));
        Ok(url)
    }

    fn xml(&self, us: &ServiceProvider, now: OffsetDateTime) -> anyhow::Result<String> {
        let now = now.replace_nanosecond(0)?.format(&Rfc3339)?;
        let escaped = |text: &str| {
            let mut out = String::new();
            escape_attribute(text, &mut out);
            out
        };
        Ok(format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL}\" xmlns:saml=\"{ASSERTION}\" \
             ID=\"{}\" Version=\"2.0\" IssueInstant=\"{now}\" Destination=\"{}\" \
             AssertionConsumerServiceURL=\"{}\" ProtocolBinding=\"{HTTP_POST}\">\
             <saml:Issuer>{}</saml:Issuer>\
             <samlp:NameIDPolicy Format=\"{}\" AllowCreate=\"true\"/></samlp:AuthnRequest>",
            escaped(self.id),
            escaped(self.destination.as_str()),
            escaped(us.acs_url()),
            escaped(us.entity_id()),
            escaped(self.name_id_format),
        ))
    }
}

/// `bytes` in the format DEFLATE, as one block that is not compressed (RFC 1951, 3.2.4): a request is
/// too short to be worth more.
fn stored(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let length = u16::try_from(bytes.len())?;
    let mut out = vec![1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(bytes);
    Ok(out)
}
