//! Enveloped XML signatures (XML Signature Syntax and Processing 1.1), in the one form SAML allows.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use roxmltree::Node;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{
    canonical::{self, Options},
    key::Key,
    xml::{self, EXCLUSIVE, SIGNATURE},
};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Why a signature proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It is not of the form that SAML prescribes.
    #[error("its signature is not of the form that SAML prescribes")]
    Form,
    /// It is made by means that are not trusted.
    #[error("its signature uses an algorithm that is not accepted")]
    Algorithm,
    /// It is of something else.
    #[error("its signature is not of the element that holds it")]
    Reference,
    /// The element was changed after it was signed.
    #[error("its content is not what was signed")]
    Digest,
    /// None of the keys made it.
    #[error("its signature is by none of the identity provider's keys")]
    Key,
}

/// What `signature`, directly in `element`, shows to be signed by one of `keys`: the element's
/// canonical text without the signature. Whoever reads it reads exactly what was signed.
pub fn verified(
    element: Node<'_, '_>,
    signature: Node<'_, '_>,
    keys: &[Key],
) -> Result<String, Unverified> {
    let is_known = |child: &Node<'_, '_>| {
        ["SignedInfo", "SignatureValue", "KeyInfo"]
            .iter()
            .any(|name| xml::is(*child, SIGNATURE, name))
    };
    if signature.parent() != Some(element) || !elements(signature).all(|child| is_known(&child)) {
        return Err(Unverified::Form);
    }
    let info = xml::only_child(signature, SIGNATURE, "SignedInfo").ok_or(Unverified::Form)?;
    let signed_info = signed_info(info)?;
    let value = xml::only_child(signature, SIGNATURE, "SignatureValue").ok_or(Unverified::Form)?;
    let value = decoded(value)?;
    let algorithm = algorithm(info, "SignatureMethod")?;
    if !keys
        .iter()
        .any(|key| key.has_signed(algorithm, signed_info.as_bytes(), &value))
    {
        return Err(refusal_of(algorithm));
    }
    // From here on only what is signed is read.
    let document = xml::parse(&signed_info).map_err(|_| Unverified::Form)?;
    let reference = xml::only_child(document.root_element(), SIGNATURE, "Reference");
    digested(element, signature, reference.ok_or(Unverified::Form)?)
}

/// The canonical text of what the signature is of.
fn signed_info(info: Node<'_, '_>) -> Result<String, Unverified> {
    let names: Vec<_> = elements(info)
        .map(|child| child.tag_name().name())
        .collect();
    if names != ["CanonicalizationMethod", "SignatureMethod", "Reference"] {
        return Err(Unverified::Form);
    }
    let method = xml::only_child(info, SIGNATURE, "CanonicalizationMethod");
    let prefixes = exclusive_prefixes(method.ok_or(Unverified::Form)?)?;
    let options = Options {
        without: None,
        prefixes: &prefixes,
    };
    Ok(canonical::exclusive(info, options))
}

/// The element's canonical text without its signature, if its digest is the one referred to.
fn digested(
    element: Node<'_, '_>,
    signature: Node<'_, '_>,
    reference: Node<'_, '_>,
) -> Result<String, Unverified> {
    let id = element.attribute("ID").filter(|id| !id.is_empty());
    let id = id.ok_or(Unverified::Reference)?;
    let uri = reference.attribute("URI").unwrap_or_default();
    if uri.strip_prefix('#') != Some(id) {
        return Err(Unverified::Reference);
    }
    let transforms = xml::only_child(reference, SIGNATURE, "Transforms").ok_or(Unverified::Form)?;
    let transforms: Vec<_> = elements(transforms).collect();
    let [enveloped, exclusive] = transforms.as_slice() else {
        return Err(Unverified::Form);
    };
    if !transforms
        .iter()
        .all(|transform| xml::is(*transform, SIGNATURE, "Transform"))
        || enveloped.attribute("Algorithm") != Some(ENVELOPED)
        || enveloped.has_children()
    {
        return Err(Unverified::Form);
    }
    let prefixes = exclusive_prefixes(*exclusive)?;
    let options = Options {
        without: Some(signature),
        prefixes: &prefixes,
    };
    let text = canonical::exclusive(element, options);
    let digest: Vec<u8> = match algorithm(reference, "DigestMethod")? {
        "http://www.w3.org/2001/04/xmlenc#sha256" => Sha256::digest(&text).to_vec(),
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => Sha384::digest(&text).to_vec(),
        "http://www.w3.org/2001/04/xmlenc#sha512" => Sha512::digest(&text).to_vec(),
        _ => return Err(Unverified::Algorithm),
    };
    let expected = xml::only_child(reference, SIGNATURE, "DigestValue").ok_or(Unverified::Form)?;
    if decoded(expected)? != digest {
        return Err(Unverified::Digest);
    }
    Ok(text)
}

/// The prefixes that exclusive canonicalization is told to keep; no other method is accepted.
fn exclusive_prefixes<'a>(method: Node<'a, '_>) -> Result<Vec<&'a str>, Unverified> {
    if method.attribute("Algorithm") != Some(EXCLUSIVE) {
        return Err(Unverified::Algorithm);
    }
    let mut prefixes = Vec::new();
    for child in elements(method) {
        if !xml::is(child, EXCLUSIVE, "InclusiveNamespaces") {
            return Err(Unverified::Form);
        }
        let list = child.attribute("PrefixList").unwrap_or_default();
        prefixes.extend(list.split_ascii_whitespace());
    }
    Ok(prefixes)
}

fn algorithm<'a>(parent: Node<'a, '_>, name: &'static str) -> Result<&'a str, Unverified> {
    let method = xml::only_child(parent, SIGNATURE, name).ok_or(Unverified::Form)?;
    if method.children().any(|child| child.is_element()) {
        return Err(Unverified::Algorithm);
    }
    method.attribute("Algorithm").ok_or(Unverified::Form)
}

/// A signature by SHA-1 fails with any key; the reason is worth telling.
fn refusal_of(algorithm: &str) -> Unverified {
    if algorithm.ends_with("sha1") {
        Unverified::Algorithm
    } else {
        Unverified::Key
    }
}

fn decoded(node: Node<'_, '_>) -> Result<Vec<u8>, Unverified> {
    let mut text = xml::text(node).ok_or(Unverified::Form)?;
    text.retain(|c| !c.is_ascii_whitespace());
    STANDARD.decode(text).map_err(|_| Unverified::Form)
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}
