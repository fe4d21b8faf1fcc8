//! The fields of a head.

use std::{fmt, ops::Range};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Room for what the gateway adds to a head.
const ROOM_FOR_MORE: usize = 512;

/// Header fields in the order they came, in one piece of memory. Names are in lower case.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    text: Vec<u8>,
    spans: Vec<Span>,
}

/// Where a field is in the text.
#[derive(Clone)]
struct Span {
    name: Range<usize>,
    value: Range<usize>,
}

impl Fields {
    /// The fields of `head`, which are at these places in it.
    pub(super) fn of(
        head: &[u8],
        places: impl Iterator<Item = (Range<usize>, Range<usize>)>,
    ) -> Self {
        let mut text = Vec::with_capacity(head.len() + ROOM_FOR_MORE);
        text.extend_from_slice(head);
        let mut spans = Vec::with_capacity(32);
        for (name, value) in places {
            if let Some(name) = text.get_mut(name.clone()) {
                name.make_ascii_lowercase();
            }
            spans.push(Span { name, value });
        }
        Self { text, spans }
    }

    /// The fields of `map`.
    pub(crate) fn from_map(map: &HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in map {
            fields.append(name.as_str(), value.as_bytes());
        }
        fields
    }

    /// The fields as a map, without any that is none.
    pub(crate) fn to_map(&self) -> HeaderMap {
        let pairs = self.iter().filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        });
        let mut map = HeaderMap::with_capacity(self.spans.len());
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    /// Names and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.spans.iter().map(|span| self.at(span))
    }

    /// The first value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of `name`, if it has just one.
    pub(crate) fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Every value of `name`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(own, _)| *own == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Adds a field. `name` is in lower case, and `value` holds no line break.
    pub(crate) fn append(&mut self, name: impl AsRef<[u8]>, value: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(name.as_ref());
        let middle = self.text.len();
        self.text.extend_from_slice(value);
        self.spans.push(Span {
            name: start..middle,
            value: middle..self.text.len(),
        });
    }

    /// Removes the fields that `stays` does not want.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&[u8], &[u8]) -> bool) {
        let Self { text, spans } = self;
        spans.retain(|span| {
            let (name, value) = at(text, span);
            stays(name, value)
        });
    }

    fn at(&self, span: &Span) -> (&[u8], &[u8]) {
        at(&self.text, span)
    }
}

fn at<'a>(text: &'a [u8], span: &Span) -> (&'a [u8], &'a [u8]) {
    let part = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    (part(&span.name), part(&span.value))
}

/// Appends a line of a head.
pub(crate) fn write(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    text.reserve(name.len() + value.len() + 4);
    text.extend_from_slice(name);
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// Names only: values may be secret.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}
