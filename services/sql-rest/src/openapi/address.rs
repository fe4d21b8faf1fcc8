//! Where clients find the service.

use http::{HeaderMap, HeaderName, Uri, header::HOST};

const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// An address in the three parts Swagger has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port.
    pub host: String,
    /// The path before all paths.
    pub base_path: String,
}

impl Address {
    /// The one that is configured, or else the one the client used, as the proxy in front tells.
    pub fn new(configured: Option<&Uri>, headers: &HeaderMap) -> Self {
        match configured {
            Some(uri) => Self::configured(uri),
            None => Self::used(headers),
        }
    }

    fn configured(uri: &Uri) -> Self {
        let scheme = uri.scheme_str().unwrap_or("http");
        let default_port = if scheme == "https" { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        Self {
            scheme: scheme.to_owned(),
            host: format!("{}:{port}", uri.host().unwrap_or_default()),
            base_path: uri.path().to_owned(),
        }
    }

    fn used(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let forwarded = text(FORWARDED_PREFIX);
        let when_forwarded = |name| forwarded.and_then(|_| text(name));
        let scheme = when_forwarded(FORWARDED_PROTO).filter(|scheme| *scheme == "https");
        let host = when_forwarded(FORWARDED_HOST).or_else(|| text(HOST));
        Self {
            scheme: scheme.unwrap_or("http").to_owned(),
            host: host.unwrap_or("localhost").to_owned(),
            base_path: forwarded.unwrap_or("/").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_configured_address_has_the_last_word() {
        let address = |text: &'static str| {
            let address = Address::new(Some(&Uri::from_static(text)), &HeaderMap::new());
            (address.scheme, address.host, address.base_path)
        };
        let expected = |scheme: &str, host: &str, path: &str| {
            (scheme.to_owned(), host.to_owned(), path.to_owned())
        };
        assert_eq!(
            address("https://example.com/openapi.json"),
            expected("https", "example.com:443", "/openapi.json")
        );
        assert_eq!(
            address("http://example.com:8080"),
            expected("http", "example.com:8080", "/")
        );
    }

    #[test]
    fn behind_the_gateway_it_is_the_gateways() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("rest:3000"));
        headers.insert(FORWARDED_HOST, HeaderValue::from_static("api.example.com"));
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        assert_eq!(Address::new(None, &headers).host, "rest:3000");
        headers.insert(FORWARDED_PREFIX, HeaderValue::from_static("/rest/v1"));
        let address = Address::new(None, &headers);
        assert_eq!(address.host, "api.example.com");
        assert_eq!(address.base_path, "/rest/v1");
        assert_eq!(address.scheme, "https");
    }
}
