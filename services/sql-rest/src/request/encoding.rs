//! `key=value` pairs as URLs and forms write them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// A key and its value; one written without `=` has none.
pub(crate) type Pair<'a> = (Cow<'a, str>, Option<Cow<'a, str>>);

/// All but letters, digits and `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Keys and values, decoded.
pub(crate) fn pairs(text: &str) -> Vec<Pair<'_>> {
    text.split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => (decode(key), Some(decode(value))),
            None => (decode(pair), None),
        })
        .collect()
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8_lossy();
    Cow::Owned(decoded.into_owned())
}

/// The pairs sorted by key and encoded again, each with its `=`.
pub(super) fn canonical(pairs: &[Pair<'_>]) -> String {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut text = String::new();
    for (key, value) in sorted {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(key, ENCODED));
        text.push('=');
        text.extend(utf8_percent_encode(
            value.as_deref().unwrap_or_default(),
            ENCODED,
        ));
    }
    text
}
