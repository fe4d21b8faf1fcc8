//! An identity provider that speaks SAML. It writes canonical text by hand, so that nothing of what it
//! is there to test has a part in it.

use std::sync::OnceLock;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::client::Response;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

use crate::support::{Fixture, service_role, text, with};

pub(crate) const ACS: &str = "http://api.example.com/auth/v1/sso/saml/acs";
pub(crate) const ENTITY: &str = "http://api.example.com/auth/v1/sso/saml/metadata";
pub(crate) const DOMAIN: &str = "acme.example";

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// An identity provider with a key of its own.
pub(crate) struct IdentityProvider {
    pub(crate) entity_id: String,
    key: KeyPair,
    certificate: String,
}

/// What is signed of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    Assertion,
    Response,
    Both,
    Nothing,
}

/// What a response says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) status: &'static str,
    pub(crate) destination: &'static str,
    pub(crate) recipient: &'static str,
    pub(crate) audience: &'static str,
    pub(crate) request_id: Option<String>,
    pub(crate) name_id: String,
    pub(crate) name_id_format: &'static str,
    pub(crate) attributes: String,
    pub(crate) not_before: OffsetDateTime,
    pub(crate) not_on_or_after: OffsetDateTime,
    pub(crate) session_ends_at: Option<OffsetDateTime>,
    pub(crate) signed: Signed,
}

impl IdentityProvider {
    /// A provider with a key on the curve P-256.
    pub(crate) fn new(entity_id: &str) -> Self {
        Self::with_key(entity_id, KeyPair::generate().expect("a key"))
    }

    /// A provider with an RSA key.
    pub(crate) fn with_rsa(entity_id: &str) -> Self {
        Self::with_key(entity_id, rsa_key())
    }

    fn with_key(entity_id: &str, key: KeyPair) -> Self {
        let params = CertificateParams::new(vec!["idp".to_owned()]).expect("parameters");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            entity_id: entity_id.to_owned(),
            key,
            certificate: STANDARD.encode(certificate.der()),
        }
    }

    /// What it publishes about itself.
    pub(crate) fn metadata(&self) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<md:EntityDescriptor entityID=\"{}\" \
             xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"><!-- kept by hand -->\n\
             <md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
             protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\n\
             <md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"{DS}\"><ds:X509Data>\
             <ds:X509Certificate>\n{}\n</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
             </md:KeyDescriptor><md:SingleSignOnService \
             Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
             Location=\"https://idp.example.com/sso?tenant=1\"/></md:IDPSSODescriptor>\
             </md:EntityDescriptor>",
            self.entity_id, self.certificate
        )
    }

    /// The response, signed as `said` says.
    pub(crate) fn response(&self, said: &Said) -> String {
        let sign = |element: String, id: &str, wanted: bool| {
            let signature = wanted.then(|| self.signature(&element, id));
            let end = "</saml:Issuer>";
            let (head, tail) = element.split_once(end).expect("an issuer");
            format!("{head}{end}{}{tail}", signature.unwrap_or_default())
        };
        let signs = |what| said.signed == what || said.signed == Signed::Both;
        let assertion = sign(said.assertion(), &said.id, signs(Signed::Assertion));
        let id = format!("r-{}", said.id);
        sign(said.envelope(&id, &assertion), &id, signs(Signed::Response))
    }

    /// A signature of `element`, which is canonical and has this id.
    pub(crate) fn signature(&self, element: &str, id: &str) -> String {
        let algorithm = if self.key.algorithm() == &PKCS_RSA_SHA256 {
            "rsa-sha256"
        } else {
            "ecdsa-sha256"
        };
        let digest = STANDARD.encode(Sha256::digest(element));
        let info = format!(
            "<ds:SignedInfo xmlns:ds=\"{DS}\"><ds:CanonicalizationMethod \
             Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod><ds:SignatureMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#{algorithm}\">\
             </ds:SignatureMethod><ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform \
             Algorithm=\"{DS}enveloped-signature\"></ds:Transform><ds:Transform \
             Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms><ds:DigestMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
             <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        let value = self.key.sign(info.as_bytes()).expect("a signature");
        let value = STANDARD.encode(self.plain(&value));
        // Where the signature declares the prefix, what is in it has no need to.
        let info = info.replacen(&format!(" xmlns:ds=\"{DS}\""), "", 1);
        format!(
            "<ds:Signature xmlns:ds=\"{DS}\">{info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>\
             </ds:KeyInfo></ds:Signature>",
            self.certificate
        )
    }

    /// Signatures in XML are two numbers of fixed length where certificates have them in DER.
    fn plain(&self, signature: &[u8]) -> Vec<u8> {
        if self.key.algorithm() == &PKCS_RSA_SHA256 {
            return signature.to_vec();
        }
        let (mut plain, mut rest) = (Vec::new(), &signature[2..]);
        for _ in 0..2 {
            let (number, tail) = rest[2..].split_at(rest[1].into());
            let number = &number[number.len().saturating_sub(32)..];
            plain.extend(vec![0; 32 - number.len()]);
            plain.extend(number);
            rest = tail;
        }
        plain
    }
}

impl Said {
    /// Ada is signed in, in answer to a request.
    pub(crate) fn of(idp: &IdentityProvider, request_id: Option<&str>) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            id: format!("a-{}", uuid::Uuid::new_v4()),
            issuer: idp.entity_id.clone(),
            status: "Success",
            destination: ACS,
            recipient: ACS,
            audience: ENTITY,
            request_id: request_id.map(str::to_owned),
            name_id: "ada-1".to_owned(),
            name_id_format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            attributes: attribute("mail", "Ada@example.com"),
            not_before: now - Duration::MINUTE,
            not_on_or_after: now + Duration::minutes(5),
            session_ends_at: None,
            signed: Signed::Assertion,
        }
    }

    /// The assertion in canonical form.
    pub(crate) fn assertion(&self) -> String {
        let (from, until) = (at(self.not_before), at(self.not_on_or_after));
        let session = self
            .session_ends_at
            .map(|end| format!(" SessionNotOnOrAfter=\"{}\"", at(end)));
        let answers = self
            .request_id
            .as_ref()
            .map(|id| format!(" InResponseTo=\"{id}\""));
        format!(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{}\" \
             IssueInstant=\"{from}\" Version=\"2.0\"><saml:Issuer>{}</saml:Issuer><saml:Subject>\
             <saml:NameID Format=\"{}\">{}</saml:NameID><saml:SubjectConfirmation \
             Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData{} \
             NotOnOrAfter=\"{until}\" Recipient=\"{}\"></saml:SubjectConfirmationData>\
             </saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"{from}\" \
             NotOnOrAfter=\"{until}\"><saml:AudienceRestriction><saml:Audience>{}\
             </saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement \
             AuthnInstant=\"{from}\"{}></saml:AuthnStatement><saml:AttributeStatement>{}\
             </saml:AttributeStatement></saml:Assertion>",
            self.id,
            self.issuer,
            self.name_id_format,
            self.name_id,
            answers.unwrap_or_default(),
            self.recipient,
            self.audience,
            session.unwrap_or_default(),
            self.attributes,
        )
    }

    /// The response around an assertion, in canonical form.
    pub(crate) fn envelope(&self, id: &str, assertion: &str) -> String {
        let answers = self
            .request_id
            .as_ref()
            .map(|id| format!(" InResponseTo=\"{id}\""));
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             Destination=\"{}\" ID=\"{id}\"{} IssueInstant=\"{}\" Version=\"2.0\"><saml:Issuer \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{}</saml:Issuer><samlp:Status>\
             <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{}\">\
             </samlp:StatusCode></samlp:Status>{assertion}</samlp:Response>",
            self.destination,
            answers.unwrap_or_default(),
            at(self.not_before),
            self.issuer,
            self.status,
        )
    }
}

/// An attribute in canonical form.
pub(crate) fn attribute(name: &str, value: &str) -> String {
    format!(
        "<saml:Attribute Name=\"{name}\"><saml:AttributeValue>{value}</saml:AttributeValue>\
         </saml:Attribute>"
    )
}

fn at(time: OffsetDateTime) -> String {
    let whole = time.replace_nanosecond(0).expect("a time");
    whole.format(&Rfc3339).expect("a time")
}

fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key")
}

/// Our own key as `GOTRUE_SAML_PRIVATE_KEY` has it: what PKCS#8 wraps.
pub(crate) fn private_key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| STANDARD.encode(&rsa_key().serialize_der()[26..]))
}

/// auth with SAML.
pub(crate) async fn saml(more: &[(&str, &str)]) -> Fixture {
    let mut settings = vec![
        ("GOTRUE_SAML_ENABLED", "true"),
        ("GOTRUE_SAML_PRIVATE_KEY", private_key()),
        ("GOTRUE_URI_ALLOW_LIST", "myapp://done"),
        ("GOTRUE_SAML_RATE_LIMIT_ASSERTION", "1000"),
    ];
    settings.extend(more);
    with(settings).await
}

/// auth with SAML, and an identity provider it knows.
pub(crate) async fn with_idp(more: &[(&str, &str)]) -> (Fixture, IdentityProvider, Value) {
    let service = saml(more).await;
    let idp = IdentityProvider::new("https://idp.example.com");
    let body = json!({
        "type": "saml", "metadata_xml": idp.metadata(), "domains": [DOMAIN],
    });
    let provider = add(&service, &body)
        .await
        .expect(StatusCode::CREATED)
        .json();
    (service, idp, provider)
}

/// Makes an identity provider known.
pub(crate) async fn add(service: &Fixture, body: &Value) -> Response {
    let request = service.client.post("/admin/sso/providers");
    request.bearer(&service_role()).json(body).send().await
}

/// A sign-on that an application began: what its request and its browser carry.
pub(crate) struct Begun {
    pub(crate) request_id: String,
    pub(crate) relay_state: String,
    pub(crate) url: Url,
}

/// Begins a sign-on.
pub(crate) async fn begin(service: &Fixture, more: Value) -> Begun {
    let mut body = json!({"domain": DOMAIN, "skip_http_redirect": true});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let answer = service
        .post("/sso", body)
        .await
        .expect(StatusCode::OK)
        .json();
    let url = Url::parse(text(&answer, "url")).expect("a URL");
    let request = request_of(&url);
    let (_, tail) = request.split_once(" ID=\"").expect("an id");
    Begun {
        request_id: tail.split('"').next().expect("an id").to_owned(),
        relay_state: parameter(&url, "RelayState"),
        url,
    }
}

/// The request in a URL: one block of DEFLATE that is not compressed.
pub(crate) fn request_of(url: &Url) -> String {
    let bytes = STANDARD
        .decode(parameter(url, "SAMLRequest"))
        .expect("Base64");
    assert_eq!(bytes[0], 1);
    assert_eq!(
        usize::from(u16::from_le_bytes([bytes[1], bytes[2]])),
        bytes.len() - 5
    );
    String::from_utf8(bytes[5..].to_vec()).expect("text")
}

pub(crate) fn parameter(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    let (_, value) = pairs.find(|(known, _)| known == name).expect("a parameter");
    value.into_owned()
}

/// A browser brings a response.
pub(crate) async fn bring(service: &Fixture, response: &str, relay_state: &str) -> Response {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("SAMLResponse", &STANDARD.encode(response))
        .append_pair("RelayState", relay_state)
        .finish();
    let kind = "application/x-www-form-urlencoded";
    let request = service
        .client
        .post("/sso/saml/acs")
        .header("content-type", kind);
    request.body(form).send().await
}

/// A browser goes through the identity provider, from an application and back to it.
pub(crate) async fn through(
    service: &Fixture,
    idp: &IdentityProvider,
    more: Value,
    change: impl FnOnce(&mut Said),
) -> Response {
    let begun = begin(service, more).await;
    let mut said = Said::of(idp, Some(&begun.request_id));
    change(&mut said);
    bring(service, &idp.response(&said), &begun.relay_state).await
}
