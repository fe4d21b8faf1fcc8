//! One spelling for every path, so that the gateway and an upstream can never understand the same
//! request differently.

use std::borrow::Cow;

/// A path that can be read in more than one way, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// The one spelling of `path` that is matched and forwarded.
///
/// Repeated slashes become one and needlessly encoded characters are decoded. Refused is what
/// servers are known to disagree on: dot segments in any spelling (also with `;parameters`),
/// encoded or backward slashes, control characters and broken escapes. Clients resolve dot
/// segments before they send.
pub(crate) fn normalise(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !path.starts_with('/') {
        return Err(Ambiguous);
    }
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let mut normal = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let escaped = unescape(bytes.next(), bytes.next()).ok_or(Ambiguous)?;
                append_escaped(&mut normal, escaped)?;
            }
            b'\\' => return Err(Ambiguous),
            b'/' if normal.ends_with('/') => {}
            0x21..=0x7e => normal.push(char::from(byte)),
            0x80.. => append_encoded(&mut normal, byte),
            _ => return Err(Ambiguous),
        }
    }
    if normal.split('/').any(is_dot_segment) {
        return Err(Ambiguous);
    }
    Ok(Cow::Owned(normal))
}

/// Whether no byte of `path` calls for a closer look; almost every path is plain.
fn is_plain(path: &[u8]) -> bool {
    let mut after_slash = false;
    for &byte in path {
        match byte {
            b'/' | b'.' if after_slash => return false,
            b'/' => after_slash = true,
            b'%' | b'\\' | 0..=0x20 | 0x7f.. => return false,
            _ => after_slash = false,
        }
    }
    true
}

fn unescape(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn append_escaped(normal: &mut String, byte: u8) -> Result<(), Ambiguous> {
    match byte {
        b'/' | b'\\' | 0..=0x1f | 0x7f => return Err(Ambiguous),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            normal.push(char::from(byte));
        }
        _ => append_encoded(normal, byte),
    }
    Ok(())
}

fn append_encoded(normal: &mut String, byte: u8) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    normal.push('%');
    for nibble in [byte >> 4, byte & 15] {
        normal.extend(DIGITS.get(usize::from(nibble)));
    }
}

/// `.` and `..`, also when parameters follow, in either spelling of the semicolon.
fn is_dot_segment(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or_default();
    let name = name.split("%3B").next().unwrap_or_default();
    matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_left_alone() {
        for path in [
            "/",
            "/auth/v1/verify",
            "/rest/v1/a.b",
            "/rest/v1/",
            "/a;b=1",
        ] {
            assert!(
                matches!(normalise(path), Ok(Cow::Borrowed(same)) if same == path),
                "{path}"
            );
        }
    }

    #[test]
    fn spellings_of_one_path_become_one() {
        for path in [
            "//auth//v1/verify",
            "/%61uth/v1/verif%79",
            "/auth///v1/verify",
            "/auth/v1//verify",
        ] {
            assert_eq!(normalise(path).unwrap(), "/auth/v1/verify", "{path}");
        }
        assert_eq!(normalise("/a/%c3%a9").unwrap(), "/a/%C3%A9");
        assert_eq!(normalise("/a/.well-known").unwrap(), "/a/.well-known");
    }

    #[test]
    fn what_servers_disagree_on_is_refused() {
        for path in [
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/a/.",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.;/b",
            "/a/..%3b/b",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00b",
            "/a%0ab",
            "/a%7fb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%2e%2e%2fb",
            "",
            "*",
            "a/b",
            "//..//b",
        ] {
            assert_eq!(normalise(path), Err(Ambiguous), "{path}");
        }
    }
}
