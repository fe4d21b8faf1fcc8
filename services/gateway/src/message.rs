//! A request and its response, whichever version of HTTP they came in.

use std::mem;

use bytes::Bytes;
use http::{Method, StatusCode, Version, header::COOKIE, request::Parts};

use crate::{
    body::{Incoming, ResponseBody},
    http1::{Fields, RequestHead},
    upstream::Connection,
};

/// A request of a client.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: RequestHead,
    pub(crate) body: Incoming,
}

/// What goes back to the client.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) fields: Fields,
    pub(crate) body: ResponseBody,
    /// The upstream's side of the protocol that is spoken from now on.
    pub(crate) tunnel: Option<Box<Connection>>,
}

impl Request {
    /// A request that came over HTTP/2.
    pub(crate) fn from_http2(request: http::Request<hyper::body::Incoming>) -> Self {
        let (mut parts, body) = request.into_parts();
        let head = RequestHead {
            method: mem::take(&mut parts.method),
            uri: mem::take(&mut parts.uri),
            version: Version::HTTP_2,
            fields: fields(parts),
        };
        let body = Incoming::from_http2(body);
        Self { head, body }
    }
}

impl Response {
    /// A response with `status` and nothing else.
    pub(crate) fn new(status: StatusCode) -> Self {
        Self {
            status,
            fields: Fields::default(),
            body: ResponseBody::EMPTY,
            tunnel: None,
        }
    }

    /// A response of a known body.
    pub(crate) fn of(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let mut response = Self::new(status);
        response.fields.append_fixed("content-type", kind);
        response.body = ResponseBody::of(body);
        response
    }

    /// The response as HTTP/2 sends it.
    pub(crate) fn into_http2(self) -> http::Response<ResponseBody> {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.fields.to_map();
        response
    }

    /// Whether the answer to a request with `method` has a body.
    pub(crate) fn has_body(&self, method: &Method) -> bool {
        *method != Method::HEAD && !crate::http1::has_no_body(self.status)
    }
}

/// The fields of a request; the crumbs HTTP/2 makes of a cookie are joined (RFC 9113, 8.2.3).
fn fields(mut parts: Parts) -> Fields {
    let crumbs: Vec<_> = parts.headers.get_all(COOKIE).iter().cloned().collect();
    if crumbs.len() < 2 {
        return Fields::from_map(&parts.headers);
    }
    parts.headers.remove(COOKIE);
    let mut fields = Fields::from_map(&parts.headers);
    let crumbs: Vec<_> = crumbs.iter().map(http::HeaderValue::as_bytes).collect();
    fields.append("cookie", &crumbs.join(&b"; "[..]));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crumbs_of_a_cookie_become_one_field() {
        let builder = http::Request::builder().header("accept", "*/*");
        let request = builder.header("cookie", "a=1").header("cookie", "b=2");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let fields = fields(parts);
        assert_eq!(fields.only("cookie"), Some(&b"a=1; b=2"[..]));
        assert_eq!(fields.only("accept"), Some(&b"*/*"[..]));
    }
}
