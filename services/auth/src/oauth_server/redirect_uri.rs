//! Where an application may have the browser sent back to (OAuth 2.1, 2.3).

use url::{Host, Url};

/// Most redirect URIs of a client.
const MAX_URIS: usize = 10;

/// Longest redirect URI.
const MAX_BYTES: usize = 2048;

/// Applications on a desktop that have a scheme of their own, and the one host it is good with.
const SCHEMES_OF_APPLICATIONS: [(&str, &str); 1] = [("cursor", "anysphere.cursor-mcp")];

/// Fails with what is wrong with a client's redirect URIs.
pub fn check_all(uris: &[String]) -> Result<(), String> {
    if uris.len() > MAX_URIS {
        return Err("redirect_uris cannot exceed 10 items".to_owned());
    }
    uris.iter().try_for_each(|uri| {
        check(uri).map_err(|why| format!("invalid redirect_uri '{uri}': {why}"))
    })
}

fn check(uri: &str) -> Result<(), &'static str> {
    if uri.is_empty() {
        return Err("redirect URI cannot be empty");
    }
    if uri.len() > MAX_BYTES {
        return Err("redirect URI cannot exceed 2048 characters");
    }
    // What `Url` mends would be another text than the one that is compared; a comma stands between
    // two URIs in the table.
    let is_odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\\' | ',');
    if uri.contains(is_odd) {
        return Err("character not allowed in redirect URI");
    }
    let url = Url::parse(uri).map_err(|_| "invalid URL format")?;
    let host = url.host().ok_or("must have scheme and host")?;
    if url.fragment().is_some() {
        return Err("fragment not allowed in redirect URI");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials not allowed in redirect URI");
    }
    let is_of_application =
        |(scheme, name): &(&str, &str)| url.scheme() == *scheme && url.host_str() == Some(*name);
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_local(&host) => Ok(()),
        "http" => Err("HTTP scheme only allowed for localhost"),
        _ if SCHEMES_OF_APPLICATIONS.iter().any(is_of_application) => Ok(()),
        _ => Err("scheme must be HTTPS or HTTP (localhost only)"),
    }
}

fn is_local(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_only_the_application_can_be_at_are_taken() {
        for uri in [
            "https://app.example.com/callback?x=1",
            "http://localhost:3000/callback",
            "http://127.0.0.1/callback",
            "http://[::1]/callback",
            "cursor://anysphere.cursor-mcp/oauth",
        ] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn all_others_are_refused() {
        for uri in [
            "",
            "callback",
            "/callback",
            "http://app.example.com/callback",
            "http://localhost.evil.com/",
            "http://localhost@evil.com/",
            "https://app.example.com/#here",
            "https://app.example.com/#",
            "https://app.example.com/,https://evil.com",
            "https://app.example.com\\evil.com",
            "https://app.example.com/\nx",
            "javascript:alert(1)",
            "data:text/html,x",
            "cursor://evil/",
            "com.example.app:/callback",
        ] {
            assert!(check(uri).is_err(), "{uri}");
        }
        let many = vec!["https://app.example.com".to_owned(); 11];
        assert_eq!(
            check_all(&many).unwrap_err(),
            "redirect_uris cannot exceed 10 items"
        );
    }
}
