//! Lines, which end with CR LF and nothing else.
//!
//! RFC 9112, 2.2 lets a recipient take a lone line feed for the end of a line. Some do and some do
//! not, and such disagreements are how requests are smuggled.

/// A line feed without its carriage return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoneLineFeed;

/// The length of the first line of `bytes`, without its end; nothing if it has none yet.
pub(super) fn first(bytes: &[u8]) -> Result<Option<usize>, LoneLineFeed> {
    let Some(feed) = memchr::memchr(b'\n', bytes) else {
        return Ok(None);
    };
    let line = bytes.get(..feed).unwrap_or_default();
    let line = line.strip_suffix(b"\r").ok_or(LoneLineFeed)?;
    Ok(Some(line.len()))
}

/// Looks for the empty line that ends a head, as its bytes come in.
#[derive(Clone, Debug, Default)]
pub(super) struct EndOfHead {
    /// Start of the line that is looked at.
    line: usize,
    /// Up to where it was searched for its end.
    seen: usize,
    /// Whether a line came that is not empty. Empty ones may come first (RFC 9112, 2.2).
    has_begun: bool,
}

impl EndOfHead {
    /// Where the head ends, which begins at the start of `bytes`: the same at every call, and more.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, LoneLineFeed> {
        loop {
            let unseen = bytes.get(self.seen..).unwrap_or_default();
            let Some(feed) = memchr::memchr(b'\n', unseen) else {
                self.seen = bytes.len();
                return Ok(None);
            };
            let end = self.seen + feed;
            let line = bytes.get(self.line..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(LoneLineFeed)?;
            self.line = end + 1;
            self.seen = end + 1;
            if !line.is_empty() {
                self.has_begun = true;
            } else if self.has_begun {
                return Ok(Some(end + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line_however_it_is_cut() {
        let head = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for step in 1..=head.len() {
            let mut search = EndOfHead::default();
            for end in (step..head.len()).step_by(step) {
                assert_eq!(search.find(&head[..end]), Ok(None), "{step} {end}");
            }
            let more = [&head[..], b"GET"].concat();
            assert_eq!(search.find(&more), Ok(Some(head.len())), "{step}");
        }
    }

    #[test]
    fn a_lone_line_feed_is_found_as_soon_as_it_comes() {
        for text in ["\n", "GET / HTTP/1.1\n", "A\r\nB: c\r\n\n", "A\r\n\r\r\n\n"] {
            let found = EndOfHead::default().find(text.as_bytes());
            assert_eq!(found, Err(LoneLineFeed), "{text:?}");
        }
        assert_eq!(first(b"5\n"), Err(LoneLineFeed));
        assert_eq!(first(b"5\r\nab"), Ok(Some(1)));
        assert_eq!(first(b"5\r"), Ok(None));
    }
}
