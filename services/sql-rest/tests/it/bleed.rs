//! A hundred thousand requests of many users over one small pool: nobody meets a trace of another.

use http::StatusCode;
use serde_json::{Value, json};
use testkit::Client;
use tokio::task::{JoinSet, yield_now};

use crate::stack::{stack, user};

const REQUESTS: usize = 100_000;
const WORKERS: usize = 20;
const USERS: usize = 60;
/// Every so many requests, one is given up while it runs.
const GIVEN_UP: usize = 500;

/// Somebody who sends requests; nobody known when there is no token.
#[derive(Clone)]
struct Caller {
    name: String,
    token: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_requests_of_many_users_never_mix() {
    let settings = [
        ("PGRST_APP_SETTINGS_greeting", "hi"),
        ("PGRST_DB_POOL", "6"),
    ];
    let stack = stack(&settings).await;
    let rows = format!(
        "insert into api.todos (owner, title) select 'user-' || n, 'mine' from generate_series(1, {USERS}) n;
         grant select on api.todos to anon"
    );
    stack.sql(&rows).await;
    let callers: Vec<Caller> = (1..=USERS).map(Caller::numbered).collect();
    let mut running = JoinSet::new();
    for worker in 0..WORKERS {
        let (client, callers) = (stack.client.clone(), callers.clone());
        running.spawn(async move {
            for round in 0..REQUESTS / WORKERS {
                // Each worker goes through the callers in a stride of its own, and each caller
                // comes to ask everything.
                let caller = &callers[(round * (2 * worker + 1) + round / 10) % USERS];
                caller.ask(&client, round).await;
            }
        });
    }
    while let Some(finished) = running.join_next().await {
        finished.unwrap();
    }
}

impl Caller {
    /// Every tenth is nobody known.
    fn numbered(number: usize) -> Self {
        let name = format!("user-{number}");
        let token = (!number.is_multiple_of(10)).then(|| user(&name));
        Self { name, token }
    }

    async fn ask(&self, client: &Client, round: usize) {
        let todos = client.get("/todos?select=owner,title");
        let request = match round % 10 {
            0 => client.post("/rpc/leave_traces").body("{}"),
            1 => client
                .post("/rpc/fail")
                .body(r#"{"state":"P0001","message":"x"}"#),
            2 => client
                .get("/rpc/whoami")
                .header("prefer", "timezone=Asia/Tokyo"),
            3 => client.get("/rpc/whoami_serializable"),
            4 => client.get("/rpc/whoami"),
            _ => todos,
        };
        let request = request.header("x-me", &self.name);
        let request = match &self.token {
            Some(token) => request.bearer(token),
            None => request,
        };
        if round % GIVEN_UP == GIVEN_UP - 1 {
            tokio::select! {
                biased;
                _ = request.send() => {}
                () = yield_now() => {}
            }
            return;
        }
        let answer = request.send().await;
        match round % 10 {
            0 | 1 => {}
            kind @ 2..5 => self.check(&answer.expect(StatusCode::OK).json(), kind),
            _ => assert_eq!(answer.expect(StatusCode::OK).text(), self.todos()),
        }
    }

    /// The rows the policy shows.
    fn todos(&self) -> String {
        match &self.token {
            Some(_) => format!(r#"[{{"owner":"{}","title":"mine"}}]"#, self.name),
            None => "[]".to_owned(),
        }
    }

    /// What the transaction knows is what this request said.
    fn check(&self, who: &Value, kind: usize) {
        let (role, sub) = match &self.token {
            Some(_) => ("authenticated", self.name.as_str()),
            None => ("anon", ""),
        };
        assert_eq!(who["role"], role);
        assert_eq!(who["sub"], sub);
        assert_eq!(who["claims"]["role"], role);
        assert_eq!(
            who["claims"]["sub"],
            if sub.is_empty() {
                Value::Null
            } else {
                json!(sub)
            }
        );
        assert_eq!(who["headers"]["x-me"], self.name.as_str());
        assert_eq!(who["greeting"], "hi");
        assert_eq!(who["search_path"], r#""api", "public""#);
        assert_eq!(who["timezone"] == "Asia/Tokyo", kind == 2);
        let isolation = if kind == 3 {
            "serializable"
        } else {
            "read committed"
        };
        assert_eq!(who["isolation"], isolation);
        assert_eq!(who["timeout"] == "7s", kind == 3);
        assert_eq!(who["read_only"], "on");
    }
}
