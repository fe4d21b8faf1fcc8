use super::*;

fn fields(pairs: &[(&'static str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.append(name, value.as_bytes());
    }
    fields
}

fn passing<'h>(found: &Found<'h>) -> Vec<&'h str> {
    let names = found.passing.iter().map(|(name, _)| *name);
    names.map(|name| str::from_utf8(name).unwrap()).collect()
}

#[test]
fn what_a_client_must_not_say_is_removed() {
    let fields = fields(&[
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
    let found = Found::among(&fields).unwrap();
    assert_eq!(passing(&found), ["x-client-info", "accept"]);
    assert_eq!(found.api_key, Some(&b"k"[..]));
    assert_eq!(found.forwarded.chain, [b"192.0.2.1"]);
}

#[test]
fn headers_of_one_connection_go_no_further() {
    let fields = fields(&[
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
    let found = Found::among(&fields).unwrap();
    assert_eq!(passing(&found), ["authorization", "accept"]);
    assert_eq!(found.upgrade, None, "Connection did not name it");
}

#[test]
fn an_upgrade_counts_only_when_connection_names_it() {
    let fields = fields(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    let found = Found::among(&fields).unwrap();
    assert_eq!(found.upgrade, Some(&b"websocket"[..]));
    assert!(found.passing.is_empty());
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
        let fields = fields(&[(name, "1"), (name, "1")]);
        assert_eq!(
            Found::among(&fields).unwrap_err(),
            Refusal::BadHeader,
            "{name}"
        );
    }
}

#[test]
fn a_response_loses_what_the_gateway_decides() {
    let mut fields = fields(&[
        ("access-control-allow-origin", "*"),
        ("server", "x/1"),
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("content-range", "0-1/*"),
    ]);
    clean_response(&mut fields);
    let names: Vec<_> = fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [b"content-range"]);
}
