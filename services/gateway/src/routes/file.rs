//! The routes file as it is written: its keys, their forms, and errors that name the line.

use std::{ops::Range, time::Duration};

use serde::Deserialize;
use toml::Spanned;

/// A routes file that parses. Whether its parts fit together is decided later.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoutesFile {
    pub(crate) route: Vec<RouteEntry>,
}

/// One `[[route]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteEntry {
    /// Name in logs, metrics and the admin API.
    pub(crate) name: Name,
    /// Whole path segments this route is responsible for.
    pub(crate) prefix: Spanned<PathText>,
    /// Base URLs of the upstream, separated by commas; may hold `${NAME:-default}`.
    pub(crate) upstream: Spanned<String>,
    /// Whether the prefix is removed before the path is passed on.
    #[serde(default = "yes")]
    pub(crate) strip: bool,
    /// Paths below the prefix that need no key; `*` at the end stands for anything.
    #[serde(default)]
    pub(crate) open: Vec<PathText>,
    /// Consumers that may use this route; all of them when none is listed.
    #[serde(default)]
    pub(crate) consumers: Vec<Spanned<String>>,
    /// Requests a client may make.
    #[serde(default)]
    pub(crate) limit: Option<LimitEntry>,
    /// Largest request body; absent means any size.
    #[serde(default)]
    pub(crate) max_body: Option<ByteSize>,
    /// Time to reach the upstream.
    #[serde(default = "two_seconds")]
    pub(crate) connect_timeout: Span,
    /// Longest silence of the upstream, before and within its response.
    #[serde(default = "one_minute")]
    pub(crate) read_timeout: Span,
    /// Whether a WebSocket may be opened.
    #[serde(default)]
    pub(crate) websocket: bool,
}

/// `limit = { minute = …, hour = … }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitEntry {
    pub(crate) minute: u32,
    pub(crate) hour: u32,
}

/// A lower-case name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(pub(crate) String);

/// An absolute path without escapes, dot segments or a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PathText(pub(crate) String);

/// A number of bytes, written as `256 KB`, `1 MB` or a plain number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ByteSize(pub(crate) u64);

/// A length of time, written as `500 ms`, `2 s` or `5 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub(crate) Duration);

impl RoutesFile {
    /// Parses `text`; the error shows the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}

/// The line of `text` on which `span` begins, counted from one.
pub(crate) fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.bytes().take(span.start);
    before.filter(|&byte| byte == b'\n').count() + 1
}

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            Err("a name has 1 to 64 characters of a-z, 0-9, `-` and `_`")
        }
    }
}

impl TryFrom<String> for PathText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_normal = super::path::normalise(&text).is_ok_and(|normal| normal == text);
        if is_normal && !text.ends_with('/') {
            Ok(Self(text))
        } else {
            Err("a path starts with `/`, does not end with one, and has no escapes or dot segments")
        }
    }
}

impl TryFrom<String> for ByteSize {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const UNITS: &[(&str, u64)] = &[("", 1), ("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)];
        measure(&text, UNITS)
            .map(Self)
            .ok_or("a size is a number and KB, MB or GB, such as `256 KB`")
    }
}

impl TryFrom<String> for Span {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];
        measure(&text, UNITS)
            .filter(|&milliseconds| milliseconds > 0)
            .map(|milliseconds| Self(Duration::from_millis(milliseconds)))
            .ok_or("a length of time is a number and ms, s, min or h, such as `30 s`")
    }
}

/// The number in front of one of `units`, multiplied by it.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

fn yes() -> bool {
    true
}

fn two_seconds() -> Span {
    Span(Duration::from_secs(2))
}

fn one_minute() -> Span {
    Span(Duration::from_mins(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_with_their_units() {
        assert_eq!(
            ByteSize::try_from("256 KB".to_owned()),
            Ok(ByteSize(262_144))
        );
        assert_eq!(ByteSize::try_from("7".to_owned()), Ok(ByteSize(7)));
        assert!(ByteSize::try_from("1 TB".to_owned()).is_err());
        assert!(ByteSize::try_from("99999999999 GB".to_owned()).is_err());
        let half = Span(Duration::from_millis(500));
        assert_eq!(Span::try_from("500ms".to_owned()), Ok(half));
        assert!(Span::try_from("0 s".to_owned()).is_err());
        assert!(Span::try_from("s".to_owned()).is_err());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text =
            "[[route]]\nname = \"a\"\nprefix = \"/a\"\nupstream = \"http://a\"\nstrips = true\n";
        let message = RoutesFile::parse(text).unwrap_err();
        assert!(message.contains("line 5"), "{message}");
        assert!(message.contains("strips"), "{message}");
    }

    #[test]
    fn a_value_of_the_wrong_form_is_refused_with_its_line() {
        let text = "[[route]]\nname = \"a\"\nprefix = \"/a/\"\nupstream = \"http://a\"\n";
        let message = RoutesFile::parse(text).unwrap_err();
        assert!(message.contains("line 3"), "{message}");
        assert!(message.contains("starts with `/`"), "{message}");
    }
}
