use http::{HeaderMap, Method};

use super::*;
use crate::{options::Options, request::Incoming};

fn inspect(path: &str, content_type: &str, body: &str) -> Result<Payload, Error> {
    inspect_with("", path, content_type, body)
}

fn inspect_with(query: &str, path: &str, content_type: &str, body: &str) -> Result<Payload, Error> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", content_type.parse().unwrap());
    let incoming = Incoming {
        method: &Method::POST,
        path,
        query,
        headers: &headers,
    };
    let request = ApiRequest::parse(&incoming, &Options::default()).unwrap();
    Payload::inspect(&Bytes::copy_from_slice(body.as_bytes()), &request)
}

fn json(body: &str) -> Result<Payload, Error> {
    inspect("/t", "application/json", body)
}

fn refused(message: &str) -> Result<Payload, Error> {
    Err(Error::InvalidBody(message.to_owned()))
}

fn of(content: Content, keys: &[&str]) -> Payload {
    Payload {
        content,
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    }
}

fn text(body: &'static str) -> Bytes {
    Bytes::from_static(body.as_bytes())
}

#[test]
fn an_object_gives_its_keys_sorted_and_once() {
    let body = r#"{"b": [1, {"x": 2}], "a": null, "b": 3}"#;
    assert_eq!(
        json(body),
        Ok(of(
            Content::Object(text(r#"{"b": [1, {"x": 2}], "a": null, "b": 3}"#)),
            &["a", "b"]
        ))
    );
    assert_eq!(json(r#"{"\u0061": 1}"#).unwrap().keys, ["a"]);
}

#[test]
fn an_array_gives_the_keys_its_objects_share() {
    assert_eq!(
        json(r#"[{"a":1,"b":2},{"b":3,"a":4}]"#).unwrap().keys,
        ["a", "b"]
    );
    assert_eq!(json("[]"), Ok(of(Content::Array(text("[]")), &[])));
    assert_eq!(
        json("[{},{}]"),
        Ok(of(Content::Array(text("[{},{}]")), &[]))
    );
    for body in [
        r#"[{"a":1},{"b":2}]"#,
        r#"[{"a":1},{"a":1,"b":2}]"#,
        "[1]",
        r#"[{},"x"]"#,
        "[[]]",
    ] {
        assert_eq!(json(body), refused("All object keys must match"), "{body}");
    }
}

#[test]
fn a_value_that_is_no_row_stands_for_no_rows() {
    for body in ["1", "-1.5", "\"x\"", "null", "true"] {
        assert_eq!(
            json(body),
            Ok(of(Content::Array(text("[]")), &[])),
            "{body}"
        );
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for body in ["", "{", "{} x", "{a:1}", "[{},]"] {
        assert_eq!(json(body), refused("Empty or invalid json"), "{body}");
    }
}

#[test]
fn with_columns_the_body_is_not_looked_at() {
    let payload = inspect_with("columns=b,a,b", "/t", "application/json", " {oops");
    assert_eq!(
        payload,
        Ok(of(Content::Object(text(" {oops")), &["a", "b"]))
    );
    let payload = inspect_with("columns=a", "/t", "application/json", "[{}]");
    assert_eq!(payload, Ok(of(Content::Array(text("[{}]")), &["a"])));
}

#[test]
fn csv_becomes_an_array_of_objects() {
    let body = "b,a\r\n1,\"x \"\"y\"\", z\"\r\n\r\nNULL,\"NULL\"\n";
    let expected = r#"[{"b":"1","a":"x \"y\", z"},{"b":null,"a":"NULL"}]"#;
    assert_eq!(
        inspect("/t", "text/csv", body),
        Ok(of(Content::Array(text(expected)), &["a", "b"]))
    );
    assert_eq!(
        inspect("/t", "text/csv", "a,b\n"),
        Ok(of(Content::Array(text("[]")), &["a", "b"]))
    );
}

#[test]
fn csv_lines_have_as_many_values_as_the_first() {
    for body in ["a,b\n1\n", "a,b\n1,2,3\n"] {
        assert_eq!(
            inspect("/t", "text/csv", body),
            refused("All lines must have same number of fields")
        );
    }
    for body in ["", "a\n\"x", "a\n\"x\"y\n"] {
        assert_eq!(
            inspect("/t", "text/csv", body),
            refused("Empty or invalid csv")
        );
    }
}

#[test]
fn a_form_is_an_object_for_a_relation_and_arguments_for_a_function() {
    let media = "application/x-www-form-urlencoded; charset=utf-8";
    let body = "b=x+y&a=%C3%A9&b=2&c";
    assert_eq!(
        inspect("/t", media, body),
        Ok(of(
            Content::Object(text(r#"{"a":"é","b":"2","c":""}"#)),
            &["a", "b", "c"]
        ))
    );
    let Content::Form(pairs) = inspect("/rpc/f", media, body).unwrap().content else {
        panic!("not a form");
    };
    assert_eq!(pairs.len(), 4);
}

#[test]
fn raw_types_are_for_functions_only() {
    assert_eq!(
        inspect("/rpc/f", "text/plain", "x"),
        Ok(of(Content::Raw(text("x")), &[]))
    );
    assert_eq!(
        inspect("/t", "text/plain", "x"),
        refused("Content-Type not acceptable: text/plain")
    );
    assert_eq!(
        inspect("/rpc/f", "application/json", ""),
        Ok(of(Content::Object(Bytes::new()), &[]))
    );
}
