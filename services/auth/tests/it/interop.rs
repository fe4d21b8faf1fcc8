//! Responses that another implementation of XML signatures has signed.

use auth::saml::{
    assertion::{Assertion, Mapping},
    key::Key,
    response::{Expected, Refusal, read},
    signature::Unverified,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2030-01-01 00:01:00 UTC);

/// Certificates, and what their keys have signed.
const SIGNED: [(&str, &str); 5] = [
    (
        include_str!("../saml/rsa.cer"),
        include_str!("../saml/rsa-sha256-assertion.xml"),
    ),
    (
        include_str!("../saml/rsa.cer"),
        include_str!("../saml/rsa-sha384-assertion.xml"),
    ),
    (
        include_str!("../saml/rsa.cer"),
        include_str!("../saml/rsa-sha512-response.xml"),
    ),
    (
        include_str!("../saml/p256.cer"),
        include_str!("../saml/ecdsa-sha256-response.xml"),
    ),
    (
        include_str!("../saml/p384.cer"),
        include_str!("../saml/ecdsa-sha384-assertion.xml"),
    ),
];

fn read_with(certificate: &str, response: &str) -> Result<Assertion, Refusal> {
    let der = STANDARD.decode(certificate.trim()).expect("Base64");
    let keys = [Key::of_certificate(&der).expect("a key")];
    let expected = Expected {
        entity_id: "https://idp.example.com",
        keys: &keys,
        recipient: "https://sp.example.com/acs",
        audience: "https://sp.example.com",
        request_id: Some("request-1"),
    };
    read(response, &expected, NOW)
}

#[test]
fn what_another_implementation_signed_is_read() {
    for (certificate, response) in SIGNED {
        let assertion = read_with(certificate, response).expect("an assertion");
        let subject = assertion.subject("https://idp.example.com", &Mapping::default());
        let subject = subject.expect("a subject");
        assert_eq!(subject.id, "ada & Ada > é");
        assert_eq!(subject.email, "ada@example.com");
        let note = assertion
            .attributes
            .iter()
            .find(|known| known.name == "note");
        assert_eq!(note.expect("a note").values, ["<b> & \"c\"\r\n"]);
    }
}

#[test]
fn the_key_of_another_shows_nothing() {
    for (certificate, response) in SIGNED {
        for (other, _) in SIGNED.iter().filter(|(other, _)| *other != certificate) {
            let refusal = read_with(other, response).err();
            assert_eq!(refusal, Some(Refusal::Unverified(Unverified::Key)));
        }
    }
}

/// Every letter of what is signed counts: of the names and values, not of how they are written.
#[test]
fn a_change_anywhere_in_what_is_signed_is_found() {
    let (certificate, response) = SIGNED[2];
    let plain = read_with(certificate, response).expect("an assertion");
    let letters = response
        .char_indices()
        .filter(|(_, c)| c.is_ascii_alphanumeric());
    let mut refused = 0;
    for (at, letter) in letters {
        let other = if letter == 'x' { 'y' } else { 'x' };
        let mut changed = response.to_owned();
        changed.replace_range(at..=at, &other.to_string());
        match read_with(certificate, &changed) {
            Ok(assertion) => assert_eq!(assertion, plain, "a change at {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1_500, "{refused}");
}
