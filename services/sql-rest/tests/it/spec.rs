//! The wire format, case by case, through the router and a real database.

mod bodies;
mod calling;
mod case;
mod changing;
mod counting;
mod disambiguation;
mod embedding;
mod functions;
mod inserting;
mod limits;
mod overloads;
mod reading;
mod related;
mod schemas;
mod spread;
mod transactions;
mod upserting;
mod values;
mod views;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{client::Response, postgres::database_from};

use crate::stack::{Stack, roles, stack_over};

/// A service over a database of its own.
struct Spec(Stack);

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
        let database = database_from("spec", async |database| {
            roles().await;
            let client = database.connect().await;
            client.batch_execute(include_str!("spec.sql")).await?;
            client.batch_execute(include_str!("spec/fleet.sql")).await?;
            // It takes rights away, so it comes last.
            client
                .batch_execute(include_str!("spec/writes.sql"))
                .await?;
            Ok(())
        })
        .await;
        let mut pairs = vec![
            ("PGRST_DB_EXTRA_SEARCH_PATH", "extra"),
            ("PGRST_DB_AGGREGATES_ENABLED", "true"),
            ("PGRST_DB_PLAN_ENABLED", "true"),
        ];
        pairs.extend(settings);
        Self(stack_over(database, &pairs).await)
    }

    async fn get(&self, path: &str) -> Got {
        Got::from(self.0.client.get(&encoded(path)).send().await)
    }

    /// The JSON a read gives.
    #[track_caller]
    fn reads(&self, path: &str) -> impl Future<Output = Value> {
        let request = self.0.client.get(&encoded(path));
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
        let mut request = self.0.client.request(method, &encoded(path));
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
    let encode = |byte: u8| match byte {
        b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
            format!("%{byte:02X}")
        }
        other => char::from(other).to_string(),
    };
    path.bytes().map(encode).collect()
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
