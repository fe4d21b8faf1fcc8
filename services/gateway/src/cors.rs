//! Which origins a browser may call from (the CORS protocol of the Fetch standard).

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        VARY,
    },
};

use crate::{body::ResponseBody, refusal::Refusal};

const METHODS: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const ANY: HeaderValue = HeaderValue::from_static("*");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const VARY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers");

/// Response headers a page may read, beside those the standard always shows.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Range, Content-Location, Content-Profile, Preference-Applied, X-Total-Count, Link, \
     Location, ETag, X-Request-ID, X-Supabase-Api-Version, Retry-After, RateLimit-Limit, \
     RateLimit-Remaining, RateLimit-Reset, Tus-Resumable, Tus-Version, Tus-Extension, \
     Tus-Max-Size, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires",
);

/// Longest list of request headers that is allowed in a preflight.
const MAX_REQUESTED_BYTES: usize = 1024;

/// The origins that may call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
    any: bool,
}

/// What one request's origin is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Not a request of a page on another origin, or one that is not allowed.
    None,
    /// Any page may call, without credentials of the browser.
    Anyone,
    /// This origin may call, with credentials.
    Origin(HeaderValue),
}

impl Cors {
    /// Allows `origins`: each `scheme://host[:port]`, or a single `*`.
    pub(crate) fn new(origins: &[String]) -> Result<Self, String> {
        if origins == ["*"] {
            return Ok(Self {
                origins: Vec::new(),
                any: true,
            });
        }
        let origins = origins.iter().map(|origin| {
            let parsed = url::Url::parse(origin).ok();
            parsed
                .filter(|url| {
                    url.origin().ascii_serialization() == *origin && !origin.contains('*')
                })
                .and_then(|_| HeaderValue::try_from(origin).ok())
                .ok_or_else(|| format!("`{origin}` is not an origin such as https://app.example"))
        });
        Ok(Self {
            origins: origins.collect::<Result<_, _>>()?,
            any: false,
        })
    }

    /// What a request from `origin` is allowed.
    pub(crate) fn access(&self, origin: Option<&HeaderValue>) -> Access {
        match origin {
            Some(_) if self.any => Access::Anyone,
            Some(origin) if self.origins.contains(origin) => Access::Origin(origin.clone()),
            _ => Access::None,
        }
    }

    /// Whether responses differ by origin.
    pub(crate) fn varies(&self) -> bool {
        !self.origins.is_empty()
    }
}

/// Whether the request only asks for permission.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a page of another origin asks that may not. A browser lets any page open a WebSocket and
/// sends its cookies along, so here it is the server that has to look.
pub(crate) fn is_foreign(
    access: &Access,
    origin: Option<&HeaderValue>,
    host: Option<&HeaderValue>,
) -> bool {
    let Some(origin) = origin.filter(|_| *access == Access::None) else {
        return false;
    };
    let origin_host = origin.to_str().ok().and_then(|text| text.split_once("://"));
    let is_own = origin_host
        .zip(host)
        .is_some_and(|((_, own), host)| own.as_bytes().eq_ignore_ascii_case(host.as_bytes()));
    !is_own
}

/// The answer to a preflight.
pub(crate) fn preflight(
    access: &Access,
    request: &HeaderMap,
) -> Result<Response<ResponseBody>, Refusal> {
    if *access == Access::None {
        return Err(Refusal::ForeignOrigin);
    }
    let mut response = Response::new(ResponseBody::EMPTY);
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, VARY_PREFLIGHT);
    if let Some(requested) = request.get(ACCESS_CONTROL_REQUEST_HEADERS)
        && is_list_of_names(requested)
    {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    Ok(response)
}

/// Tells the browser what `access` allows.
pub(crate) fn decorate(headers: &mut HeaderMap, access: &Access, varies: bool) {
    match access {
        Access::None => {}
        Access::Anyone => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        }
        Access::Origin(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
    }
    if *access != Access::None {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    if varies {
        headers.append(VARY, VARY_ORIGIN);
    }
}

fn is_list_of_names(value: &HeaderValue) -> bool {
    value.len() <= MAX_REQUESTED_BYTES
        && value.to_str().is_ok_and(|text| {
            let mut names = text.split(',').map(str::trim);
            names.all(|name| HeaderName::from_bytes(name.as_bytes()).is_ok())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Result<Cors, String> {
        let origins: Vec<_> = origins.iter().map(ToString::to_string).collect();
        Cors::new(&origins)
    }

    fn access(cors: &Cors, origin: &'static str) -> Access {
        cors.access(Some(&HeaderValue::from_static(origin)))
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let cors = cors(&["https://app.example", "http://localhost:5173"]).unwrap();
        let own = HeaderValue::from_static("https://app.example");
        assert_eq!(access(&cors, "https://app.example"), Access::Origin(own));
        for foreign in [
            "https://app.example.evil.test",
            "http://app.example",
            "https://app.example:444",
            "null",
        ] {
            assert_eq!(access(&cors, foreign), Access::None, "{foreign}");
        }
    }

    #[test]
    fn a_star_never_comes_with_credentials() {
        let cors = cors(&["*"]).unwrap();
        let mut headers = HeaderMap::new();
        decorate(
            &mut headers,
            &access(&cors, "https://any.example"),
            cors.varies(),
        );
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }

    #[test]
    fn what_is_not_an_origin_is_refused() {
        for bad in [
            "https://app.example/",
            "https://app.example/path",
            "app.example",
            "https://*.example",
            "https://App.example",
        ] {
            assert!(cors(&[bad]).is_err(), "{bad}");
        }
        assert!(cors(&["*", "https://app.example"]).is_err());
    }
}
