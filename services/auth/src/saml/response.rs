//! An identity provider's response: what of it holds (SAML core 2 and 3, profiles 4.1.4).

use std::collections::HashSet;

use roxmltree::{Document, Node};
use time::{Duration, OffsetDateTime};

use super::{
    assertion::{Assertion, Attribute},
    canonical::{self, Options},
    key::Key,
    metadata::moment,
    signature::{self, Unverified},
    xml::{self, ASSERTION, Malformed, PROTOCOL, SIGNATURE},
};

/// How far the identity provider's clock may be from ours.
const SKEW: Duration = Duration::MINUTE;

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// Longest identifier of an assertion.
const MAX_ID_BYTES: usize = 512;

/// What a response must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who sends it.
    pub entity_id: &'a str,
    /// The sender's keys.
    pub keys: &'a [Key],
    /// Where it is sent.
    pub recipient: &'a str,
    /// Who it is for.
    pub audience: &'a str,
    /// The request it answers; none when nobody asked.
    pub request_id: Option<&'a str>,
}

/// Why a response is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not XML.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is XML that SAML does not prescribe.
    #[error("it is not a response of SAML 2.0 with one assertion")]
    Form,
    /// It holds something encrypted.
    #[error("encrypted assertions are not supported")]
    Encrypted,
    /// The identity provider did not sign the user in.
    #[error("the identity provider did not sign the user in")]
    Status,
    /// Nobody signed it.
    #[error("neither it nor its response is signed")]
    Unsigned,
    /// Its signature proves nothing.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// It is from somebody else.
    #[error("it is not from the identity provider that was asked")]
    Issuer,
    /// It is for another recipient.
    #[error("it was sent for another recipient")]
    Recipient,
    /// It is for another audience.
    #[error("it is not for this audience")]
    Audience,
    /// It answers another request.
    #[error("it does not answer the request that was made")]
    Request,
    /// It does not hold yet.
    #[error("it is not valid yet")]
    Early,
    /// It does not hold anymore.
    #[error("it has expired")]
    Late,
    /// It names a condition that is not known here.
    #[error("it has a condition that is not supported")]
    Condition,
    /// It does not say about whom it is.
    #[error("it has no subject that its bearer is")]
    Subject,
}

/// Who a response is from, as far as anybody can claim that.
pub fn claimed_issuer(text: &str) -> Result<String, Refusal> {
    let document = xml::parse(text)?;
    let response = document.root_element();
    let issuer = || {
        let own = xml::only_child(response, ASSERTION, "Issuer");
        let of_assertion = || {
            let assertion = xml::only_child(response, ASSERTION, "Assertion")?;
            xml::only_child(assertion, ASSERTION, "Issuer")
        };
        xml::text(own.or_else(of_assertion)?)
    };
    Ok(issuer().ok_or(Refusal::Form)?.trim().to_owned())
}

/// The assertion of a response that is all it must be.
pub fn read(
    text: &str,
    expected: &Expected<'_>,
    now: OffsetDateTime,
) -> Result<Assertion, Refusal> {
    let document = xml::parse(text)?;
    let response = document.root_element();
    if !xml::is(response, PROTOCOL, "Response") || xml::has_asides(&document) {
        return Err(Refusal::Form);
    }
    check_status(response)?;
    let assertion = only_assertion(&document)?;
    // What is read below is the very text that was signed, not the document it came in.
    let signed_response = signed(response, expected.keys)?;
    let signed_assertion = signed(assertion, expected.keys)?;
    let assertion = match (signed_assertion, &signed_response) {
        (Some(assertion), _) => assertion,
        (None, Some(response)) => {
            let document = xml::parse(response)?;
            canonical::exclusive(only_assertion(&document)?, Options::default())
        }
        (None, None) => return Err(Refusal::Unsigned),
    };
    let envelope = signed_response.as_deref().unwrap_or(text);
    let envelope = xml::parse(envelope)?;
    check_envelope(envelope.root_element(), signed_response.is_some(), expected)?;
    let assertion = xml::parse(&assertion)?;
    check_assertion(assertion.root_element(), expected, now)
}

fn check_status(response: Node<'_, '_>) -> Result<(), Refusal> {
    let code = xml::only_child(response, PROTOCOL, "Status")
        .and_then(|status| xml::only_child(status, PROTOCOL, "StatusCode"))
        .ok_or(Refusal::Form)?;
    if code.attribute("Value") == Some(SUCCESS) {
        Ok(())
    } else {
        Err(Refusal::Status)
    }
}

/// The assertion, directly in the response, of a document that holds no second one, no signature in
/// an unusual place, and no identifier twice.
fn only_assertion<'a, 'input>(document: &'a Document<'input>) -> Result<Node<'a, 'input>, Refusal> {
    let response = document.root_element();
    let elements = || document.descendants().filter(Node::is_element);
    if elements().any(|element| element.tag_name().name().starts_with("Encrypted")) {
        return Err(Refusal::Encrypted);
    }
    let mut ids = HashSet::new();
    let mut identifiers = elements()
        .flat_map(|element| element.attributes())
        .filter(|attribute| attribute.name().eq_ignore_ascii_case("id"));
    if !identifiers.all(|id| ids.insert(id.value())) {
        return Err(Refusal::Form);
    }
    let assertion = xml::only_child(response, ASSERTION, "Assertion").ok_or(Refusal::Form)?;
    let named =
        |name: &'static str| elements().filter(move |element| element.tag_name().name() == name);
    let is_in_place = |signature: Node<'_, '_>| {
        signature.parent() == Some(response) || signature.parent() == Some(assertion)
    };
    if named("Assertion").count() != 1
        || named("Response").count() != 1
        || !named("Signature").all(is_in_place)
    {
        return Err(Refusal::Form);
    }
    Ok(assertion)
}

/// The text of an element that is shown to be signed, if it has a signature.
fn signed(element: Node<'_, '_>, keys: &[Key]) -> Result<Option<String>, Refusal> {
    let mut signatures = xml::children(element, SIGNATURE, "Signature");
    let Some(signature) = signatures.next() else {
        return Ok(None);
    };
    if signatures.next().is_some() {
        return Err(Refusal::Form);
    }
    Ok(Some(signature::verified(element, signature, keys)?))
}

fn check_envelope(
    response: Node<'_, '_>,
    is_signed: bool,
    expected: &Expected<'_>,
) -> Result<(), Refusal> {
    check_version(response)?;
    match response.attribute("Destination").unwrap_or_default() {
        "" if !is_signed => {}
        destination if destination == expected.recipient => {}
        _ => return Err(Refusal::Recipient),
    }
    if response.attribute("InResponseTo") != expected.request_id {
        return Err(Refusal::Request);
    }
    match xml::children(response, ASSERTION, "Issuer").next() {
        Some(issuer) => check_issuer(issuer, expected),
        None => Ok(()),
    }
}

fn check_assertion(
    assertion: Node<'_, '_>,
    expected: &Expected<'_>,
    now: OffsetDateTime,
) -> Result<Assertion, Refusal> {
    check_version(assertion)?;
    let id = assertion.attribute("ID").unwrap_or_default();
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(Refusal::Form);
    }
    let issuer = xml::only_child(assertion, ASSERTION, "Issuer").ok_or(Refusal::Issuer)?;
    check_issuer(issuer, expected)?;
    check_conditions(assertion, expected, now)?;
    let subject = xml::only_child(assertion, ASSERTION, "Subject").ok_or(Refusal::Subject)?;
    let usable_until = check_bearer(subject, expected, now)?;
    let name_id = match xml::children(subject, ASSERTION, "NameID").next() {
        Some(name_id) => Some((
            xml::text(name_id).ok_or(Refusal::Subject)?,
            name_id.attribute("Format").unwrap_or_default().to_owned(),
        )),
        None => None,
    };
    Ok(Assertion {
        id: id.to_owned(),
        usable_until,
        name_id,
        attributes: attributes(assertion),
        session_ends_at: session_end(assertion, now)?,
    })
}

fn check_version(node: Node<'_, '_>) -> Result<(), Refusal> {
    match node.attribute("Version") {
        Some("2.0") => Ok(()),
        _ => Err(Refusal::Form),
    }
}

fn check_issuer(issuer: Node<'_, '_>, expected: &Expected<'_>) -> Result<(), Refusal> {
    if xml::text(issuer).is_some_and(|issuer| issuer.trim() == expected.entity_id) {
        Ok(())
    } else {
        Err(Refusal::Issuer)
    }
}

fn check_conditions(
    assertion: Node<'_, '_>,
    expected: &Expected<'_>,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let conditions = xml::only_child(assertion, ASSERTION, "Conditions");
    let conditions = conditions.ok_or(Refusal::Audience)?;
    check_window(conditions, now)?;
    let mut is_restricted = false;
    for condition in conditions.children().filter(Node::is_element) {
        if xml::is(condition, ASSERTION, "AudienceRestriction") {
            let is_ours = |audience| {
                xml::text(audience).is_some_and(|audience| audience.trim() == expected.audience)
            };
            if !xml::children(condition, ASSERTION, "Audience").any(is_ours) {
                return Err(Refusal::Audience);
            }
            is_restricted = true;
        } else if !xml::is(condition, ASSERTION, "OneTimeUse")
            && !xml::is(condition, ASSERTION, "ProxyRestriction")
        {
            return Err(Refusal::Condition);
        }
    }
    if is_restricted {
        Ok(())
    } else {
        Err(Refusal::Audience)
    }
}

/// Checks that whoever brings the assertion is its subject; until when it could be brought.
fn check_bearer(
    subject: Node<'_, '_>,
    expected: &Expected<'_>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, Refusal> {
    let mut refusal = Refusal::Subject;
    let mut is_confirmed = false;
    let mut usable_until = OffsetDateTime::UNIX_EPOCH;
    for confirmation in xml::children(subject, ASSERTION, "SubjectConfirmation")
        .filter(|confirmation| confirmation.attribute("Method") == Some(BEARER))
    {
        let data = xml::only_child(confirmation, ASSERTION, "SubjectConfirmationData");
        match data
            .ok_or(Refusal::Subject)
            .and_then(|data| check_data(data, expected, now))
        {
            Ok(until) => {
                is_confirmed = true;
                usable_until = usable_until.max(until);
            }
            Err(reason) => refusal = reason,
        }
    }
    if is_confirmed {
        Ok(usable_until.saturating_add(SKEW))
    } else {
        Err(refusal)
    }
}

fn check_data(
    data: Node<'_, '_>,
    expected: &Expected<'_>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, Refusal> {
    if data.attribute("Recipient") != Some(expected.recipient) {
        return Err(Refusal::Recipient);
    }
    if data.attribute("InResponseTo") != expected.request_id {
        return Err(Refusal::Request);
    }
    check_window(data, now)?;
    time_of(data, "NotOnOrAfter")?.ok_or(Refusal::Subject)
}

fn check_window(node: Node<'_, '_>, now: OffsetDateTime) -> Result<(), Refusal> {
    if time_of(node, "NotBefore")?.is_some_and(|from| now + SKEW < from) {
        return Err(Refusal::Early);
    }
    if time_of(node, "NotOnOrAfter")?.is_some_and(|until| until <= now - SKEW) {
        return Err(Refusal::Late);
    }
    Ok(())
}

fn time_of(node: Node<'_, '_>, name: &str) -> Result<Option<OffsetDateTime>, Refusal> {
    match node.attribute(name) {
        Some(text) => moment(Some(text)).map(Some).ok_or(Refusal::Form),
        None => Ok(None),
    }
}

/// When the identity provider wants the session to end.
fn session_end(
    assertion: Node<'_, '_>,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Refusal> {
    let mut end = None;
    for statement in xml::children(assertion, ASSERTION, "AuthnStatement") {
        if let Some(time) = time_of(statement, "SessionNotOnOrAfter")? {
            end = Some(end.map_or(time, |end: OffsetDateTime| end.min(time)));
        }
    }
    if end.is_some_and(|end| end <= now) {
        return Err(Refusal::Late);
    }
    Ok(end)
}

/// The attributes; a value that holds more than text is none.
fn attributes(assertion: Node<'_, '_>) -> Vec<Attribute> {
    let read = |attribute: Node<'_, '_>| Attribute {
        name: attribute.attribute("Name").unwrap_or_default().to_owned(),
        friendly_name: attribute
            .attribute("FriendlyName")
            .unwrap_or_default()
            .to_owned(),
        values: xml::children(attribute, ASSERTION, "AttributeValue")
            .filter_map(xml::text)
            .collect(),
    };
    xml::children(assertion, ASSERTION, "AttributeStatement")
        .flat_map(|statement| xml::children(statement, ASSERTION, "Attribute"))
        .map(read)
        .collect()
}
