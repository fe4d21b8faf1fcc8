//! XML as far as SAML needs it.

use roxmltree::{Document, Node, ParsingOptions};

/// Namespace of assertions.
pub const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// Namespace of requests and responses.
pub const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// Namespace of metadata.
pub const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// Namespace of signatures.
pub const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Exclusive canonicalization: the algorithm, and the namespace of what it is told.
pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Most nodes of a document.
const MAX_NODES: u32 = 5_000;

/// Most elements inside each other.
const MAX_DEPTH: usize = 64;

/// Text that is not XML, or not XML of the kind that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not well-formed XML without a document type")]
pub struct Malformed;

/// Parses a document that has no document type, so no entities of its own.
pub fn parse(text: &str) -> Result<Document<'_>, Malformed> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    // The parser lets an empty document type pass.
    if text.contains("<!DOCTYPE") {
        return Err(Malformed);
    }
    let document = Document::parse_with_options(text, options).map_err(|_| Malformed)?;
    let is_deep = |node: Node<'_, '_>| node.ancestors().nth(MAX_DEPTH).is_some();
    if document.descendants().any(is_deep) {
        return Err(Malformed);
    }
    Ok(document)
}

/// Whether there is something that canonical text leaves out or that nobody needs to send.
pub fn has_asides(document: &Document<'_>) -> bool {
    let mut nodes = document.descendants();
    nodes.any(|node| node.is_comment() || node.is_pi())
}

/// Whether `node` is the element `name` of `namespace`.
pub fn is(node: Node<'_, '_>, namespace: &str, name: &str) -> bool {
    node.is_element()
        && node.tag_name().namespace() == Some(namespace)
        && node.tag_name().name() == name
}

/// The elements `name` of `namespace` directly in `node`.
pub fn children<'a, 'input>(
    node: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .filter(move |child| is(*child, namespace, name))
}

/// The one element `name` of `namespace` directly in `node`; none when there are more.
pub fn only_child<'a, 'input>(
    node: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> Option<Node<'a, 'input>> {
    let mut found = children(node, namespace, name);
    let first = found.next();
    first.filter(|_| found.next().is_none())
}

/// All text of an element that holds nothing else.
pub fn text(node: Node<'_, '_>) -> Option<String> {
    let mut all = String::new();
    for child in node.children() {
        if child.is_element() {
            return None;
        }
        if child.is_text() {
            all.push_str(child.text().unwrap_or_default());
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_type_is_refused() {
        for text in [
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
            "<a>&b;</a>",
            "<a>",
            "<b:a/>",
            "",
        ] {
            assert_eq!(parse(text).err(), Some(Malformed), "{text}");
        }
        assert!(parse("<?xml version='1.0' encoding='UTF-8'?><a>&lt;&#13;</a>").is_ok());
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(&nested(60)).is_ok());
        assert!(parse(&nested(100)).is_err());
        assert!(parse(&nested(100_000)).is_err());
        assert!(parse(&format!("<a>{}</a>", "<b/>".repeat(6_000))).is_err());
    }

    #[test]
    fn text_is_read_whole_or_not_at_all() {
        let read = |xml: &str| text(parse(xml).unwrap().root_element());
        let whole = read("<a>ada@example.com<!-- x -->.evil.org<![CDATA[!]]></a>");
        assert_eq!(whole.as_deref(), Some("ada@example.com.evil.org!"));
        assert_eq!(read("<a>ada<b/></a>"), None);
        assert_eq!(read("<a/>").as_deref(), Some(""));
    }
}
