//! A request as an upstream gets it.

use http::Method;

use crate::http1;

/// A request whose head is complete but for the upstream's name.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) fields: Vec<(&'a [u8], &'a [u8])>,
}

impl Outgoing<'_> {
    /// Whether the length of the body is announced.
    pub(super) fn has_length(&self) -> bool {
        self.fields
            .iter()
            .any(|(name, _)| *name == b"content-length")
    }

    /// Writes the head, for an upstream called `host`.
    pub(super) fn write(&self, host: &[u8], is_chunked: bool, text: &mut Vec<u8>) {
        text.reserve(1024);
        text.extend_from_slice(self.method.as_str().as_bytes());
        text.push(b' ');
        text.extend_from_slice(self.path.as_bytes());
        if let Some(query) = self.query {
            text.push(b'?');
            text.extend_from_slice(query.as_bytes());
        }
        text.extend_from_slice(b" HTTP/1.1\r\n");
        http1::write(text, b"host", host);
        for (name, value) in &self.fields {
            http1::write(text, name, value);
        }
        if is_chunked {
            http1::write(text, b"transfer-encoding", b"chunked");
        }
        text.extend_from_slice(b"\r\n");
    }
}
