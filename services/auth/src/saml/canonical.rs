//! Exclusive XML Canonicalization 1.0, without comments.
//!
//! See <https://www.w3.org/TR/xml-exc-c14n/>. Of an element only: there is no document to be
//! canonicalized, and comments and processing instructions are left out.

use std::{collections::BTreeMap, ops::Range};

use roxmltree::Node;

/// What binds the prefix `xml`, without a declaration.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The prefix by which a list of prefixes names the default namespace.
const DEFAULT: &str = "#default";

/// Prefixes, the empty one for the default namespace, and what they stand for.
type Scope<'a> = BTreeMap<&'a str, &'a str>;

/// What is to be left out, and what is to be kept though nothing uses it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a, 'input> {
    /// An element that is not written.
    pub without: Option<Node<'a, 'input>>,
    /// Prefixes that are declared wherever they are in scope.
    pub prefixes: &'a [&'a str],
}

/// The canonical text of an element.
pub fn exclusive<'a>(element: Node<'a, '_>, options: Options<'a, '_>) -> String {
    let mut out = String::new();
    write_element(element, &Scope::new(), options, &mut out);
    out
}

/// Recursion is bounded by [`super::xml::parse`].
fn write_element<'a>(
    element: Node<'a, '_>,
    written: &Scope<'a>,
    options: Options<'a, '_>,
    out: &mut String,
) {
    let name = name_at(element, element.range());
    let declared = declarations(element, written, options.prefixes);
    out.push('<');
    out.push_str(name);
    for (prefix, uri) in &declared {
        out.push_str(if prefix.is_empty() {
            " xmlns"
        } else {
            " xmlns:"
        });
        out.push_str(prefix);
        out.push_str("=\"");
        escape_attribute(uri, out);
        out.push('"');
    }
    let mut attributes: Vec<_> = element.attributes().collect();
    attributes
        .sort_unstable_by_key(|attribute| (attribute.namespace().unwrap_or(""), attribute.name()));
    for attribute in attributes {
        out.push(' ');
        out.push_str(name_at(element, attribute.range()));
        out.push_str("=\"");
        escape_attribute(attribute.value(), out);
        out.push('"');
    }
    out.push('>');
    let mut scope = written.clone();
    scope.extend(declared);
    for child in element.children() {
        if child.is_element() && options.without != Some(child) {
            write_element(child, &scope, options, out);
        } else if child.is_text() {
            escape_text(child.text().unwrap_or_default(), out);
        }
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// The namespaces that an element has to declare: those its own names use and those asked for, as far
/// as the elements around it have not written the same.
fn declarations<'a>(
    element: Node<'a, '_>,
    written: &Scope<'a>,
    prefixes: &'a [&'a str],
) -> Scope<'a> {
    let mut used = Scope::new();
    let own = element.tag_name().namespace().unwrap_or_default();
    used.insert(prefix_of(name_at(element, element.range())), own);
    for attribute in element.attributes() {
        if let Some(uri) = attribute.namespace() {
            used.insert(prefix_of(name_at(element, attribute.range())), uri);
        }
    }
    for prefix in prefixes {
        if *prefix == DEFAULT {
            used.insert("", element.lookup_namespace_uri(None).unwrap_or_default());
        } else if let Some(uri) = element.lookup_namespace_uri(Some(prefix)) {
            used.insert(prefix, uri);
        }
    }
    used.retain(|prefix, uri| *uri != XML && written.get(prefix).copied().unwrap_or("") != *uri);
    used
}

/// The name at the beginning of a part of the document, as it is written there.
fn name_at<'a>(node: Node<'a, '_>, range: Range<usize>) -> &'a str {
    let source = node.document().input_text().get(range).unwrap_or_default();
    let source = source.strip_prefix('<').unwrap_or(source);
    let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
    source.split(is_end).next().unwrap_or_default()
}

fn prefix_of(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// Writes text between tags.
pub fn escape_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

/// Writes the value of an attribute.
pub fn escape_attribute(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::xml;

    fn canonical(xml: &str, path: &[&str], prefixes: &[&str]) -> String {
        let document = xml::parse(xml).unwrap();
        let mut node = document.root_element();
        for name in path {
            let mut children = node.children();
            node = children
                .find(|child| child.is_element() && child.tag_name().name() == *name)
                .unwrap();
        }
        let options = Options {
            prefixes,
            without: None,
        };
        exclusive(node, options)
    }

    #[test]
    fn the_examples_of_the_recommendation_hold() {
        // Section 2.2: the same element in two surroundings.
        let first = "<n0:local xmlns:n0=\"foo:bar\" xmlns:n3=\"ftp://example.org\">\
                     <n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\">\
                     <n3:stuff xmlns:n3=\"ftp://example.org\"/></n1:elem2></n0:local>";
        let second = "<n2:pdu xmlns:n1=\"http://example.com\" xmlns:n2=\"http://foo.example\" \
                      xml:lang=\"fr\" xml:space=\"retain\">\
                      <n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\">\
                      <n3:stuff xmlns:n3=\"ftp://example.org\"/></n1:elem2></n2:pdu>";
        let expected = "<n1:elem2 xmlns:n1=\"http://example.net\" xml:lang=\"en\">\
                        <n3:stuff xmlns:n3=\"ftp://example.org\"></n3:stuff></n1:elem2>";
        assert_eq!(canonical(first, &["elem2"], &[]), expected);
        assert_eq!(canonical(second, &["elem2"], &[]), expected);
    }

    #[test]
    fn attributes_and_declarations_are_in_order() {
        let xml = "<e5 xmlns='http://example.org' xmlns:b='http://www.ietf.org' \
                   xmlns:a='http://www.w3.org' a:attr='out' b:attr='sorted' attr2='all'\n attr='I&apos;m' />";
        let expected = "<e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" \
                        xmlns:b=\"http://www.ietf.org\" attr=\"I'm\" attr2=\"all\" \
                        b:attr=\"sorted\" a:attr=\"out\"></e5>";
        assert_eq!(canonical(xml, &[], &[]), expected);
    }

    #[test]
    fn what_text_cannot_hold_is_escaped() {
        let xml = "<a b=\"&lt;&gt;&amp;&quot;'&#9;&#10;&#13; \t\n\">&lt;&gt;&amp;\"'&#13;\r\n<![CDATA[<x>]]></a>";
        let expected =
            "<a b=\"&lt;>&amp;&quot;'&#x9;&#xA;&#xD;   \">&lt;&gt;&amp;\"'&#xD;\n&lt;x&gt;</a>";
        assert_eq!(canonical(xml, &[], &[]), expected);
    }

    #[test]
    fn a_default_namespace_is_undone_where_it_was_written() {
        let xml = "<a xmlns='x'><b xmlns=''><c xmlns='x'/><d/></b></a>";
        let expected = "<a xmlns=\"x\"><b xmlns=\"\"><c xmlns=\"x\"></c><d></d></b></a>";
        assert_eq!(canonical(xml, &[], &[]), expected);
        let expected = "<b><c xmlns=\"x\"></c><d></d></b>";
        assert_eq!(canonical(xml, &["b"], &[]), expected);
    }

    #[test]
    fn prefixes_asked_for_are_kept() {
        let xml =
            "<a xmlns='d' xmlns:xs='s' xmlns:y='y'><p:b xmlns:p='p' t='xs:string'><p:c/></p:b></a>";
        let expected =
            "<p:b xmlns=\"d\" xmlns:p=\"p\" xmlns:xs=\"s\" t=\"xs:string\"><p:c></p:c></p:b>";
        assert_eq!(
            canonical(xml, &["b"], &["xs", "#default", "none"]),
            expected
        );
        let expected = "<p:b xmlns:p=\"p\" t=\"xs:string\"><p:c></p:c></p:b>";
        assert_eq!(canonical(xml, &["b"], &[]), expected);
    }
}
