//! The wire format, case by case, through the router and a real database.

mod embedding;
mod functions;
mod reading;
mod writing;

use std::time::Duration;

use common::{
    clock::Clock,
    config::{Env, load},
    lifecycle::Lifecycle,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sql_rest::{AppState, config::Config};
use testkit::client::{Client, Response};

const SCHEMA: &str = include_str!("spec.sql");

/// A service over a database of its own.
struct Spec {
    client: Client,
    _lifecycle: Lifecycle,
}

/// What a request is answered with.
#[derive(Debug, PartialEq)]
struct Got {
    status: u16,
    body: Value,
}

impl Spec {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A service with other settings.
    async fn with(settings: &[(&str, &str)]) -> Self {
        let database = testkit::postgres::database_from("spec", async |database| {
            database.connect().await.batch_execute(SCHEMA).await?;
            Ok(())
        })
        .await;
        let url = database.url_for("spec_authenticator", "spec").await;
        let mut pairs = vec![
            ("PGRST_DB_URI", url.as_str()),
            ("PGRST_DB_SCHEMAS", "api"),
            ("PGRST_DB_EXTRA_SEARCH_PATH", "extra"),
            ("PGRST_DB_ANON_ROLE", "spec_anonymous"),
            ("PGRST_DB_AGGREGATES_ENABLED", "true"),
            ("PGRST_DB_PLAN_ENABLED", "true"),
        ];
        pairs.retain(|(name, _)| settings.iter().all(|(other, _)| other != name));
        pairs.extend(settings);
        let config: Config = load(&mut Env::from_pairs(pairs)).expect("a good configuration");
        let lifecycle = Lifecycle::default();
        let state = AppState::start(config, Clock::system(), &lifecycle).expect("a good URL");
        let cache = state.schema_cache().clone();
        let loaded = async || cache.check().ok();
        testkit::wait::eventually("the catalogue is read", Duration::from_secs(20), loaded).await;
        Self {
            client: Client::new(sql_rest::router(state)),
            _lifecycle: lifecycle,
        }
    }

    async fn get(&self, path: &str) -> Got {
        Got::from(self.client.get(&encoded(path)).send().await)
    }

    /// The JSON a read gives.
    #[track_caller]
    fn reads(&self, path: &str) -> impl Future<Output = Value> {
        let request = self.client.get(&encoded(path));
        async move { request.send().await.expect(StatusCode::OK).json() }
    }

    /// A request with headers and a body.
    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = self.client.request(method, &encoded(path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(body.to_owned()).send().await
    }

    /// A write that returns the rows.
    async fn writes(&self, method: Method, path: &str, body: &Value) -> Got {
        let headers = [("prefer", "return=representation")];
        Got::from(self.send(method, path, &headers, &body.to_string()).await)
    }
}

impl From<Response> for Got {
    fn from(response: Response) -> Self {
        Self {
            status: response.status.as_u16(),
            body: response.json(),
        }
    }
}

/// Characters a URL may not hold, in the form it may; what is encoded already stays so.
fn encoded(path: &str) -> String {
    let encode = |character: char| match character {
        ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => {
            format!("%{:02X}", u32::from(character))
        }
        other => other.to_string(),
    };
    path.chars().map(encode).collect()
}

fn ok(body: Value) -> Got {
    Got { status: 200, body }
}

/// The code and message of an error.
fn refused(status: u16, code: &str, message: &str) -> (u16, Value, Value) {
    (status, json!(code), json!(message))
}

impl Got {
    fn refusal(&self) -> (u16, Value, Value) {
        (
            self.status,
            self.body["code"].clone(),
            self.body["message"].clone(),
        )
    }
}
