//! What functions are called with, and what they give.

use super::{case::*, *};

fn call(name: &str, arguments: &Value) -> Case {
    post(&format!("/rpc/{name}"), arguments, 200)
}

/// A call by URL.
fn fetch(call: &str) -> Case {
    get(&format!("/rpc/{call}"), 200)
}

#[tokio::test]
async fn every_kind_of_result_has_its_json() {
    let spec = Spec::start().await;
    let canon = json!({"title": "Canon", "plays": 2});
    let ballad = json!({"title": "Ballad", "plays": 1});
    let gives = |name: &str, result: Value| call(name, &json!({})).json(result);
    spec.check([
        gives("give_array", json!([1, 2, 3])),
        call("give_mood", &json!({"val": "ok"})).json(json!("ok")),
        call("give_digit", &json!({"val": "8"})).json(json!(8)),
        call("give_range", &json!({"low": 1, "up": 3})).json(json!("[1,3)")),
        gives("give_null", Value::Null),
        gives("give_nothing", json!([])),
        gives("give_point", json!({"x": 10, "y": 5})),
        gives("give_spot", json!({"x": 1, "y": 2})),
        gives("give_record", ballad.clone()),
        gives("give_records", json!([ballad, canon])),
        call("give_song", &json!({"title": "Canon"})).json(canon),
        // A row that is not there is a row without values.
        fetch("give_song?title=none").json(json!({"title": null, "plays": null})),
        gives(
            "give_songs?select=title&plays=gt.1&order=title.desc",
            json!([
                {"title": "Dirge"}, {"title": "Canon"}
            ]),
        ),
        fetch("give_out?num=1").json(json!({"more": 2})),
        gives("give_outs", json!({"doc": {"a": 1}, "num": 3})),
        fetch("give_outs?select=num").json(json!({"num": 3})),
        fetch("give_inout?num=2").json(json!({"num": 2, "flag": true})),
        gives("give_table", json!([{"a": "A"}])),
        gives("same", json!([{"same": "hello", "value": 1}])),
        fetch("same?same=eq.hello&select=value").json(json!([{"value": 1}])),
        get("/rpc/nothing", 204).nothing(),
        post("/rpc/nothing", &json!({}), 204)
            .nothing()
            .lacks("content-length"),
        post("/rpc/give_secret_point", &json!({}), 401)
            .refused("42501", "permission denied for schema hidden"),
    ])
    .await;
}

#[tokio::test]
async fn a_result_is_counted_and_cut_like_any_read() {
    let spec = Spec::start().await;
    let numbers = "/rpc/numbers?min=1&max=4";
    let counted = |case: Case, range: &'static str| {
        case.prefer("count=exact").carries("content-range", range)
    };
    let path = |more: &str| format!("{numbers}{more}");
    spec.check([
        counted(get(numbers, 200), "0-3/4").json(json!([1, 2, 3, 4])),
        counted(get(&path("&limit=2&offset=1"), 206), "1-2/4").json(json!([2, 3])),
        counted(get(numbers, 206).header("range", "1-1"), "1-1/4").json(json!([2])),
        counted(case(Method::HEAD, &path("&limit=1"), 206), "0-0/4")
            .text("")
            .lacks("content-length")
            .carries("content-type", "application/json; charset=utf-8"),
        // Only a GET heeds the header.
        counted(
            case(Method::HEAD, numbers, 200).header("range", "1-1"),
            "0-3/4",
        ),
        counted(
            post("/rpc/numbers?limit=1", &json!({"min": 1, "max": 4}), 206),
            "0-0/4",
        )
        .header("range", "2-3")
        .json(json!([1])),
        counted(get(&path("&offset=9"), 416), "*/4")
            .refused("PGRST103", "Requested range not satisfiable"),
        get(&path("&offset=9"), 200)
            .json(json!([]))
            .carries("content-range", "*/*"),
        counted(fetch("add_them?a=3&b=4"), "0-0/1").text("7"),
        counted(fetch("give_point"), "0-0/1"),
        counted(
            fetch("all_projects?select=id,clients!inner(id)&clients.id=eq.1"),
            "0-1/2",
        ),
        get("/rpc/all_projects?select=id", 206)
            .prefer("count=exact")
            .header("range", "0-0")
            .json(json!([{"id": 1}])),
    ])
    .await;
}

#[tokio::test]
async fn a_result_takes_the_form_asked_for() {
    let spec = Spec::start().await;
    let accepts = |case: Case, media: &'static str| case.header("accept", media);
    let object = "application/vnd.pgrst.object+json";
    let rejected = |rows: u32| {
        json!({
            "code": "PGRST116",
            "details": format!("The result contains {rows} rows"),
            "hint": null,
            "message": "Cannot coerce the result to a single JSON object",
        })
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    spec.check([
        accepts(fetch("pairs?n=2"), "text/csv")
            .text("num,square\n1,1\n2,4")
            .carries("content-type", "text/csv; charset=utf-8"),
        accepts(fetch("give_point"), "text/csv").text("x,y\n10,5"),
        accepts(fetch("greet"), "text/csv").text("pgrst_scalar\n\"Hello, world\""),
        accepts(case(Method::HEAD, "/rpc/pairs?n=2", 200), "text/csv")
            .text("")
            .carries("content-type", "text/csv; charset=utf-8"),
        accepts(fetch("pairs?n=1"), object)
            .json(json!({"num": 1, "square": 1}))
            .carries(
                "content-type",
                "application/vnd.pgrst.object+json; charset=utf-8",
            ),
        accepts(get("/rpc/pairs?n=2", 406), object).json(rejected(2)),
        accepts(get("/rpc/pairs?n=0", 406), object).json(rejected(0)),
        accepts(fetch("greet"), object).json(json!("Hello, world")),
        accepts(fetch("greet"), browser).carries("content-type", "application/json; charset=utf-8"),
        accepts(get("/rpc/greet", 406), "audio/mpeg3").refused(
            "PGRST107",
            "None of these media types are available: audio/mpeg3",
        ),
        accepts(post("/rpc/greet", &json!({}), 406), "audio/mpeg3"),
        accepts(fetch("give_text"), "text/plain")
            .text("as it is")
            .carries("content-type", "text/plain; charset=utf-8"),
    ])
    .await;
}

#[tokio::test]
async fn arguments_are_what_their_parameters_are() {
    let spec = Spec::start().await;
    let query = "d=3.1&v=hi&b=true&day=20190101&m=ok&arr=%7Ba,b%7D&i=43";
    let kinds = |j: Value| {
        json!({
            "d": 3.1, "v": "hi", "b": true, "day": "2019-01-01", "m": "ok", "arr": ["a", "b"], "i": 43, "j": j
        })
    };
    let form = |name: &str, body: &str| {
        case(Method::POST, &format!("/rpc/{name}"), 200)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    let given = json!({
        "d": 3.1, "v": "hi", "b": true, "day": "20190101", "m": "ok", "arr": ["a", "b"], "i": 43, "j": [{"k": 1}]
    });
    spec.check([
        call("kinds", &given).json(kinds(json!([{"k": 1}]))),
        fetch(&format!("kinds?{query}")).json(kinds(json!({}))),
        form("kinds", query).json(kinds(json!({}))),
        call("kind_of_json", &json!({"arg": {"k": 3}})).json(json!("object")),
        call("kind_of_json", &json!({"arg": "{\"k\": 3}"})).json(json!("string")),
        fetch("three?b=4").json(json!(8)),
        fetch("some").json(json!([])),
        fetch("some?v=one").json(json!(["one"])),
        fetch("some?v=a,b&v=c").json(json!(["a,b", "c"])),
        call("some", &json!({"v": ["a", "b"]})).json(json!(["a", "b"])),
        form("some", "").json(json!([])),
        form("some", "v=one&v=two").json(json!(["one", "two"])),
        fetch("named_and_some?name=first&v=x&name=last").json(json!("last")),
        fetch("Quoted%20Name?Full%20Name=Ann B.").json(json!("Ann B.")),
        call("greet?columns=name", &json!({"name": "Ann", "more": 1})).json(json!("Hello, Ann")),
        call("add_them", &json!([{"a": 1, "b": 2}, {"a": 5, "b": 5}])).json(json!(3)),
        // A parameter keeps no length, but what it is stored in does.
        fetch("letters_of?letters=abcdef&words={ab,abcdef}")
            .json(json!([{"letters": "abcdef", "words": ["ab", "abcdef"]}])),
        post("/rpc/add_code", &json!({"bits": "101010"}), 400)
            .refused("22026", "bit string length 6 does not match type bit(4)"),
        post("/rpc/add_them", &json!({"a": "x", "b": 1}), 400)
            .refused("22P02", "invalid input syntax for type integer: \"x\""),
        post("/rpc/greet?name=Ann", &json!({"name": "Ann"}), 400).refused(
            "PGRST100",
            "\"failed to parse filter (Ann)\" (line 1, column 1)",
        ),
        case(Method::POST, "/rpc/greet", 400)
            .body("{")
            .refused("PGRST102", "Empty or invalid json"),
        case(Method::POST, "/rpc/greet", 200).json(json!("Hello, world")),
    ])
    .await;
}

#[tokio::test]
async fn a_value_with_an_operator_is_a_filter() {
    let spec = Spec::start().await;
    spec.check([
        fetch("one_project?id=1&id=eq.1&select=id").json(json!({"id": 1})),
        fetch("one_project?id=1&id=not.eq.1").json(Value::Null),
        fetch("pairs?n=3&num=not.in.(1,3)").json(json!([{"num": 2, "square": 4}])),
        fetch("pairs?n=3&or=(num.eq.1,square.eq.9)&select=num")
            .json(json!([{"num": 1}, {"num": 3}])),
        fetch("greet?name=a.b").json(json!("Hello, a.b")),
        fetch("greet?name=eq").json(json!("Hello, eq")),
        get("/rpc/greet?name=not.fun", 400).refused(
            "PGRST100",
            "\"failed to parse filter (not.fun)\" (line 1, column 5)",
        ),
        get("/rpc/pairs?n=1&nope=eq.1", 400).refused("42703", "column pairs.nope does not exist"),
    ])
    .await;
}

#[tokio::test]
async fn errors_of_a_function_are_the_answer() {
    let spec = Spec::start().await;
    let raised = |state: &str, status: u16| {
        post(
            "/rpc/fail",
            &json!({"state": state, "message": "no"}),
            status,
        )
        .json(json!({"code": state, "message": "no", "details": "why", "hint": "what else"}))
    };
    let badly = |arguments: Value, details: &str, hint: &str| {
        post("/rpc/dictate_badly", &arguments, 500).json(json!({
            "code": "PGRST121",
            "message": "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error",
            "details": details,
            "hint": hint,
        }))
    };
    let message = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and \
                   optional keys: 'details', 'hint'.";
    let detail = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and \
                  optional key: 'status_text'.";
    let good = r#"{"code": "1", "message": "m"}"#;
    let headers = "response.headers guc must be a JSON array composed of objects with a single key \
                   and a string value";
    let set_headers =
        |headers: &str| post("/rpc/answer_headers", &json!({"headers": headers}), 500);
    spec.check([
        raised("P0001", 400),
        raised("PT402", 402),
        raised("PT40A", 500),
        raised("42501", 401).carries("www-authenticate", "Bearer"),
        raised("23505", 409),
        raised("53400", 500),
        post("/rpc/assert", &json!({}), 500).refused("P0004", "no"),
        badly(
            json!({"message": "x", "detail": "{}"}),
            "Invalid JSON value for MESSAGE: 'x'",
            message,
        ),
        badly(
            json!({"message": good, "detail": "x"}),
            "Invalid JSON value for DETAIL: 'x'",
            detail,
        ),
        badly(
            json!({"message": good}),
            "DETAIL is missing in the RAISE statement",
            detail,
        ),
        set_headers(r#"{"X-A": "1"}"#).refused("PGRST111", headers),
        set_headers(r#"["X-A"]"#).refused("PGRST111", headers),
        post("/rpc/answer_status", &json!({"status": "bad"}), 500).refused(
            "PGRST112",
            "response.status guc must be a valid status code",
        ),
        post("/rpc/answer_status", &json!({"status": "403"}), 403).json(json!({"was": "403"})),
        post(
            "/rpc/answer_headers",
            &json!({"headers": r#"[{"X-A": "1; b=2"}]"#}),
            204,
        )
        .nothing()
        .carries("x-a", "1; b=2"),
        case(Method::DELETE, "/rpc/greet", 405)
            .refused("PGRST101", "Cannot use the DELETE method on RPC"),
        case(Method::PUT, "/rpc/greet", 405)
            .refused("PGRST101", "Cannot use the PUT method on RPC"),
    ])
    .await;
}
