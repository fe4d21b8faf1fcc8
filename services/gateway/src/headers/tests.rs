use super::*;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    map
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_a_client_must_not_say_is_removed() {
    let mut headers = map(&[
        ("x-service-token", "t"),
        ("x-tenant-id", "t"),
        ("x-user-id", "u"),
        ("x-user-role", "u"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-prefix", "/x"),
        ("x-forwarded-anything", "x"),
        ("x-real-ip", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("apikey", "k"),
        ("x-client-info", "kept"),
        ("accept", "*/*"),
    ]);
    let found = take(&mut headers).unwrap();
    assert_eq!(names(&headers), ["accept", "x-client-info"]);
    assert_eq!(found.api_key.unwrap(), "k");
    assert_eq!(found.forwarded.chain, ["192.0.2.1"]);
}

#[test]
fn headers_of_one_connection_go_no_further() {
    let mut headers = map(&[
        ("connection", "keep-alive, X-Hop"),
        ("connection", "x-other , authorization"),
        ("keep-alive", "timeout=5"),
        ("x-hop", "1"),
        ("x-other", "1"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("proxy-authorization", "Basic eA=="),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("authorization", "Bearer t"),
        ("accept", "*/*"),
    ]);
    let found = take(&mut headers).unwrap();
    assert_eq!(names(&headers), ["accept", "authorization"]);
    assert_eq!(found.upgrade, None, "Connection did not name it");
}

#[test]
fn an_upgrade_counts_only_when_connection_names_it() {
    let mut headers = map(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    assert_eq!(take(&mut headers).unwrap().upgrade.unwrap(), "websocket");
    assert!(headers.is_empty());
}

#[test]
fn what_must_be_unique_may_not_come_twice() {
    for name in [
        "authorization",
        "apikey",
        "content-length",
        "origin",
        "upgrade",
    ] {
        let mut headers = map(&[(name, "1"), (name, "1")]);
        assert_eq!(
            take(&mut headers).unwrap_err(),
            Refusal::BadHeader,
            "{name}"
        );
    }
}

#[test]
fn crumbs_of_a_cookie_become_one_header() {
    let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2")]);
    join_cookies(&mut headers, Version::HTTP_2);
    assert_eq!(
        headers.get_all(COOKIE).iter().collect::<Vec<_>>(),
        ["a=1; b=2"]
    );
}

#[test]
fn a_response_loses_what_the_gateway_decides() {
    let mut headers = map(&[
        ("access-control-allow-origin", "*"),
        ("server", "x/1"),
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("content-range", "0-1/*"),
    ]);
    clean_response(&mut headers);
    assert_eq!(names(&headers), ["content-range"]);
}
