//! Which function is meant.

use super::{case::*, *};

/// A call with a body that is no JSON.
fn raw(path: &str, media: &'static str, body: &str, status: u16) -> Case {
    case(Method::POST, path, status)
        .header("content-type", media)
        .body(body)
}

#[tokio::test]
async fn names_of_arguments_choose_the_function() {
    let spec = Spec::start().await;
    let many = "/rpc/many_ways";
    let form = "application/x-www-form-urlencoded";
    let songs = |titles: &[&str]| {
        json!(
            titles
                .iter()
                .map(|title| json!({"title": title}))
                .collect::<Vec<_>>()
        )
    };
    spec.check([
        get(many, 200).json(json!([1, 2])),
        get(&format!("{many}?x=1&y=2"), 200).json(json!(3)),
        get(&format!("{many}?a=1&b=2&c=3"), 200).json(json!("123")),
        post(many, &json!({}), 200).json(json!([1, 2])),
        post(many, &json!({"y": 1, "x": 2}), 200).json(json!(3)),
        raw(many, form, "", 200).json(json!([1, 2])),
        raw(many, form, "x=1&y=2", 200).json(json!(3)),
        raw(many, form, "a=1&b=2&c=3", 200).json(json!("123")),
        post("/rpc/optional?select=title", &json!({}), 200).json(songs(&["Canon"])),
        post("/rpc/optional", &json!({"must": 1}), 200).json(json!({"must": 1})),
        post(
            "/rpc/optional?select=title&order=title",
            &json!({"fewest": 2}),
            200,
        )
        .json(songs(&["Canon", "Dirge"])),
        post(
            "/rpc/optional?select=title",
            &json!({"fewest": 2, "word": "D%"}),
            200,
        )
        .json(songs(&["Dirge"])),
    ])
    .await;
}

#[tokio::test]
async fn a_parameter_without_a_name_takes_the_whole_body() {
    let spec = Spec::start().await;
    let many = "/rpc/many_ways";
    let octets = "application/octet-stream";
    spec.check([
        post(many, &json!({"other": [1]}), 200).json(json!({"other": [1]})),
        post("/rpc/whole", &json!([{"a": 1}, {"a": 2}]), 200).json(json!([{"a": 1}, {"a": 2}])),
        post("/rpc/whole", &json!([1, 2]), 400).refused("PGRST102", "All object keys must match"),
        raw(many, "text/plain", "as it is", 200)
            .header("accept", "text/plain")
            .text("as it is")
            .carries("content-type", "text/plain; charset=utf-8"),
        raw(many, octets, "\u{1}\u{0}é", 200)
            .header("accept", octets)
            .text("\u{1}\u{0}é")
            .carries("content-type", octets),
        raw("/rpc/raw_text", "text/plain; charset=utf-8", "x", 200).json(json!("x")),
        // A GET has no body, whatever it says about one.
        get(many, 200)
            .header("content-type", "text/plain")
            .json(json!([1, 2])),
        raw(many, "text/csv", "x,y\n1,2\n3,4\n", 200).json(json!(3)),
    ])
    .await;
}

#[tokio::test]
async fn a_call_that_fits_no_function_is_told_which_would_do() {
    let spec = Spec::start().await;
    let none = |case: Case, asked: &str, searched: &str, hint: Option<&str>| {
        case.json(json!({
            "code": "PGRST202",
            "details": format!(
                "Searched for the function api.{searched}, but no matches were found in the schema cache."
            ),
            "hint": hint.map(|hint| format!("Perhaps you meant to call the function api.{hint}")),
            "message": format!("Could not find the function api.{asked} in the schema cache"),
        }))
        .carries("content-type", "application/json; charset=utf-8")
    };
    let body = json!({"m": 1, "n": 2});
    spec.check([
        none(
            get("/rpc/gree", 404),
            "gree without parameters",
            "gree without parameters",
            Some("greet"),
        ),
        none(
            get("/rpc/greet?nam=x", 404),
            "greet(nam)",
            "greet with parameter nam",
            Some("greet(name)"),
        ),
        none(
            get("/rpc/add_them?b=2&a=1&more=x", 404),
            "add_them(a, b, more)",
            "add_them with parameters a, b, more",
            Some("add_them(a, b)"),
        ),
        none(
            post("/rpc/add_them", &body, 404),
            "add_them(m, n)",
            "add_them with parameters m, n or with a single unnamed json/jsonb parameter",
            Some("add_them(a, b)"),
        ),
        none(
            raw("/rpc/add_them", "text/plain", "x", 404),
            "add_them",
            "add_them with a single unnamed text parameter",
            None,
        ),
        none(
            raw("/rpc/add_them", "text/xml", "x", 404),
            "add_them",
            "add_them with a single unnamed xml parameter",
            None,
        ),
        none(
            raw("/rpc/add_them", "application/octet-stream", "x", 404),
            "add_them",
            "add_them with a single unnamed bytea parameter",
            None,
        ),
        none(
            raw("/rpc/many_ways", "text/csv", "p,q\n1,2", 404),
            "many_ways(p, q)",
            "many_ways with parameters p, q",
            Some("many_ways(x, y)"),
        ),
        get("/rpc/unreachable", 404),
        post("/rpc/two_unnamed", &body, 300).json(json!({
            "code": "PGRST203",
            "details": null,
            "hint": "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
            "message": "Could not choose the best candidate function between: \
                        api.two_unnamed( => json), api.two_unnamed( => jsonb)",
        })),
    ])
    .await;
}
