use http::HeaderMap;

use super::super::*;
use crate::error::RangeError;

fn request(method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Result<ApiRequest, Error> {
    let method = method.parse().unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let incoming = Incoming {
        method: &method,
        path,
        query,
        headers: &map,
    };
    let options = Options {
        schemas: vec!["v1".into(), "v2".into()],
        ..Options::default()
    };
    ApiRequest::parse(&incoming, &options)
}

#[test]
fn a_path_is_a_relation_a_function_or_an_error() {
    let target = |path: &str| request("GET", path, &[]).map(|request| request.target);
    assert_eq!(target("/"), Ok(Target::Root));
    assert_eq!(target("/a%20b"), Ok(Target::Relation("a b".into())));
    assert_eq!(target("/rpc/f"), Ok(Target::Function("f".into())));
    assert_eq!(target("/rpc"), Ok(Target::Relation("rpc".into())));
    assert_eq!(target("/a/b"), Err(Error::Path));
    assert_eq!(target("/rpc/f/g"), Err(Error::Path));
    assert_eq!(target("/a/"), Err(Error::Path));
}

#[test]
fn methods_mean_actions() {
    let action =
        |method: &str, path: &str| request(method, path, &[]).map(|request| request.action);
    assert_eq!(
        action("GET", "/t"),
        Ok(Action::Read {
            headers_only: false
        })
    );
    assert_eq!(
        action("HEAD", "/t"),
        Ok(Action::Read { headers_only: true })
    );
    assert_eq!(action("PUT", "/t"), Ok(Action::Upsert));
    assert_eq!(action("POST", "/rpc/f"), Ok(Action::Call(CallMethod::Post)));
    assert_eq!(
        action("PATCH", "/rpc/f"),
        Err(Error::RpcMethod("PATCH".into()))
    );
    assert_eq!(action("TRACE", "/t"), Err(Error::Method("TRACE".into())));
}

#[test]
fn the_profile_header_depends_on_the_method() {
    let schema = |method: &str, header: &'static str, value: &str| {
        request(method, "/t", &[(header, value)]).map(|request| request.schema)
    };
    assert_eq!(schema("GET", "accept-profile", "v2").as_deref(), Ok("v2"));
    assert_eq!(schema("GET", "content-profile", "v2").as_deref(), Ok("v1"));
    assert_eq!(schema("POST", "content-profile", "v2").as_deref(), Ok("v2"));
    assert_eq!(
        schema("GET", "accept-profile", "v9"),
        Err(Error::Schema {
            asked: "v9".into(),
            exposed: vec!["v1".into(), "v2".into()]
        })
    );
}

#[test]
fn range_header_and_limits_are_taken_together() {
    let range = |method: &str, uri: &str, header: &str| {
        request(method, uri, &[("range", header)]).map(|request| request.range)
    };
    let rows = |offset, limit| Ok(Range { offset, limit });
    assert_eq!(range("GET", "/t", "0-1"), rows(0, Some(2)));
    assert_eq!(range("GET", "/t", "5-"), rows(5, None));
    assert_eq!(range("GET", "/t?limit=1", "0-9"), rows(0, Some(1)));
    assert_eq!(range("GET", "/t?limit=0", "0-9"), rows(0, Some(0)));
    assert_eq!(range("GET", "/t?offset=-3", "x"), rows(0, None));
    assert_eq!(range("HEAD", "/t", "0-1"), rows(0, None));
    assert_eq!(
        range("GET", "/t", "1-0"),
        Err(Error::Range(RangeError::LowerAboveUpper))
    );
    assert_eq!(
        range("GET", "/t?limit=-1", "x"),
        Err(Error::Range(RangeError::NegativeLimit))
    );
    assert_eq!(range("PUT", "/t?limit=1", "x"), Err(Error::PutRange));
    assert_eq!(range("PUT", "/t", "0-1"), rows(0, None));
}

#[test]
fn preferences_are_taken_from_all_headers_and_the_first_wins() {
    let request = request(
        "POST",
        "/t",
        &[
            ("prefer", "return=minimal, count=exact,count=none"),
            (
                "prefer",
                "return=representation , foo=bar,max-affected=x, timezone=Europe/Rome",
            ),
        ],
    )
    .unwrap();
    let preferences = request.preferences;
    assert_eq!(
        preferences.representation,
        Some(prefer::Representation::Minimal)
    );
    assert_eq!(preferences.count, Some(prefer::Count::Exact));
    assert_eq!(preferences.timezone.as_deref(), Some("Europe/Rome"));
    assert_eq!(preferences.invalid, ["foo=bar", "max-affected=x"]);
}

#[test]
fn accepted_types_are_ordered_by_quality() {
    let accept = |value: &str| -> Vec<String> {
        let request = request("GET", "/t", &[("accept", value)]).unwrap();
        let types = request.accept.iter();
        types.map(|media| media.mime().into_owned()).collect()
    };
    assert_eq!(
        accept("text/csv;q=0.5, application/json;q=0.9, x/y"),
        ["x/y", "application/json", "text/csv"]
    );
    assert_eq!(
        accept("application/vnd.pgrst.plan+json; for=\"text/csv\"; options=verbose|analyze"),
        ["application/vnd.pgrst.plan+json; for=\"text/csv\"; options=analyze|verbose"]
    );
    assert_eq!(
        accept("application/vnd.pgrst.object;nulls=stripped"),
        ["application/vnd.pgrst.object+json;nulls=stripped"]
    );
    assert_eq!(request("GET", "/t", &[]).unwrap().accept, [MediaType::Any]);
}
