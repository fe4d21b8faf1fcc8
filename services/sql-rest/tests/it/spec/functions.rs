//! Calls.

use super::*;

#[tokio::test]
async fn functions_are_called_by_post() {
    let spec = Spec::start().await;
    let post = async |path: &str, body: Value| {
        let response = spec.send(Method::POST, path, &[], &body.to_string()).await;
        Got::from(response)
    };
    let table = [
        ("/rpc/add_them", json!({"a": 1, "b": 2}), json!(3)),
        (
            "/rpc/add_them",
            json!([{"a": 5, "b": 2}, {"a": 0, "b": 0}]),
            json!(7),
        ),
        ("/rpc/greet", json!({}), json!("Hello, world")),
        ("/rpc/greet", json!({"name": "you"}), json!("Hello, you")),
        (
            "/rpc/one_project",
            json!({"id": 1}),
            json!({"id": 1, "name": "Windows 7", "client_id": 1}),
        ),
        (
            "/rpc/one_project?select=id,clients(name)",
            json!({"id": 1}),
            json!({"id": 1, "clients": {"name": "Microsoft"}}),
        ),
        (
            "/rpc/numbers",
            json!({"min": 1, "max": 3}),
            json!([1, 2, 3]),
        ),
        (
            "/rpc/pairs?select=square&num=gt.1",
            json!({"n": 3}),
            json!([{"square": 4}, {"square": 9}]),
        ),
        (
            "/rpc/in_out",
            json!({"a": 1, "c": "x"}),
            json!({"b": 2, "c": "x!"}),
        ),
        ("/rpc/many", json!({"v": ["a", "b"]}), json!(["a", "b"])),
        (
            "/rpc/whole",
            json!({"any": [1, {"x": 2}]}),
            json!({"any": [1, {"x": 2}]}),
        ),
        ("/rpc/over", json!({"a": 1, "b": 2}), json!("ab")),
        ("/rpc/over", json!({"a": "x", "c": "y"}), json!("c")),
        (
            "/rpc/add_project",
            json!({"id": 77, "name": "made"}),
            json!({"id": 77, "name": "made", "client_id": null}),
        ),
    ];
    for (path, body, expected) in table {
        assert_eq!(
            post(path, body.clone()).await,
            ok(expected),
            "{path} {body}"
        );
    }
    let response = spec.send(Method::POST, "/rpc/nothing", &[], "").await;
    assert_eq!(
        (response.status.as_u16(), response.text().as_str()),
        (204, "")
    );
}

#[tokio::test]
async fn functions_are_called_by_get() {
    let spec = Spec::start().await;
    let table = [
        ("/rpc/add_them?a=1&b=2", json!(3)),
        ("/rpc/add_them?a=1&b=2&b=5", json!(6)),
        ("/rpc/greet", json!("Hello, world")),
        (
            "/rpc/all_projects?id=in.(1,2)&select=id,clients(id)&order=id.desc",
            json!([{"id": 2, "clients": {"id": 1}}, {"id": 1, "clients": {"id": 1}}]),
        ),
        (
            "/rpc/all_projects?select=id,client_of(id),tasks(id)&limit=1&offset=1&tasks.order=id",
            json!([{"id": 2, "client_of": {"id": 1}, "tasks": [{"id": 3}, {"id": 4}]}]),
        ),
        ("/rpc/many?v=a&v=b", json!(["a", "b"])),
        (
            "/rpc/pairs?n=2&order=num.desc",
            json!([{"num": 2, "square": 4}, {"num": 1, "square": 1}]),
        ),
        ("/rpc/numbers?min=1&max=3&limit=1&offset=1", json!([2])),
    ];
    for (path, expected) in table {
        assert_eq!(spec.get(path).await, ok(expected), "{path}");
    }
    let headers = [("prefer", "count=exact")];
    let response = spec
        .send(Method::GET, "/rpc/all_projects?limit=2", &headers, "")
        .await;
    assert_eq!(response.header("content-range"), Some("0-1/5"));
    assert_eq!(spec.get("/rpc/add_project?id=1&name=x").await.status, 405);
}

#[tokio::test]
async fn raw_bodies_are_for_the_one_unnamed_parameter() {
    let spec = Spec::start().await;
    let post = async |path: &str, media: &str, body: &str| {
        Got::from(
            spec.send(Method::POST, path, &[("content-type", media)], body)
                .await,
        )
    };
    assert_eq!(
        post("/rpc/raw_text", "text/plain", "as it is").await,
        ok(json!("as it is"))
    );
    assert_eq!(
        post("/rpc/raw_bytes", "application/octet-stream", "\u{1}\u{0}x").await,
        ok(json!(3))
    );
    assert_eq!(
        post("/rpc/whole", "application/json", "{\"a\": 1}").await,
        ok(json!({"a": 1}))
    );
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post("/rpc/add_them", form, "a=1&b=2").await, ok(json!(3)));
    assert_eq!(
        post("/rpc/many", form, "v=1&v=2").await,
        ok(json!(["1", "2"]))
    );
    assert_eq!(
        post("/rpc/add_them", "text/plain", "x").await.refusal(),
        refused(
            404,
            "PGRST202",
            "Could not find the function api.add_them in the schema cache"
        )
    );
}

#[tokio::test]
async fn functions_that_do_not_fit_are_refused() {
    let spec = Spec::start().await;
    let got = spec.get("/rpc/add_them?a=1").await;
    assert_eq!(
        got.refusal(),
        refused(
            404,
            "PGRST202",
            "Could not find the function api.add_them(a) in the schema cache"
        )
    );
    assert_eq!(
        got.body["details"],
        "Searched for the function api.add_them with parameter a, but no matches were found in the schema cache."
    );
    assert_eq!(
        got.body["hint"],
        "Perhaps you meant to call the function api.add_them(a, b)"
    );
    let got = spec.get("/rpc/greeet").await;
    assert_eq!(
        got.body["hint"],
        "Perhaps you meant to call the function api.greet"
    );
    let got = spec.get("/rpc/over?a=1").await;
    assert_eq!(
        got.refusal(),
        refused(
            300,
            "PGRST203",
            "Could not choose the best candidate function between: api.over(a => integer), api.over(a => text, c => text)"
        )
    );
    let response = spec.send(Method::PATCH, "/rpc/greet", &[], "{}").await;
    assert_eq!(
        Got::from(response).refusal(),
        refused(405, "PGRST101", "Cannot use the PATCH method on RPC")
    );
    assert_eq!(
        spec.get("/rpc/add_them?a=1&b=2&select=nope").await.status,
        400
    );
}

#[tokio::test]
async fn a_function_can_dictate_the_answer() {
    let spec = Spec::start().await;
    let response = spec.send(Method::POST, "/rpc/dictate", &[], "").await;
    assert_eq!(response.status, 332);
    assert_eq!(response.header("x-header"), Some("str"));
    assert_eq!(
        response.json(),
        json!({"code": "123", "message": "ABC", "details": "DEF", "hint": "XYZ"})
    );
    let response = spec.send(Method::POST, "/rpc/set_headers", &[], "").await;
    assert_eq!(response.status, 205);
    assert_eq!(response.header("x-one"), Some("1"));
    assert_eq!(response.headers.get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn options_tells_what_is_allowed() {
    let spec = Spec::start().await;
    let allow = async |path: &str| {
        let response = spec.send(Method::OPTIONS, path, &[], "").await;
        response.header("allow").unwrap_or_default().to_owned()
    };
    assert_eq!(
        allow("/clients").await,
        "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"
    );
    assert_eq!(allow("/no_pk").await, "OPTIONS,GET,HEAD,POST,PATCH,DELETE");
    assert_eq!(allow("/rpc/nothing").await, "OPTIONS,POST");
    assert_eq!(allow("/rpc/add_them").await, "OPTIONS,GET,HEAD,POST");
    assert_eq!(allow("/").await, "OPTIONS,GET,HEAD");
}
