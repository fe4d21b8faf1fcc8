//! Heads of requests and responses, and what they say about the body and the connection.

use std::{mem::MaybeUninit, ops::Range, str};

use bytes::{Buf, BytesMut};
use http::{Method, StatusCode, Uri, Version};

use super::{Decoder, fields::Fields, lines::EndOfHead};

/// Fields of one head, whatever the configuration says.
const MAX_FIELDS: usize = 256;

/// Bytes and fields a head may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) bytes: usize,
    pub(crate) fields: usize,
}

/// The head of a request.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) fields: Fields,
}

/// The head of a response.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) fields: Fields,
}

/// Why something is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHead {
    /// It is not what RFC 9112 wants.
    #[error("the head is malformed")]
    Malformed,
    /// It is longer than allowed, or has more fields.
    #[error("the head is too large")]
    TooLarge,
}

/// Finds heads among the bytes that arrive.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    search: EndOfHead,
    end: Option<usize>,
}

type Fieldspace<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELDS];

impl HeadReader {
    /// Takes a request's head out of what arrived; nothing, if more has to come.
    pub(crate) fn request(
        &mut self,
        arrived: &mut BytesMut,
        limits: HeadLimits,
    ) -> Result<Option<RequestHead>, BadHead> {
        self.take(arrived, limits, parse_request)
    }

    /// Takes a response's head out of what arrived; nothing, if more has to come.
    pub(crate) fn response(
        &mut self,
        arrived: &mut BytesMut,
        limits: HeadLimits,
    ) -> Result<Option<ResponseHead>, BadHead> {
        self.take(arrived, limits, parse_response)
    }

    /// Whether more would change nothing: a head is complete, or what came is none.
    pub(crate) fn is_ready(&mut self, arrived: &[u8], limits: HeadLimits) -> bool {
        !matches!(self.length(arrived, limits), Ok(None))
    }

    fn length(&mut self, arrived: &[u8], limits: HeadLimits) -> Result<Option<usize>, BadHead> {
        if self.end.is_none() {
            self.end = self.search.find(arrived).map_err(|_| BadHead::Malformed)?;
        }
        if self.end.unwrap_or(arrived.len()) > limits.bytes {
            return Err(BadHead::TooLarge);
        }
        Ok(self.end)
    }

    fn take<H>(
        &mut self,
        arrived: &mut BytesMut,
        limits: HeadLimits,
        parse: impl Fn(&[u8], HeadLimits) -> Result<H, BadHead>,
    ) -> Result<Option<H>, BadHead> {
        let Some(length) = self.length(arrived, limits)? else {
            return Ok(None);
        };
        let head = parse(arrived.get(..length).unwrap_or_default(), limits)?;
        arrived.advance(length);
        *self = Self::default();
        Ok(Some(head))
    }
}

fn parse_request(head: &[u8], limits: HeadLimits) -> Result<RequestHead, BadHead> {
    let mut space: Fieldspace<'_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let space = space
        .get_mut(..limits.fields.min(MAX_FIELDS))
        .unwrap_or_default();
    let mut request = httparse::Request::new(&mut []);
    let status = request
        .parse_with_uninit_headers(head, space)
        .map_err(BadHead::from)?;
    if status != httparse::Status::Complete(head.len()) {
        return Err(BadHead::Malformed);
    }
    let method = request.method.map(str::as_bytes).unwrap_or_default();
    let target = request.path.unwrap_or_default();
    Ok(RequestHead {
        method: Method::from_bytes(method).map_err(|_| BadHead::Malformed)?,
        uri: uri(target)?,
        version: version(request.version),
        fields: fields(head, request.headers),
    })
}

fn parse_response(head: &[u8], limits: HeadLimits) -> Result<ResponseHead, BadHead> {
    let mut space: Fieldspace<'_> = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let space = space
        .get_mut(..limits.fields.min(MAX_FIELDS))
        .unwrap_or_default();
    let mut response = httparse::Response::new(&mut []);
    let status = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, head, space)
        .map_err(BadHead::from)?;
    if status != httparse::Status::Complete(head.len()) {
        return Err(BadHead::Malformed);
    }
    let code = response.code.unwrap_or_default();
    Ok(ResponseHead {
        status: StatusCode::from_u16(code).map_err(|_| BadHead::Malformed)?,
        version: version(response.version),
        fields: fields(head, response.headers),
    })
}

/// The target of a request. What follows a `#` is never sent (RFC 9110, 4.2.5): the library would
/// drop it, and an upstream of another mind would not.
fn uri(target: &str) -> Result<Uri, BadHead> {
    if target.contains('#') {
        return Err(BadHead::Malformed);
    }
    target.parse().map_err(|_| BadHead::Malformed)
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    }
}

fn fields(head: &[u8], parsed: &[httparse::Header<'_>]) -> Fields {
    let place = |part: &[u8]| -> Range<usize> {
        let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
        start..start + part.len()
    };
    let places = parsed
        .iter()
        .map(|field| (place(field.name.as_bytes()), place(field.value)));
    Fields::of(head, places)
}

impl RequestHead {
    /// What stands for a head that could not be read.
    pub(crate) fn unreadable() -> Self {
        Self {
            method: Method::from_bytes(b"-").unwrap_or_default(),
            uri: Uri::default(),
            version: Version::HTTP_11,
            fields: Fields::default(),
        }
    }

    /// How the body is framed. A length that contradicts it is removed (RFC 9112, 6.3); whether the
    /// connection must end after such a request is the second answer.
    pub(crate) fn body(&mut self) -> Result<(Decoder, bool), BadHead> {
        let is_chunked = is_chunked(&self.fields)?;
        let length = length(&self.fields)?;
        if is_chunked {
            if self.version == Version::HTTP_10 {
                return Err(BadHead::Malformed);
            }
            keep_lengths(&mut self.fields, 0);
            return Ok((Decoder::chunked(), length.is_some()));
        }
        keep_lengths(&mut self.fields, 1);
        Ok((Decoder::length(length.unwrap_or(0)), false))
    }

    /// Whether the client will send another request on its connection (RFC 9112, 9.3).
    pub(crate) fn keeps_alive(&self) -> bool {
        keeps_alive(&self.fields, self.version)
    }

    /// Whether the client waits to be told that its body is wanted (RFC 9110, 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        let expect = self.fields.get("expect");
        self.version == Version::HTTP_11
            && expect.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
    }
}

impl ResponseHead {
    /// How the body is framed that follows a request with `method` (RFC 9112, 6.3). What contradicts
    /// that is removed; whether the connection must end after the body is the second answer.
    pub(crate) fn body(&mut self, method: &Method) -> Result<(Decoder, bool), BadHead> {
        let has_no_body = has_no_body(self.status);
        if !has_no_body && *method != Method::HEAD && is_chunked(&self.fields)? {
            let is_doubtful =
                self.version == Version::HTTP_10 || self.fields.get("content-length").is_some();
            keep_lengths(&mut self.fields, 0);
            return Ok((Decoder::chunked(), is_doubtful));
        }
        let length = length(&self.fields)?;
        // Of a body that is not there for its status, only 304 tells the length (RFC 9110, 8.6).
        let tells_length = !has_no_body || self.status == StatusCode::NOT_MODIFIED;
        keep_lengths(&mut self.fields, usize::from(tells_length));
        Ok(match length {
            _ if has_no_body || *method == Method::HEAD => (Decoder::Done, false),
            Some(length) => (Decoder::length(length), false),
            None => (Decoder::UntilEnd, true),
        })
    }

    /// Whether the upstream will take another request on its connection.
    pub(crate) fn keeps_alive(&self) -> bool {
        keeps_alive(&self.fields, self.version)
    }
}

/// Whether a response with `status` never has a body.
pub(crate) fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

/// Whether the body comes in chunks, which is the only transfer coding spoken.
fn is_chunked(fields: &Fields) -> Result<bool, BadHead> {
    if fields.all("transfer-encoding").next().is_none() {
        return Ok(false);
    }
    let coding = fields.only("transfer-encoding").map(<[u8]>::trim_ascii);
    match coding {
        Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(BadHead::Malformed),
    }
}

/// The length that was announced, however often.
fn length(fields: &Fields) -> Result<Option<u64>, BadHead> {
    let mut length = None;
    for value in fields.all("content-length") {
        let value = digits(value).ok_or(BadHead::Malformed)?;
        if length.is_some_and(|other| other != value) {
            return Err(BadHead::Malformed);
        }
        length = Some(value);
    }
    Ok(length)
}

/// Removes announced lengths but for the first `count` of them.
fn keep_lengths(fields: &mut Fields, mut count: usize) {
    if fields.all("content-length").nth(count).is_none() {
        return;
    }
    fields.retain(|name, _| {
        let is_length = name == b"content-length";
        let stays = !is_length || count > 0;
        count -= usize::from(is_length && stays);
        stays
    });
}

fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

fn keeps_alive(fields: &Fields, version: Version) -> bool {
    let says = |wanted: &str| {
        let options = fields
            .all("connection")
            .flat_map(|value| value.split(|byte| *byte == b','));
        let mut options = options.map(<[u8]>::trim_ascii);
        options.any(|option| option.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    if version == Version::HTTP_10 {
        says("keep-alive") && !says("close")
    } else {
        !says("close")
    }
}

impl From<httparse::Error> for BadHead {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooLarge,
            _ => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests;
