//! What holds whatever is sent.

use std::cell::Cell;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{
    collection::vec,
    option::weighted,
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use sql_rest::sql::Statement;

use super::{Given, catalog::catalog, options, without_quoted};

/// Requests tried for each property.
const CASES: u32 = 1500;
/// The letter of hostile text: in no text of ours.
const MARK: char = 'Z';

#[test]
fn no_request_makes_the_core_panic() {
    let (catalog, options) = (catalog(), options());
    let requests = prop_oneof![anything(), composed()];
    runner()
        .run(&requests, |given| {
            // Any answer will do, and so will any error that can be told.
            if let Err(error) = given.statements(&catalog, &options) {
                prop_assert!(error.status().is_client_error(), "{error}");
                prop_assert!(!error.message().is_empty());
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn nothing_that_is_sent_becomes_sql() {
    let (catalog, options) = (catalog(), options());
    let written = Cell::new(0);
    runner()
        .run(&composed(), |given| {
            for statement in given.statements(&catalog, &options).unwrap_or_default() {
                written.set(written.get() + 1);
                check(&statement)?;
            }
            Ok(())
        })
        .unwrap();
    // The property would hold as well if every request was refused.
    assert!(written.get() > CASES / 5, "{} statements", written.get());
}

/// Outside names and texts in their quotes there is nothing of the request, and the binds are all
/// there.
fn check(statement: &Statement) -> Result<(), TestCaseError> {
    let Statement { sql, binds, .. } = statement;
    let Some(bare) = without_quoted(sql) else {
        return Err(TestCaseError::fail(format!("a quote is open: {sql}")));
    };
    let is_ours = |character: char| {
        character == ' '
            || character.is_ascii_alphanumeric() && character != MARK
            || "_$.,()=<>*+-|&@~!?:[]#".contains(character)
    };
    prop_assert!(bare.chars().all(is_ours), "{sql}");
    for ending in [";", "--", "/*", "$$"] {
        prop_assert!(!bare.contains(ending), "{sql}");
    }
    let placeholders = bare.matches('$').count();
    prop_assert_eq!(placeholders, binds.len(), "{}", sql);
    Ok(())
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    })
}

/// Any text at all, everywhere.
fn anything() -> impl Strategy<Value = Given> {
    let bytes = || vec(any::<u8>(), 0..40);
    let headers = (bytes(), bytes(), bytes(), bytes());
    let request = (method(), any::<String>(), any::<String>(), headers, bytes());
    request.prop_map(
        |(method, path, query, (accept, prefer, range, kind), body)| {
            Given {
                path,
                query,
                ..Given::new(method, "")
            }
            .header("accept", &accept)
            .header("prefer", &prefer)
            .header("range", &range)
            .header("content-type", &kind)
            .body(body)
        },
    )
}

/// Requests that are understood for the most part, with hostile text wherever there can be text.
fn composed() -> impl Strategy<Value = Given> {
    let path = prop_oneof![
        8 => select(&["/projects", "/clients", "/users"][..]).prop_map(str::to_owned),
        2 => select(&["/rpc/add_them", "/rpc/all_projects", "/rpc/anything"][..]).prop_map(str::to_owned),
        1 => hostile().prop_map(|name| format!("/{name}")),
    ];
    let headers = (accept(), prefer(), weighted(0.05, text()));
    let request = (method(), path, vec(parameter(), 0..4), headers, body());
    request.prop_map(
        |(method, path, parameters, (accept, prefer, profile), body)| {
            let query: Vec<String> = parameters
                .into_iter()
                .map(|(key, value)| format!("{}={}", encoded(&key), encoded(&value)))
                .collect();
            let given = Given {
                path,
                query: query.join("&"),
                ..Given::new(method, "")
            };
            given
                .header("accept", accept.as_bytes())
                .header("prefer", prefer.as_bytes())
                .header(
                    "accept-profile",
                    profile.unwrap_or("api".to_owned()).as_bytes(),
                )
                .body(body)
        },
    )
}

fn method() -> impl Strategy<Value = Method> {
    let others = [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS];
    prop_oneof![
        4 => Just(Method::GET),
        2 => Just(Method::POST),
        1 => Just(Method::PATCH),
        1 => select(others.to_vec()),
    ]
}

/// Text that would mean something if it became SQL.
fn hostile() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "Z",
        "Z",
        "'",
        "\"",
        "\"\"",
        ";",
        "--",
        "/*",
        "*/",
        "\\",
        "$1",
        "$$",
        "::",
        "(",
        ")",
        ",",
        ".",
        "\0",
        " ",
        "\n",
        "é",
        "%",
        "{",
        "}",
        "[",
        ":",
        "!",
        "=",
        "*",
        "_",
        "->",
        "->>",
        "drop table",
        " or 1=1",
    ];
    vec(select(PARTS), 1..6).prop_map(|parts| format!("{MARK}{}", parts.concat()))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z]{1,6}", 3 => "[0-9]{1,3}", 4 => hostile()]
}

/// A name of the catalogue for the most part; a hostile one is quoted, so that it is read whole.
fn field() -> impl Strategy<Value = String> {
    let known = select(&["id", "name", "client_id", "data", "shout", "shade", "words"][..]);
    prop_oneof![
        8 => known.prop_map(str::to_owned),
        2 => hostile().prop_map(|text| quoted(&text)),
        2 => hostile().prop_map(|text| format!("data->>{}", quoted(&text))),
    ]
}

fn select_item() -> impl Strategy<Value = String> {
    let alias = || hostile().prop_map(|text| quoted(&text));
    prop_oneof![
        4 => field(),
        2 => (alias(), field()).prop_map(|(alias, field)| format!("{alias}:{field}")),
        2 => (field(), hostile()).prop_map(|(field, cast)| format!("{field}::{cast}")),
        1 => (field(), select(&["sum", "max", "count"][..])).prop_map(|(field, how)| format!("{field}.{how}()")),
        1 => (alias(), field()).prop_map(|(alias, field)| format!("{alias}:clients({field})")),
        1 => field().prop_map(|field| format!("projects!inner({field})")),
        1 => field().prop_map(|field| format!("...projects({field})")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    const OPERATORS: &[&str] = &[
        "eq.",
        "not.gt.",
        "like.",
        "ilike(any).",
        "match.",
        "is.",
        "isdistinct.",
        "cs.",
        "ov.",
        "fts(Z).",
        "wfts.",
        "sl.",
        "adj.",
        "eq(all).",
    ];
    prop_oneof![
        4 => (select(OPERATORS), text()).prop_map(|(operator, value)| format!("{operator}{value}")),
        1 => (text(), text()).prop_map(|(one, other)| format!("in.({},{})", quoted(&one), quoted(&other))),
    ]
}

/// A parameter of the query string, decoded.
fn parameter() -> impl Strategy<Value = (String, String)> {
    let own = |key: &'static str| move |value: String| (key.to_owned(), value);
    let tree = vec((field(), condition()), 1..3).prop_map(|items| {
        let items: Vec<String> = items
            .into_iter()
            .map(|(field, condition)| format!("{field}.{condition}"))
            .collect();
        format!("({})", items.join(","))
    });
    prop_oneof![
        3 => vec(select_item(), 1..4).prop_map(|items| ("select".to_owned(), items.join(","))),
        4 => (field(), condition()),
        1 => tree.prop_map(own("or")),
        1 => (field(), select(&["", ".desc", ".asc.nullsfirst"][..])).prop_map(|(field, way)| ("order".to_owned(), format!("{field}{way}"))),
        1 => text().prop_map(own("limit")),
        1 => text().prop_map(own("offset")),
        1 => field().prop_map(own("columns")),
        1 => field().prop_map(own("on_conflict")),
        1 => (text(), text()),
    ]
}

fn accept() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "*/*",
        "*/*",
        "text/csv",
        "application/vnd.pgrst.object+json",
        "application/vnd.pgrst.plan; options=analyze|Z",
        "application/vnd.pgrst.array+json;nulls=stripped",
    ];
    prop_oneof![20 => select(KNOWN).prop_map(str::to_owned), 1 => hostile()]
}

fn prefer() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "",
        "return=representation",
        "return=headers-only",
        "count=exact",
        "count=estimated",
        "missing=default",
        "resolution=merge-duplicates",
        "tx=rollback",
        "max-affected=1",
    ];
    prop_oneof![
        9 => select(KNOWN).prop_map(str::to_owned),
        1 => hostile().prop_map(|zone| format!("timezone={zone}")),
    ]
}

/// A body of one row or several, its keys known or hostile.
fn body() -> impl Strategy<Value = String> {
    let row = || {
        vec((field(), text()), 0..3).prop_map(|members| {
            let members = members.into_iter().map(|(key, value)| (key, value.into()));
            serde_json::Value::Object(members.collect())
        })
    };
    prop_oneof![
        2 => row().prop_map(|row| row.to_string()),
        2 => vec(row(), 0..3).prop_map(|rows| serde_json::Value::Array(rows).to_string()),
        1 => hostile(),
    ]
}

/// A name in the quotes of query strings.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
