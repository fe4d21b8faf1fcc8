//! What functions and triggers say about the answer, by the settings `response.headers` and
//! `response.status`.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{Draft, is_framing};
use crate::error::{Error, chosen_status};

/// Applies both settings; headers given replace those of the same name.
pub(super) fn apply(
    draft: &mut Draft,
    headers: Option<&str>,
    status: Option<&str>,
) -> Result<(), Error> {
    if let Some(status) = status {
        let chosen = status.parse().ok().and_then(chosen_status);
        draft.status = chosen.ok_or(Error::GucStatus)?;
    }
    let Some(headers) = headers else {
        return Ok(());
    };
    let given = parse_headers(headers).ok_or(Error::GucHeaders)?;
    for name in given.keys() {
        draft.headers.remove(name);
    }
    draft.headers.extend(given);
    Ok(())
}

/// An array of objects with one key and a text each; how the answer travels is not theirs to say.
fn parse_headers(text: &str) -> Option<HeaderMap> {
    let objects: Vec<Map<String, Value>> = serde_json::from_str(text).ok()?;
    let mut headers = HeaderMap::new();
    for object in objects {
        let mut pairs = object.into_iter();
        let (Some((name, Value::String(value))), None) = (pairs.next(), pairs.next()) else {
            return None;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        if !is_framing(&name) {
            headers.append(name, value);
        }
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> Option<Vec<(String, String)>> {
        let found = parse_headers(text)?;
        let pairs = found.iter();
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        Some(
            pairs
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
        )
    }

    #[test]
    fn a_header_may_repeat() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let found = headers(r#"[{"Set-Cookie": "a=1"}, {"Set-Cookie": "b=2"}]"#).unwrap();
        assert_eq!(
            found,
            [pair("set-cookie", "a=1"), pair("set-cookie", "b=2")]
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "{}",
            "[1]",
            r#"[{"a": 1}]"#,
            r#"[{"a": "1", "b": "2"}]"#,
            "[{}]",
            "x",
        ] {
            assert_eq!(headers(text), None, "{text}");
        }
    }
}
