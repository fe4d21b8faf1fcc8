//! Bodies, as they are framed (RFC 9112, 6).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderName, HeaderValue};

use super::lines;

/// Bytes of the line before a chunk, or of one trailer, at most.
const MAX_LINE_BYTES: usize = 4096;

/// Bytes of extensions and trailers that a body may have beside what it carries. They are read and
/// dropped, as RFC 9110, 6.5.1 and RFC 9112, 7.1.1 allow.
const MAX_EXTRA_BYTES: usize = 16 * 1024;

/// Lines of trailers, at most.
const MAX_TRAILERS: usize = 100;

/// What is left of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decoder {
    /// Nothing.
    Done,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked {
        /// What comes first.
        next: Chunk,
        /// Bytes of extensions and trailers that may still come.
        spare: usize,
    },
    /// Whatever comes until the connection ends.
    UntilEnd,
}

/// What comes next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The line that says how long the next chunk is.
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The end of the line after a chunk.
    End,
    /// Trailers, after so many others.
    Trailers(usize),
}

/// A body that is not framed as RFC 9112 says, or that broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is malformed or broke off")]
pub(crate) struct BadBody;

impl Decoder {
    /// Of so many bytes.
    pub(crate) fn length(length: u64) -> Self {
        if length == 0 {
            Self::Done
        } else {
            Self::Length(length)
        }
    }

    /// Of chunks.
    pub(crate) fn chunked() -> Self {
        Self::Chunked {
            next: Chunk::Size,
            spare: MAX_EXTRA_BYTES,
        }
    }

    /// Whether the body is over.
    pub(crate) fn is_done(&self) -> bool {
        *self == Self::Done
    }

    /// Takes the next piece of the body out of what has arrived. Nothing, when the body is over or
    /// more has to arrive.
    pub(crate) fn decode(&mut self, arrived: &mut BytesMut) -> Result<Option<Bytes>, BadBody> {
        match self {
            Self::Done => Ok(None),
            Self::Length(left) => {
                let data = take(arrived, left);
                if *left == 0 {
                    *self = Self::Done;
                }
                Ok(data)
            }
            Self::UntilEnd => Ok(take(arrived, &mut u64::MAX.clone())),
            Self::Chunked { .. } => self.decode_chunked(arrived),
        }
    }

    /// Notes that nothing more will arrive.
    pub(crate) fn end(&mut self) -> Result<(), BadBody> {
        match self {
            Self::Done | Self::UntilEnd => {
                *self = Self::Done;
                Ok(())
            }
            Self::Length(_) | Self::Chunked { .. } => Err(BadBody),
        }
    }

    fn decode_chunked(&mut self, arrived: &mut BytesMut) -> Result<Option<Bytes>, BadBody> {
        while let Self::Chunked { next, spare } = self {
            if let Chunk::Data(left) = next {
                let data = take(arrived, left);
                if *left == 0 {
                    *next = Chunk::End;
                }
                return Ok(data);
            }
            let length = lines::first(arrived).map_err(|_| BadBody)?;
            if length.unwrap_or(arrived.len()) > MAX_LINE_BYTES {
                return Err(BadBody);
            }
            let Some(length) = length else {
                return Ok(None);
            };
            let line = arrived.get(..length).unwrap_or_default();
            *self = next.after(line, *spare)?;
            arrived.advance(length + 2);
        }
        Ok(None)
    }
}

impl Chunk {
    /// What follows after `line`.
    fn after(self, line: &[u8], spare: usize) -> Result<Decoder, BadBody> {
        let (next, extra) = match self {
            Self::Size => match size(line)? {
                (0, extra) => (Self::Trailers(0), extra),
                (size, extra) => (Self::Data(size), extra),
            },
            Self::End if line.is_empty() => (Self::Size, 0),
            Self::Trailers(_) if line.is_empty() => return Ok(Decoder::Done),
            Self::Trailers(count) if count < MAX_TRAILERS && is_field(line) => {
                (Self::Trailers(count + 1), line.len())
            }
            Self::End | Self::Trailers(_) | Self::Data(_) => return Err(BadBody),
        };
        let spare = spare.checked_sub(extra).ok_or(BadBody)?;
        Ok(Decoder::Chunked { next, spare })
    }
}

/// The length a line announces, and that of the extensions after it, which are passed over.
fn size(line: &[u8]) -> Result<(u64, usize), BadBody> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, rest) = line.split_at_checked(digits.count()).ok_or(BadBody)?;
    // Some servers pad the number with spaces.
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    let extensions = rest.get(blanks.count()..).unwrap_or_default();
    let are_extensions =
        extensions.starts_with(b";") && !extensions.iter().any(u8::is_ascii_control);
    if !extensions.is_empty() && !are_extensions {
        return Err(BadBody);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BadBody)?;
    let size = u64::from_str_radix(digits, 16).map_err(|_| BadBody)?;
    Ok((size, extensions.len()))
}

/// Whether a line is one of trailers.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else {
        return false;
    };
    let (name, rest) = line.split_at(colon);
    HeaderName::from_bytes(name).is_ok() && HeaderValue::from_bytes(rest).is_ok()
}

/// Up to `left` of the bytes that arrived.
fn take(arrived: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    let length = usize::try_from(*left).map_or(arrived.len(), |left| left.min(arrived.len()));
    *left -= length as u64;
    (length > 0).then(|| arrived.split_to(length).freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body in `text`, which arrives in pieces of `step` bytes, and what is left after it.
    fn decode(mut decoder: Decoder, text: &str, step: usize) -> Result<(String, usize), BadBody> {
        let (mut arrived, mut body) = (BytesMut::new(), Vec::new());
        for piece in text.as_bytes().chunks(step) {
            arrived.extend_from_slice(piece);
            while let Some(data) = decoder.decode(&mut arrived)? {
                body.extend_from_slice(&data);
            }
        }
        if !decoder.is_done() {
            decoder.end()?;
        }
        Ok((String::from_utf8(body).unwrap(), arrived.len()))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        let chunks = "3\r\na\nb\r\nA;x=y\r\n0123456789\r\n1  \r\nc\r\n0\r\nT: a\r\n\r\nGET";
        for step in 1..chunks.len() {
            let chunked = decode(Decoder::chunked(), chunks, step);
            assert_eq!(chunked, Ok(("a\nb0123456789c".to_owned(), 3)), "{step}");
            let sized = decode(Decoder::length(5), "helloGET", step);
            assert_eq!(sized, Ok(("hello".to_owned(), 3)), "{step}");
        }
        let endless = decode(Decoder::UntilEnd, "hello", 2);
        assert_eq!(endless, Ok(("hello".to_owned(), 0)));
        assert!(Decoder::length(0).is_done());
    }

    #[test]
    fn a_body_that_breaks_off_is_not_whole() {
        assert_eq!(decode(Decoder::length(5), "hell", 9), Err(BadBody));
        for text in ["5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", ""] {
            assert_eq!(decode(Decoder::chunked(), text, 9), Err(BadBody), "{text}");
        }
    }

    #[test]
    fn chunks_that_can_be_read_in_two_ways_are_refused() {
        for text in [
            "\r\nhello",
            "zz\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5;a\rb\r\nhello\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "5 5\r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "fffffffffffffffff\r\nhello\r\n",
            "0\r\nT: a\n\r\n",
            "5\r\r\nhello\r\n0\r\n\r\n",
            "5 \r \r\nhello\r\n0\r\n\r\n",
            "5\x0c\r\nhello\r\n0\r\n\r\n",
            "5;a\r\r\nhello\r\n0\r\n\r\n",
            "0\r\nT: a\r\r\n\r\n",
            "0\r\nT: a\0b\r\n\r\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
            "0\r\n T: a\r\n\r\n",
            "0\r\nT : a\r\n\r\n",
            "0\r\n: a\r\n\r\n",
        ] {
            assert_eq!(
                decode(Decoder::chunked(), text, 99),
                Err(BadBody),
                "{text:?}"
            );
        }
    }

    #[test]
    fn lines_around_chunks_are_bounded() {
        let long = format!("0;{}\r\n\r\n", "a".repeat(MAX_LINE_BYTES));
        let many = format!("0\r\n{}\r\n", "T: a\r\n".repeat(MAX_TRAILERS + 1));
        let extended = format!("1;{}\r\na\r\n", "a".repeat(1000)).repeat(20) + "0\r\n\r\n";
        let trailed = format!(
            "0\r\n{}\r\n",
            format!("T: {}\r\n", "a".repeat(1000)).repeat(20)
        );
        for text in [long, many, extended, trailed] {
            for step in [100, text.len()] {
                assert_eq!(decode(Decoder::chunked(), &text, step), Err(BadBody));
            }
        }
    }
}
