//! Which origins a browser may call from (the CORS protocol of the Fetch standard).

use http::{Method, StatusCode};

use crate::{http1::Fields, message::Response, refusal::Refusal};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Response headers a page may read, beside those the standard always shows.
const EXPOSED: &str = "Content-Range, Content-Location, Content-Profile, Preference-Applied, \
     X-Total-Count, Link, Location, ETag, X-Request-ID, X-Supabase-Api-Version, Retry-After, \
     RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Tus-Resumable, Tus-Version, \
     Tus-Extension, Tus-Max-Size, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires";

/// Longest list of request headers that is allowed in a preflight.
const MAX_REQUESTED_BYTES: usize = 1024;

/// The origins that may call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    origins: Vec<String>,
    any: bool,
}

/// What one request's origin is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access<'h> {
    /// Not a request of a page on another origin, or one that is not allowed.
    None,
    /// Any page may call, without credentials of the browser.
    Anyone,
    /// This origin may call, with credentials.
    Origin(&'h [u8]),
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
                .map(|_| origin.clone())
                .ok_or_else(|| format!("`{origin}` is not an origin such as https://app.example"))
        });
        Ok(Self {
            origins: origins.collect::<Result<_, _>>()?,
            any: false,
        })
    }

    /// What a request from `origin` is allowed.
    pub(crate) fn access<'h>(&self, origin: Option<&'h [u8]>) -> Access<'h> {
        match origin {
            Some(_) if self.any => Access::Anyone,
            Some(origin) if self.lists(origin) => Access::Origin(origin),
            _ => Access::None,
        }
    }

    fn lists(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|own| own.as_bytes() == origin)
    }

    /// Whether responses differ by origin.
    pub(crate) fn varies(&self) -> bool {
        !self.origins.is_empty()
    }
}

/// Whether the request only asks for permission.
pub(crate) fn is_preflight(method: &Method, fields: &Fields) -> bool {
    *method == Method::OPTIONS && fields.get("access-control-request-method").is_some()
}

/// Whether a page of another origin asks that may not. A browser lets any page open a WebSocket and
/// sends its cookies along, so here it is the server that has to look.
pub(crate) fn is_foreign(access: Access<'_>, origin: Option<&[u8]>, host: &[u8]) -> bool {
    let Some(origin) = origin.filter(|_| access == Access::None) else {
        return false;
    };
    let scheme = memchr::memmem::find(origin, b"://");
    let own = scheme.and_then(|at| origin.get(at + 3..));
    !own.is_some_and(|own| own.eq_ignore_ascii_case(host))
}

/// The answer to a preflight.
pub(crate) fn preflight(access: Access<'_>, request: &Fields) -> Result<Response, Refusal> {
    if access == Access::None {
        return Err(Refusal::ForeignOrigin);
    }
    let mut response = Response::new(StatusCode::NO_CONTENT);
    let fields = &mut response.fields;
    fields.append_fixed("access-control-allow-methods", METHODS);
    fields.append_fixed("access-control-max-age", "3600");
    fields.append_fixed("vary", "Origin, Access-Control-Request-Headers");
    if let Some(requested) = request.get("access-control-request-headers")
        && is_list_of_names(requested)
    {
        fields.append("access-control-allow-headers", requested);
    }
    Ok(response)
}

/// Tells the browser what `access` allows.
pub(crate) fn decorate(fields: &mut Fields, access: Access<'_>, varies: bool) {
    match access {
        Access::None => {}
        Access::Anyone => fields.append_fixed("access-control-allow-origin", "*"),
        Access::Origin(origin) => {
            fields.append("access-control-allow-origin", origin);
            fields.append_fixed("access-control-allow-credentials", "true");
        }
    }
    if access != Access::None {
        fields.append_fixed("access-control-expose-headers", EXPOSED);
    }
    if varies {
        fields.append_fixed("vary", "Origin");
    }
}

fn is_list_of_names(value: &[u8]) -> bool {
    let mut names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    value.len() <= MAX_REQUESTED_BYTES
        && names.all(|name| http::HeaderName::from_bytes(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> Result<Cors, String> {
        let origins: Vec<_> = origins.iter().map(ToString::to_string).collect();
        Cors::new(&origins)
    }

    fn access<'h>(cors: &Cors, origin: &'h str) -> Access<'h> {
        cors.access(Some(origin.as_bytes()))
    }

    #[test]
    fn only_listed_origins_are_let_in() {
        let cors = cors(&["https://app.example", "http://localhost:5173"]).unwrap();
        let own = Access::Origin(b"https://app.example");
        assert_eq!(access(&cors, "https://app.example"), own);
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
        let mut fields = Fields::default();
        let anyone = access(&cors, "https://any.example");
        decorate(&mut fields, anyone, cors.varies());
        let allowed = fields.only("access-control-allow-origin");
        assert_eq!(allowed, Some(&b"*"[..]));
        assert_eq!(fields.get("access-control-allow-credentials"), None);
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
