//! Where a browser may be sent: only to places the configuration names.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use url::{Host, Url};

use crate::{
    AppState,
    error::{Error, Result},
    glob::Pattern,
    request::{Params, text},
};

/// The places that links and redirects may lead to.
#[derive(Clone, Debug)]
pub struct Destinations {
    site: Url,
    allowed: Vec<Pattern>,
}

/// Extractor: where the request wants its user to end up, among the allowed places.
#[derive(Clone, Debug)]
pub struct ReturnTo(pub String);

impl FromRequestParts<AppState> for ReturnTo {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let params = Params::from_request_parts(parts, state).await?;
        Ok(Self(state.destinations().choose(&parts.headers, &params)))
    }
}

impl Destinations {
    /// The site itself and what the patterns of the allow list match.
    pub fn new(site: Url, allowed: Vec<Pattern>) -> Self {
        Self { site, allowed }
    }

    /// Where the request wants to be led, if it may; the site otherwise. What may not be is passed
    /// over in silence.
    pub fn choose(&self, headers: &http::HeaderMap, params: &Params) -> String {
        [
            text(headers, "redirect_to"),
            params.get("redirect_to"),
            text(headers, "referer"),
        ]
        .into_iter()
        .flatten()
        .find(|candidate| self.allows(candidate))
        .map_or_else(|| self.site_text(), str::to_owned)
    }

    /// `candidate`, if a browser may be led there; the site otherwise.
    pub fn allowed_or_site(&self, candidate: &str) -> String {
        if self.allows(candidate) {
            candidate.to_owned()
        } else {
            self.site_text()
        }
    }

    /// Whether a browser may be led to `candidate`.
    pub fn allows(&self, candidate: &str) -> bool {
        let is_clean = |c: char| !c.is_control() && !c.is_whitespace() && c != '\\';
        if candidate.is_empty() || !candidate.chars().all(is_clean) {
            return false;
        }
        let Ok(url) = Url::parse(candidate) else {
            return false;
        };
        if self.is_site(&url) {
            return true;
        }
        if let Some(ip) = ip_of(&url) {
            return ip.is_loopback() && is_written_as_ip(candidate);
        }
        let (without_fragment, _) = candidate.split_once('#').unwrap_or((candidate, ""));
        self.allowed
            .iter()
            .any(|pattern| pattern.matches(without_fragment))
    }

    fn is_site(&self, url: &Url) -> bool {
        let same_host = url.scheme() == self.site.scheme()
            && url.host().is_some()
            && url.host() == self.site.host();
        same_host && (is_loopback(url) || url.port() == self.site.port())
    }

    /// The site as it was configured, without the slash that parsing adds.
    pub fn site_text(&self) -> String {
        let text = self.site.as_str();
        let bare = self.site.path() == "/" && self.site.query().is_none();
        if bare {
            text.trim_end_matches('/').to_owned()
        } else {
            text.to_owned()
        }
    }
}

fn ip_of(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(ip) => Some(ip.into()),
        Host::Ipv6(ip) => Some(ip.into()),
        // Schemes of applications keep their host as it was written.
        Host::Domain(name) => name.parse::<Ipv4Addr>().ok().map(Into::into),
    }
}

/// `http://2130706433/` is 127.0.0.1 to a browser and something else to a careless eye.
fn is_written_as_ip(candidate: &str) -> bool {
    Url::parse(candidate)
        .is_ok_and(|url| url.host_str().is_some_and(|host| candidate.contains(host)))
}

fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || ip_of(url).is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations() -> Destinations {
        let allowed = [
            "https://*.example.org/**",
            "myapp://callback",
            "https://a.example.net/*/x",
            "https://preview-[0-9].example.net/",
            r"https://a.example.net/page\?id=[!0]",
        ];
        let site = Url::parse("https://app.example.com").unwrap();
        let allowed = allowed.map(|pattern| pattern.parse().unwrap());
        Destinations::new(site, allowed.to_vec())
    }

    #[test]
    fn the_site_and_the_list_are_allowed() {
        for url in [
            "https://app.example.com/welcome?x=1#y",
            "https://one.example.org/a/b",
            "https://one.example.org/",
            "myapp://callback",
            "myapp://callback#x",
            "https://a.example.net/b/x",
            "https://preview-7.example.net/",
            "https://a.example.net/page?id=1",
            "http://127.0.0.1:5000/x",
            "http://[::1]/x",
        ] {
            assert!(destinations().allows(url), "{url}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for url in [
            "",
            "/relative",
            "http://app.example.com",
            "https://app.example.com:8443/",
            "https://app.example.com.evil.org/",
            "https://app.example.com@evil.org/",
            "https://evil.org/app.example.com",
            "https://evil.org\\@app.example.com/",
            "https://one.two.example.org/",
            "https://evil.org/.example.org/",
            "https://a.example.net/b/c/x",
            "https://preview-x.example.net/",
            "https://preview-77.example.net/",
            "https://a.example.net/pages/id=1",
            "https://a.example.net/page?id=0",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.0.0.1/",
            "myapp://other",
            "myapp://callback.evil.org",
            "myapp://callback/more",
            "https://one.example.org.evil.org/",
            "https://a.example.net/b/x/more",
            "javascript:alert(1)",
            "https://app.example.com/\r\nset-cookie:x",
        ] {
            assert!(!destinations().allows(url), "{url}");
        }
    }

    #[test]
    fn a_request_that_may_not_go_elsewhere_goes_to_the_site() {
        let headers = http::HeaderMap::new();
        let choose = |query: &str| {
            destinations().choose(&headers, &Params::parse(query.as_bytes()).unwrap())
        };
        assert_eq!(
            choose("redirect_to=https://evil.org"),
            "https://app.example.com"
        );
        assert_eq!(choose("redirect_to=myapp://callback"), "myapp://callback");
    }
}
