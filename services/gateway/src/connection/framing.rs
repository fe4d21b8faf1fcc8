//! Where messages begin and end in what a client sends, so that every line of a head is known to end
//! with CR LF.
//!
//! The HTTP implementation takes a lone line feed for the end of a line too, as RFC 9112, 2.2 lets
//! it; others do not, and such disagreements are how requests are smuggled. So a lone line feed is
//! replaced by a NUL here, which no head may contain: the implementation refuses it by itself. Only
//! what it would accept has to be understood here, and bodies are skipped unseen.

use std::mem;

/// The place in a client's messages up to which they were looked at.
#[derive(Debug, Default)]
pub(super) struct Framing {
    part: Part,
    /// What was seen of a line that is not complete.
    line: Vec<u8>,
    /// How the body of the message is framed whose head is being read.
    body: Body,
    /// Heads that ended.
    heads: u32,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum Part {
    /// A request line, or an empty line before it.
    #[default]
    Start,
    /// A header.
    Head,
    /// A body, or a chunk of one, of which so much is left.
    Bytes { left: u64, then: After },
    /// The line before a chunk.
    ChunkSize,
    /// A header after the last chunk.
    Trailer,
    /// Something that is refused anyway, or that is not HTTP/1.
    Unknown,
}

/// What follows bytes that are skipped.
#[derive(Clone, Copy, Debug)]
enum After {
    Message,
    Chunk,
}

#[derive(Clone, Copy, Debug, Default)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked,
    /// Its length is none, which is refused.
    Unclear,
}

impl Framing {
    /// Of something that is not HTTP/1.
    pub(super) fn unknown() -> Self {
        Self {
            part: Part::Unknown,
            ..Self::default()
        }
    }

    /// Whether there is no head to wait for: one ended, or what came is none.
    pub(super) fn has_seen_head(&self) -> bool {
        self.heads > 0 || matches!(self.part, Part::Unknown)
    }

    /// Looks at the bytes that came next, and spoils a line of a head that does not end properly.
    pub(super) fn see(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let used = match self.part {
                Part::Unknown => return,
                Part::Bytes { left, then } => self.skip(bytes.len(), left, then),
                _ => self.see_line(bytes),
            };
            bytes = bytes.get_mut(used..).unwrap_or_default();
        }
    }

    fn skip(&mut self, available: usize, left: u64, then: After) -> usize {
        let used = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - used as u64;
        self.part = match then {
            _ if left > 0 => Part::Bytes { left, then },
            After::Message => Part::Start,
            After::Chunk => Part::ChunkSize,
        };
        used
    }

    fn see_line(&mut self, bytes: &mut [u8]) -> usize {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            return bytes.len();
        };
        let (line, rest) = bytes.split_at_mut(end);
        let begun = mem::take(&mut self.line);
        let is_proper = if begun.is_empty() {
            self.end_line(line)
        } else {
            self.end_line(&[&begun, &*line].concat())
        };
        if !is_proper {
            // Before a chunk, a lone line feed is refused as it is.
            if !matches!(self.part, Part::ChunkSize) {
                rest[..1].fill(0);
            }
            self.part = Part::Unknown;
        }
        end + 1
    }

    /// Takes in a line without its line feed; tells whether it ends as it should.
    fn end_line(&mut self, line: &[u8]) -> bool {
        let Some((b'\r', line)) = line.split_last() else {
            return false;
        };
        match self.part {
            Part::Start if line.is_empty() => {}
            Part::Start => {
                self.body = Body::None;
                self.part = Part::Head;
            }
            Part::Head if line.is_empty() => {
                self.heads = self.heads.saturating_add(1);
                self.part = self.body.begin();
            }
            Part::Head => self.note_framing(line),
            Part::ChunkSize => self.part = chunk(line),
            Part::Trailer if line.is_empty() => self.part = Part::Start,
            Part::Trailer | Part::Bytes { .. } | Part::Unknown => {}
        }
        true
    }

    /// Notes how the body is framed, if `header` says it. What contradicts itself is refused later.
    fn note_framing(&mut self, header: &[u8]) {
        if value_of(header, b"transfer-encoding:").is_some() {
            self.body = Body::Chunked;
        } else if let Some(length) = value_of(header, b"content-length:")
            && !matches!(self.body, Body::Chunked)
        {
            self.body = number(length.trim_ascii(), 10).map_or(Body::Unclear, Body::Length);
        }
    }
}

impl Body {
    /// Where its first byte belongs to, or that of the next message if it has none.
    fn begin(self) -> Part {
        match self {
            Self::None | Self::Length(0) => Part::Start,
            Self::Length(left) => Part::Bytes {
                left,
                then: After::Message,
            },
            Self::Chunked => Part::ChunkSize,
            Self::Unclear => Part::Unknown,
        }
    }
}

/// What follows the line before a chunk.
fn chunk(line: &[u8]) -> Part {
    let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
    let digits = line.iter().take_while(|byte| is_digit(byte)).count();
    match number(line.get(..digits).unwrap_or_default(), 16) {
        None => Part::Unknown,
        Some(0) => Part::Trailer,
        Some(length) => Part::Bytes {
            // The chunk ends with CR LF.
            left: length.saturating_add(2),
            then: After::Chunk,
        },
    }
}

fn value_of<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = header.split_at_checked(name.len())?;
    found.eq_ignore_ascii_case(name).then_some(value)
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of `text`, seen in pieces of every size.
    fn seen(text: &str) -> String {
        let outcomes = (1..=text.len()).map(|size| {
            let (mut framing, mut bytes) = (Framing::default(), text.as_bytes().to_vec());
            bytes.chunks_mut(size).for_each(|piece| framing.see(piece));
            String::from_utf8(bytes).unwrap()
        });
        let mut outcomes: Vec<_> = outcomes.collect();
        outcomes.dedup();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
    }

    #[test]
    fn a_lone_line_feed_in_a_head_is_spoiled() {
        for (text, spoiled) in [
            ("\nGET / HTTP/1.1\r\n", "\0GET / HTTP/1.1\r\n"),
            ("GET / HTTP/1.1\nA: b\r\n", "GET / HTTP/1.1\0A: b\r\n"),
            (
                "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
                "GET / HTTP/1.1\r\nA: b\0C: d\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nA: b\r\n\n",
                "GET / HTTP/1.1\r\nA: b\r\n\0",
            ),
        ] {
            assert_eq!(seen(text), spoiled, "{text:?}");
        }
    }

    #[test]
    fn bodies_are_left_alone_and_what_follows_them_is_not() {
        let bad = "GET / HTTP/1.1\nA: b\r\n\r\n";
        for proper in [
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n\n\n",
            "POST / HTTP/1.1\r\ncontent-length:0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\n\n\n\n\r\nA;x=y\r\n0123\n56789\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTRANSFER-ENCODING: chunked\r\n\r\n\
             1\r\n\n\r\n0\r\nTrailer: a\r\n\r\n",
        ] {
            let text = [proper, proper, bad].concat();
            let spoiled = [proper, proper, &bad.replacen("1.1\n", "1.1\0", 1)].concat();
            assert_eq!(seen(&text), spoiled, "{proper:?}");
        }
    }

    #[test]
    fn a_head_is_seen_when_it_is_complete_or_can_be_none() {
        for (text, is_seen) in [
            ("", false),
            ("\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a\n", true),
            ("GET / HTTP/1.1\r\nContent-Length: a\r\n", false),
            ("GET / HTTP/1.1\r\nContent-Length: a\r\n\r\n", true),
        ] {
            let mut framing = Framing::default();
            framing.see(&mut text.as_bytes().to_vec());
            assert_eq!(framing.has_seen_head(), is_seen, "{text:?}");
        }
    }
}
