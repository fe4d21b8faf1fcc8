//! What we are to identity providers.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, KeyUsagePurpose, SerialNumber,
    SigningKey,
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use super::{
    assertion::{EMAIL_ADDRESS, PERSISTENT},
    canonical::escape_attribute,
    xml::{METADATA, PROTOCOL, SIGNATURE},
};
use crate::config;

/// How long our metadata may be kept: when it is read by a program, and as a file.
const METADATA_LIFE: Duration = Duration::days(2);
const DOWNLOAD_LIFE: Duration = Duration::days(5 * 365);

/// We, as identity providers see us.
#[derive(Debug)]
pub struct ServiceProvider {
    key: Arc<KeyPair>,
    certificate: Vec<u8>,
    entity_id: String,
    acs_url: String,
}

impl ServiceProvider {
    /// The provider at the configured place. Its certificate is the same for the same key and place.
    pub fn new(config: &config::Saml) -> anyhow::Result<Self> {
        let base = config.external_url.as_str().trim_end_matches('/');
        Ok(Self {
            certificate: certificate(&config.key, &config.external_url)?,
            key: Arc::clone(&config.key),
            entity_id: format!("{base}/sso/saml/metadata"),
            acs_url: format!("{base}/sso/saml/acs"),
        })
    }

    /// Our name: where our metadata are.
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// Where responses are sent.
    pub fn acs_url(&self) -> &str {
        &self.acs_url
    }

    /// An RSA signature with SHA-256.
    pub fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(self.key.sign(message)?)
    }

    /// Our metadata, as a program reads it or to be kept as a file.
    pub fn metadata(&self, is_download: bool, now: OffsetDateTime) -> anyhow::Result<String> {
        let life = if is_download {
            DOWNLOAD_LIFE
        } else {
            METADATA_LIFE
        };
        let until = (now + life).replace_nanosecond(0)?.format(&Rfc3339)?;
        let certificate = STANDARD.encode(&self.certificate);
        let (mut entity_id, mut acs_url) = (String::new(), String::new());
        escape_attribute(&self.entity_id, &mut entity_id);
        escape_attribute(&self.acs_url, &mut acs_url);
        Ok(format!(
            "<EntityDescriptor xmlns=\"{METADATA}\" validUntil=\"{until}\" entityID=\"{entity_id}\">\
             <SPSSODescriptor protocolSupportEnumeration=\"{PROTOCOL}\" \
             WantAssertionsSigned=\"true\">\
             <KeyDescriptor use=\"signing\"><KeyInfo xmlns=\"{SIGNATURE}\"><X509Data>\
             <X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>\
             <NameIDFormat>{EMAIL_ADDRESS}</NameIDFormat>\
             <NameIDFormat>{PERSISTENT}</NameIDFormat>\
             <AssertionConsumerService Binding=\"{}\" Location=\"{acs_url}\" index=\"1\"/>\
             </SPSSODescriptor></EntityDescriptor>",
            super::request::HTTP_POST
        ))
    }
}

/// A certificate around our key. Identity providers read nothing but the key, so all else is fixed:
/// a restart changes nothing about it.
fn certificate(key: &KeyPair, place: &Url) -> anyhow::Result<Vec<u8>> {
    let host = place.host_str().unwrap_or_default();
    let mut params = CertificateParams::new(vec![format!("_samlsp.{host}")])?;
    params.distinguished_name = DistinguishedName::new();
    let name = format!("SAML 2.0 Certificate for {host}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(1_u64));
    params.not_before = OffsetDateTime::UNIX_EPOCH;
    params.not_after = OffsetDateTime::UNIX_EPOCH + Duration::days(200 * 365);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params.self_signed(key)?.der().to_vec())
}
