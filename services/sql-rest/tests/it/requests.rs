//! What requests are answered with.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::client::Response;

use crate::stack::{stack, user};

#[tokio::test]
async fn rows_are_read_with_filters_order_and_range() {
    let stack = stack(&[]).await;
    let path = "/books?select=id,title&pages=gte.20&order=id.desc";
    let answer = stack.client.get(path).send().await.expect(StatusCode::OK);
    let expected = json!([{ "id": 3, "title": "Third" }, { "id": 2, "title": "Second" }]);
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.header("content-range"), Some("0-1/*"));
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.header("vary"), Some("Accept, Prefer, Range"));
    let length = answer.bytes.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    let location = answer.header("content-location").unwrap();
    assert!(location.starts_with("/books?order="), "{location}");
}

#[tokio::test]
async fn a_range_with_a_count_is_partial() {
    let stack = stack(&[]).await;
    let get = |range: &'static str| {
        let request = stack
            .client
            .get("/books?select=id&order=id")
            .header("Range", range);
        request.header("Prefer", "count=exact").send()
    };
    let answer = get("1-1").await.expect(StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.json(), json!([{ "id": 2 }]));
    assert_eq!(answer.header("content-range"), Some("1-1/3"));
    assert_eq!(answer.header("preference-applied"), Some("count=exact"));
    let answer = get("9-").await.expect(StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(answer.header("content-range"), Some("*/3"));
    assert_eq!(answer.json()["code"], "PGRST103");
}

#[tokio::test]
async fn relations_are_embedded_both_ways() {
    let stack = stack(&[]).await;
    let answer = stack
        .client
        .get("/books?select=title,authors(name)&id=eq.1")
        .send()
        .await;
    let expected = json!([{ "title": "First", "authors": { "name": "Ann" } }]);
    assert_eq!(answer.expect(StatusCode::OK).json(), expected);
    let path = "/authors?select=name,books(id)&id=eq.1&books.order=id";
    let answer = stack.client.get(path).send().await.expect(StatusCode::OK);
    assert_eq!(
        answer.json(),
        json!([{ "name": "Ann", "books": [{ "id": 1 }, { "id": 2 }] }])
    );
}

#[tokio::test]
async fn rows_are_written_and_returned() {
    let stack = stack(&[]).await;
    let token = user("u1");
    let full = "return=representation";
    let book = json!({ "id": 9, "title": "New", "author_id": 1 });

    let request = stack
        .client
        .post("/books")
        .bearer(&token)
        .header("Prefer", full);
    let answer = request.json(&book).send().await.expect(StatusCode::CREATED);
    assert_eq!(answer.json()[0]["pages"], 100);
    assert_eq!(answer.header("content-range"), Some("*/*"));
    assert_eq!(answer.header("preference-applied"), Some(full));

    let merge = "resolution=merge-duplicates,return=representation";
    let request = stack
        .client
        .post("/books")
        .bearer(&token)
        .header("Prefer", merge);
    let again = json!([{ "id": 9, "title": "Newer", "author_id": 1 }]);
    let answer = request.json(&again).send().await.expect(StatusCode::OK);
    assert_eq!(answer.json()[0]["title"], "Newer");

    let request = stack
        .client
        .patch("/books?id=eq.9")
        .bearer(&token)
        .header("Prefer", full);
    let answer = request
        .json(&json!({ "pages": 7 }))
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(answer.json()[0]["pages"], 7);
    assert_eq!(answer.header("content-range"), Some("0-0/*"));

    let request = stack.client.delete("/books?id=eq.9").bearer(&token);
    let answer = request.send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(answer.header("content-range"), Some("*/*"));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.header("content-type"), None);
}

#[tokio::test]
async fn an_inserted_row_says_where_it_is() {
    let stack = stack(&[]).await;
    let request = stack.client.post("/books").bearer(&user("u1"));
    let request = request.header("Prefer", "return=headers-only");
    let book = json!({ "id": 9, "title": "New" });
    let answer = request.json(&book).send().await.expect(StatusCode::CREATED);
    assert_eq!(answer.header("location"), Some("/books?id=eq.9"));
    assert_eq!(answer.header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_single_row_is_demanded_before_anything_is_kept() {
    let stack = stack(&[]).await;
    let request = stack
        .client
        .patch("/books?author_id=eq.1")
        .bearer(&user("u1"));
    let request = request.header("Accept", "application/vnd.pgrst.object+json");
    let request = request.header("Prefer", "return=representation");
    let answer = request.json(&json!({ "pages": 1 })).send().await;
    let answer = answer.expect(StatusCode::NOT_ACCEPTABLE);
    assert_eq!(answer.json()["code"], "PGRST116");
    assert_eq!(answer.json()["details"], "The result contains 2 rows");
    let kept = stack.client.get("/books?select=pages&id=eq.1").send().await;
    assert_eq!(kept.json(), json!([{ "pages": 10 }]));
}

#[tokio::test]
async fn functions_are_called_by_url_and_by_body() {
    let stack = stack(&[]).await;
    let answer = stack
        .client
        .get("/rpc/add?a=1&b=2")
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(answer.text(), "3");
    let body = json!({ "a": 3, "b": 4 });
    let answer = stack.client.post("/rpc/add").json(&body).send().await;
    assert_eq!(answer.expect(StatusCode::OK).text(), "7");
    let void = stack
        .client
        .post("/rpc/sleep")
        .json(&json!({ "seconds": 0 }))
        .send()
        .await;
    let void = void.expect(StatusCode::NO_CONTENT);
    assert_eq!(void.header("content-type"), None);
}

#[tokio::test]
async fn a_function_knows_the_request_and_its_own_settings() {
    let stack = stack(&[("PGRST_APP_SETTINGS_greeting", "hi")]).await;
    let request = stack.client.get("/rpc/whoami").header("Cookie", "a=1; b=2");
    let who = request
        .header("X-Quote", r#"say "hi"\"#)
        .send()
        .await
        .json();
    assert_eq!(who["method"], "GET");
    assert_eq!(who["path"], "/rpc/whoami");
    assert_eq!(who["headers"]["x-quote"], r#"say "hi"\"#);
    assert_eq!(who["cookies"], json!({ "a": "1", "b": "2" }));
    assert_eq!(who["greeting"], "hi");
    assert_eq!(who["read_only"], "on");
    assert_eq!(who["isolation"], "read committed");

    let who = stack
        .client
        .get("/rpc/whoami_serializable")
        .send()
        .await
        .json();
    assert_eq!(who["isolation"], "serializable");
    assert_eq!(who["timeout"], "7s");
}

#[tokio::test]
async fn settings_of_a_role_apply_to_its_requests() {
    let stack = stack(&[]).await;
    let role = "alter role service_role set statement_timeout = '9s'; \
                alter role service_role set default_transaction_isolation = 'repeatable read'";
    stack.sql(role).await;
    let token = testkit::jwt::role(crate::stack::SECRET, "service_role");
    stack.sql("notify pgrst").await;
    testkit::wait::eventually("the role's settings", crate::stack::DEADLINE, async || {
        let who = stack
            .client
            .get("/rpc/whoami")
            .bearer(&token)
            .send()
            .await
            .json();
        (who["timeout"] == "9s" && who["isolation"] == "repeatable read").then_some(())
    })
    .await;
    stack.sql("alter role service_role reset all").await;
}

#[tokio::test]
async fn a_function_can_choose_status_and_headers() {
    let stack = stack(&[]).await;
    let call = async |status: &str, headers: &str| {
        let body = json!({ "status": status, "headers": headers });
        stack.client.post("/rpc/answer").json(&body).send().await
    };
    let headers = r#"[{"X-Mine":"a"},{"Vary":"Nothing"}]"#;
    let answer = call("418", headers).await.expect(StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.header("x-mine"), Some("a"));
    assert_eq!(answer.header("vary"), Some("Nothing"));
    assert_eq!(call("x", "[]").await.json()["code"], "PGRST112");
    assert_eq!(call("200", "{}").await.json()["code"], "PGRST111");
}

#[tokio::test]
async fn a_function_has_no_say_in_how_its_answer_travels() {
    let stack = stack(&[]).await;
    let call = async |path: &str, body: Value| stack.client.post(path).json(&body).send().await;
    let headers =
        r#"[{"Transfer-Encoding":"chunked"},{"Connection":"upgrade"},{"Content-Length":"99"}]"#;
    let body = json!({ "status": "200", "headers": headers });
    let answer = call("/rpc/answer", body).await.expect(StatusCode::OK);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("connection"), None);
    let length = answer.bytes.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    // Such a status would leave the client waiting, or speaking another protocol.
    for status in ["100", "101", "199"] {
        let body = json!({ "status": status, "headers": "[]" });
        assert_eq!(call("/rpc/answer", body).await.json()["code"], "PGRST112");
    }
    let body = json!({ "state": "PT204", "message": "Nothing" });
    let answer = call("/rpc/fail", body).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.bytes.len(), 0);
}

#[tokio::test]
async fn a_pre_request_function_can_refuse() {
    let stack = stack(&[("PGRST_DB_PRE_REQUEST", "api.check_request")]).await;
    stack
        .client
        .get("/books")
        .send()
        .await
        .expect(StatusCode::OK);
    let refused = stack
        .client
        .get("/books")
        .header("X-Forbidden", "yes")
        .send()
        .await;
    assert_eq!(
        refused.expect(StatusCode::FORBIDDEN).json()["message"],
        "Not you"
    );
}

#[tokio::test]
async fn profiles_choose_the_schema() {
    let stack = stack(&[("PGRST_DB_SCHEMAS", "api,other")]).await;
    let answer = stack
        .client
        .get("/things")
        .header("Accept-Profile", "other")
        .send()
        .await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(answer.json(), json!([{ "id": 7 }]));
    assert_eq!(answer.header("content-profile"), Some("other"));
    let answer = stack
        .client
        .get("/things")
        .header("Accept-Profile", "nope")
        .send()
        .await;
    assert_eq!(
        answer.expect(StatusCode::NOT_ACCEPTABLE).json()["code"],
        "PGRST106"
    );
}

#[tokio::test]
async fn a_transaction_is_undone_on_request() {
    let stack = stack(&[("PGRST_DB_TX_END", "commit-allow-override")]).await;
    let request = stack.client.delete("/books?id=eq.1").bearer(&user("u1"));
    let request = request.header("Prefer", "tx=rollback, return=representation");
    let answer = request.send().await.expect(StatusCode::OK);
    assert_eq!(answer.json()[0]["id"], 1);
    let kept = stack.client.get("/books?id=eq.1&select=id").send().await;
    assert_eq!(kept.json(), json!([{ "id": 1 }]));
}

#[tokio::test]
async fn head_and_options_have_no_body() {
    let stack = stack(&[]).await;
    let head = stack
        .client
        .request(Method::HEAD, "/books")
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(head.bytes.is_empty());
    assert_eq!(head.header("content-length"), None);
    assert_eq!(head.header("content-range"), Some("0-2/*"));
    let options = stack.client.request(Method::OPTIONS, "/books").send().await;
    let options = options.expect(StatusCode::OK);
    let allowed = "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE";
    assert_eq!(options.header("allow"), Some(allowed));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let stack = stack(&[("SQL_REST_MAX_BODY_BYTES", "100")]).await;
    let request = stack.client.post("/books").bearer(&user("u1"));
    let answer = request.body(vec![b' '; 101]).send().await;
    answer.expect(StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn browsers_learn_what_other_origins_may_do() {
    let any = stack(&[]).await;
    let ask = async |stack: &crate::stack::Stack, origin: &str| {
        let request = stack
            .client
            .request(Method::OPTIONS, "/books")
            .header("Origin", origin);
        let request = request.header("Access-Control-Request-Method", "POST");
        request
            .header("Access-Control-Request-Headers", "Foo,Bar")
            .send()
            .await
    };
    let answer = ask(&any, "http://a.example").await.expect(StatusCode::OK);
    let allowed = "Authorization, Foo, Bar, Accept, Accept-Language, Content-Language";
    assert_eq!(answer.header("access-control-allow-headers"), Some(allowed));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-max-age"), Some("86400"));
    let answer = any
        .client
        .get("/books")
        .header("Origin", "http://a.example")
        .send()
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").is_some());

    let some = stack(&[("PGRST_SERVER_CORS_ALLOWED_ORIGINS", "http://a.example")]).await;
    let answer = ask(&some, "http://a.example").await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("http://a.example")
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    let answer = ask(&some, "http://b.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn answers_tell_where_the_time_went_when_asked_to() {
    let pairs = [
        ("PGRST_SERVER_TIMING_ENABLED", "true"),
        ("PGRST_SERVER_TRACE_HEADER", "X-Trace"),
    ];
    let stack = stack(&pairs).await;
    let answer = stack
        .client
        .get("/books")
        .header("X-Trace", "abc")
        .send()
        .await;
    assert_eq!(answer.header("x-trace"), Some("abc"));
    let phases = |answer: &Response| -> Vec<String> {
        let timing = answer.header("server-timing").unwrap_or_default();
        let phase = |phase: &str| phase.split_once(";dur=").unwrap().0.to_owned();
        timing.split(", ").map(phase).collect()
    };
    let all = ["jwt", "parse", "plan", "transaction", "response"];
    assert_eq!(phases(&answer), all);
    // A request that fails tells how far it came.
    let failures = [("/books?id=1", 2), ("/books?id=eq.x", 4)];
    for (path, reached) in failures {
        let answer = stack.client.get(path).send().await;
        assert_eq!(phases(&answer), all[..reached], "{path}");
    }
    let answer = stack.client.get("/books").bearer("nonsense").send().await;
    assert_eq!(phases(&answer), ["jwt"]);
}
