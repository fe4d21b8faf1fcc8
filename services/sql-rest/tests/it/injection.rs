//! Whatever is sent, PostgreSQL runs the planned statement and no other.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sql_rest::router;
use testkit::{
    Client, jwt,
    servers::{Postgres, postgres::Options},
    wait::eventually,
};

use crate::{
    pure::without_quoted,
    stack::{DEADLINE, SECRET, state},
};

/// Attempts to leave a place values or names are in. Each would leave a trace in a sequence, which
/// no rollback takes back, or in what the server logs.
const CORPUS: &[&str] = &[
    "'; select nextval('api.canary'); --",
    "\"; select nextval('api.canary'); --",
    "1; select nextval('api.canary')",
    "1 or nextval('api.canary') > 0",
    "1) or (nextval('api.canary') > 0",
    "' || nextval('api.canary') || '",
    "\\'; select nextval('api.canary'); --",
    "''; select nextval('api.canary'); --",
    "$$; select nextval('api.canary'); $$",
    "$1; select nextval('api.canary')",
    "*/ ; select nextval('api.canary') /*",
    "title\" from api.books; select nextval('api.canary'); --",
    "id), nextval('api.canary'), (id",
    "id::int), nextval('api.canary'), (id",
    "nextval('api.canary')",
    "text) , nextval('api.canary'), cast(id as text",
    "(select nextval('api.canary'))",
    "union all select nextval('api.canary')",
    "{1}'); select nextval('api.canary'); --",
    "\u{2bc}; select nextval(\u{2bc}api.canary\u{2bc}); --",
    "\0'; select nextval('api.canary'); --",
    "%27; select nextval('api.canary'); --",
    "\n'; select nextval('api.canary');\n--",
    "anon\"; reset role; select nextval('api.canary'); --",
];

/// Where text can stand in a URL; `{}` is replaced.
const PATHS: &[&str] = &[
    "/{}",
    "/rpc/{}",
    "/rpc/add?a={}&b=1",
    "/rpc/add?{}=1",
    "/books?{}=eq.1",
    "/books?id=eq.{}",
    "/books?title=not.like.{}",
    "/books?title=in.({})",
    "/books?title=in.(\"{}\")",
    "/books?title=is.{}",
    "/books?title=fts({}).x",
    "/books?title=wfts.{}",
    "/books?title=cs.{}",
    "/books?select={}",
    "/books?select=\"{}\":title",
    "/books?select={}:title",
    "/books?select=title::{}",
    "/books?select=title->{}",
    "/books?select=title->>\"{}\"",
    "/books?select=authors!{}(name)",
    "/books?select={}(name)",
    "/books?select=...{}(name)",
    "/books?order={}",
    "/books?order=title.{}",
    "/books?limit={}",
    "/books?offset={}",
    "/books?or=({})",
    "/books?and=(title.eq.{},id.gt.{})",
    "/books?select=id,authors(name)&authors.name=eq.{}",
    "/books?{}.order=id",
    "/books?on_conflict={}",
    "/books?columns={}",
];

/// Headers that can hold text.
const HEADERS: &[(&str, &str)] = &[
    ("prefer", "timezone={}"),
    ("prefer", "return={}"),
    ("accept-profile", "{}"),
    ("accept", "{}"),
    ("accept", "application/vnd.pgrst.plan; options={}"),
    ("range", "{}"),
    ("cookie", "a={}"),
    ("x-anything", "{}"),
];

#[tokio::test]
async fn no_text_of_a_request_runs() {
    let options = Options {
        settings: ["log_statement=all", "log_parameter_max_length=0"]
            .map(str::to_owned)
            .into(),
        ..Options::default()
    };
    let server = Postgres::start(options).await.unwrap();
    let admin = server.connect("postgres").await.unwrap();
    admin
        .batch_execute(include_str!("fixture.sql"))
        .await
        .unwrap();
    admin.batch_execute(include_str!("api.sql")).await.unwrap();
    let canary = "create sequence api.canary; grant all on api.canary to public";
    admin.batch_execute(canary).await.unwrap();
    let url = server.url_for("authenticator", "authenticator", "postgres");
    let state = state(&url, &[("PGRST_DB_PLAN_ENABLED", "true")]);
    let cache = state.schema_cache().clone();
    eventually("the schema cache is loaded", DEADLINE, async || {
        cache.check().ok()
    })
    .await;

    let client = Client::new(router(state));
    for text in CORPUS {
        send(&client, text).await;
    }

    let sung = admin
        .query_one("select is_called from api.canary", &[])
        .await
        .unwrap();
    assert!(!sung.get::<_, bool>(0), "a text that was sent was run");
    check_log(&server.log().unwrap());
}

/// Puts a text everywhere it can be.
async fn send(client: &Client, text: &str) {
    let token = jwt::user(SECRET, text);
    let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    for path in PATHS {
        let path = path
            .replace('"', "%22")
            .replace('>', "%3E")
            .replace("{}", &encoded);
        for method in [Method::GET, Method::DELETE] {
            client.request(method, &path).bearer(&token).send().await;
        }
        let body = serde_json::json!({ "title": text });
        client.post(&path).bearer(&token).json(&body).send().await;
    }
    for (name, value) in HEADERS {
        let value: String = value
            .replace("{}", text)
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        client.get("/books").header(name, &value).send().await;
    }
    for body in [
        serde_json::json!({ text: "x", "title": text }),
        serde_json::json!([{ "title": text }]),
        serde_json::json!({ "a": text, "b": 1 }),
    ] {
        for path in ["/todos", "/rpc/add", "/todos?on_conflict=id"] {
            let request = client.post(path).bearer(&token);
            request
                .header("prefer", "return=representation,missing=default")
                .json(&body)
                .send()
                .await;
        }
        client
            .patch("/todos?id=gt.0")
            .bearer(&token)
            .json(&body)
            .send()
            .await;
    }
    let csv = format!("title,{text}\n\"{text}\",{text}");
    client
        .post("/todos")
        .bearer(&token)
        .header("content-type", "text/csv")
        .body(csv)
        .send()
        .await;
}

/// Every statement of the service was sent to be prepared, and holds nothing of the corpus outside
/// the quotes of names.
fn check_log(log: &str) {
    let mut seen = 0;
    for entry in entries(log) {
        let Some((_, said)) = entry.split_once("authenticator@postgres LOG:  ") else {
            continue;
        };
        let (kind, statement) = said.split_once(": ").expect("a kind and a statement");
        assert!(kind.starts_with("execute "), "not prepared: {said}");
        let bare = without_quoted(statement).expect("every quote ends");
        let is_foreign = ["canary", "nextval", ";"]
            .iter()
            .any(|text| bare.contains(text));
        assert!(!is_foreign, "{statement}");
        seen += 1;
    }
    assert!(seen > CORPUS.len() * 50, "{seen} statements");
}

/// The entries of a log: a line, and those behind it that are indented.
fn entries(log: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in log.lines() {
        match (line.strip_prefix('\t'), entries.last_mut()) {
            (Some(more), Some(entry)) => {
                entry.push(' ');
                entry.push_str(more);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}
