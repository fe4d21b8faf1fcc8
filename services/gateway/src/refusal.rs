//! What the gateway itself answers when a request goes no further.

use common::error::Problem;
use http::StatusCode;
use serde_json::json;

use crate::{http1::BadHead, message::Response};

/// Why a request was not passed on, or its response not passed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// What came is not a request, or can be read in more than one way.
    #[error("the request is not valid HTTP, see RFC 9112")]
    BadHead,
    /// The request line and the headers are too long, or the headers too many.
    #[error("the request's headers are too large or too many")]
    HeadTooLarge,
    /// The path can be read in more than one way.
    #[error("the path has dot segments, encoded slashes or broken escapes; send it resolved")]
    AmbiguousPath,
    /// A header that must be unique is not, or is not text.
    #[error("a header is missing, malformed or sent twice")]
    BadHeader,
    /// The method is none for a gateway.
    #[error("this method is not served")]
    BadMethod,
    /// A WebSocket handshake that RFC 6455 does not know.
    #[error("the WebSocket handshake is not valid")]
    BadHandshake,
    /// No route has this path.
    #[error("no route serves this path")]
    NoRoute,
    /// No key was sent.
    #[error("send an API key as the header `apikey`")]
    MissingKey,
    /// The key is unknown.
    #[error("the API key is not valid")]
    InvalidKey,
    /// The key is good, but not for this route.
    #[error("this API key may not use this route")]
    WrongConsumer,
    /// The route is for certain addresses only.
    #[error("this route is not open to your address")]
    ForeignAddress,
    /// A preflight from an origin that is not listed.
    #[error("requests from this origin are not allowed")]
    ForeignOrigin,
    /// Too many requests.
    #[error("too many requests; wait before the next one")]
    RateLimited {
        /// Seconds until it makes sense to try again.
        retry_after: u32,
    },
    /// The body is too large for the route.
    #[error("the request body is larger than this route accepts")]
    TooLarge,
    /// The body is not framed as HTTP wants it, or ended early.
    #[error("the request body is malformed or broke off")]
    BadBody,
    /// The client stopped in the middle of its request.
    #[error("the request body did not arrive in time")]
    ClientSilent,
    /// No address of the upstream can be reached.
    #[error("the service behind this route is unavailable; try again shortly")]
    Unreachable,
    /// The upstream broke off or did not speak HTTP.
    #[error("the service behind this route did not answer properly")]
    BadAnswer,
    /// The upstream was silent.
    #[error("the service behind this route did not answer in time")]
    TimedOut,
}

impl Problem for Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadHead
            | Self::AmbiguousPath
            | Self::BadHeader
            | Self::BadHandshake
            | Self::BadBody => StatusCode::BAD_REQUEST,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MissingKey | Self::InvalidKey => StatusCode::UNAUTHORIZED,
            Self::WrongConsumer | Self::ForeignAddress | Self::ForeignOrigin => {
                StatusCode::FORBIDDEN
            }
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ClientSilent => StatusCode::REQUEST_TIMEOUT,
            Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Self::BadAnswer => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadHead => "invalid_request",
            Self::HeadTooLarge => "headers_too_large",
            Self::AmbiguousPath => "invalid_path",
            Self::BadHeader => "invalid_header",
            Self::BadMethod => "method_not_allowed",
            Self::BadHandshake => "invalid_handshake",
            Self::NoRoute => "route_not_found",
            Self::MissingKey => "missing_api_key",
            Self::InvalidKey => "invalid_api_key",
            Self::WrongConsumer => "consumer_not_allowed",
            Self::ForeignAddress => "address_not_allowed",
            Self::ForeignOrigin => "origin_not_allowed",
            Self::RateLimited { .. } => "rate_limited",
            Self::TooLarge => "payload_too_large",
            Self::BadBody => "invalid_body",
            Self::ClientSilent => "request_timeout",
            Self::Unreachable | Self::BadAnswer => "upstream_unavailable",
            Self::TimedOut => "upstream_timeout",
        }
    }
}

impl Refusal {
    /// The response, in the envelope all our services use.
    pub(crate) fn response(self, request_id: &str) -> Response {
        let envelope = json!({
            "success": false,
            "error": { "code": self.code(), "message": self.to_string() },
            "meta": { "request_id": request_id },
        });
        let mut response = Response::of(self.status(), "application/json", envelope.to_string());
        let fields = &mut response.fields;
        match self {
            Self::RateLimited { retry_after } => {
                fields.append("retry-after", retry_after.to_string().as_bytes());
            }
            Self::Unreachable => fields.append_fixed("retry-after", "1"),
            Self::BadMethod => {
                fields.append_fixed("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            }
            _ => {}
        }
        response
    }
}

impl From<BadHead> for Refusal {
    fn from(error: BadHead) -> Self {
        match error {
            BadHead::Malformed => Self::BadHead,
            BadHead::TooLarge => Self::HeadTooLarge,
        }
    }
}
