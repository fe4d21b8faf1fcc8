//! A mailer with a database of its own and a mail server that keeps what it gets.

use std::{process::Stdio, time::Duration};

use common::{
    config::{self, Env},
    lifecycle::Lifecycle,
    service::{self, Service},
};
use email::{Config, Email};
use http::StatusCode;
use mail_parser::{Message, MessageParser};
use serde_json::{Value, json};
use testkit::{
    Client, Contract,
    client::{RequestBuilder, Response},
    jwt,
    postgres::{Database, database_from},
    smtp::{Mail, Sink},
    wait::eventually,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

pub(crate) const JWT_SECRET: &str = "a-jwt-secret-of-the-tests-0123456789";
pub(crate) const SERVICE_TOKEN: &str = "a-service-token-of-the-tests-0123456789";
const PASSWORD: &str = "password-of-the-tests";

/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running mailer.
pub(crate) struct Mailer {
    /// Fails at every response that the contract does not know.
    pub(crate) client: Client,
    /// Reaches what is in no contract.
    pub(crate) bare: Client,
    lifecycle: Lifecycle,
    /// Set when it runs as a process of its own.
    process: Option<Child>,
}

/// A database with the role and the schema that db-bootstrap makes.
pub(crate) async fn database() -> Database {
    database_from("email", async |database| {
        let client = database.connect().await;
        let role = format!("create role email_admin login password '{PASSWORD}'");
        client.batch_execute(&role).await?;
        client
            .batch_execute("create schema email authorization email_admin")
            .await?;
        Ok(())
    })
    .await
}

/// A mailer on a new database that delivers to `sink`.
pub(crate) async fn mailer(sink: &Sink) -> Mailer {
    mailer_with(sink, &[]).await
}

/// The same with other variables.
pub(crate) async fn mailer_with(sink: &Sink, more: &[(&str, &str)]) -> Mailer {
    Mailer::start(&database().await, sink, more).await
}

/// The variables of a mailer that delivers to `sink` and is in a hurry.
pub(crate) async fn variables(
    database: &Database,
    sink: &Sink,
    more: &[(&str, &str)],
) -> Vec<(String, String)> {
    let database_url = database.url_for("email_admin", PASSWORD).await;
    let smtp_url = format!("smtp://{}", sink.address());
    let usual = [
        ("EMAIL_DATABASE_URL", database_url.as_str()),
        ("EMAIL_SMTP_URL", &smtp_url),
        ("EMAIL_SMTP_TLS", "none"),
        ("EMAIL_SMTP_TIMEOUT_SECONDS", "1"),
        ("EMAIL_FROM", "Ferrobase <noreply@example.com>"),
        ("EMAIL_RETRY_BASE_MS", "20"),
        ("EMAIL_POLL_MS", "20"),
        ("EMAIL_SERVICE_TOKEN", SERVICE_TOKEN),
        ("JWT_SECRET", JWT_SECRET),
    ];
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    usual.iter().chain(more).map(owned).collect()
}

impl Mailer {
    /// Starts a mailer in this process.
    pub(crate) async fn start(database: &Database, sink: &Sink, more: &[(&str, &str)]) -> Self {
        let mut env = Env::from_pairs(variables(database, sink, more).await);
        let config = config::load::<Config>(&mut env).expect("a usable configuration");
        let lifecycle = Lifecycle::default();
        let app = Email::build(config, &lifecycle).await.expect("a mailer");
        let router = service::router::<Email>(app, &lifecycle).expect("a router");
        let bare = Client::new(router);
        let mailer = Self {
            client: bare.clone().checked_by(Contract::of::<Email>()),
            bare,
            lifecycle,
            process: None,
        };
        mailer.ready().await;
        mailer
    }

    /// Starts a mailer as a process that can be killed.
    pub(crate) async fn spawn(database: &Database, sink: &Sink, more: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_email"))
            .env_clear()
            .envs(variables(database, sink, more).await)
            .env("EMAIL_PORT", "0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the mailer runs");
        let output = process.stdout.take().expect("output is piped");
        let mut lines = BufReader::new(output).lines();
        let address = loop {
            let line = lines
                .next_line()
                .await
                .expect("output is text")
                .expect("it listens");
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = entry["address"].as_str() {
                break address.to_owned();
            }
        };
        let bare = Client::at(&format!("http://{address}"));
        let mailer = Self {
            client: bare.clone().checked_by(Contract::of::<Email>()),
            bare,
            lifecycle: Lifecycle::default(),
            process: Some(process),
        };
        // Nobody reads on: a full pipe would stop it, so its output goes nowhere.
        #[expect(
            clippy::disallowed_methods,
            reason = "ends with the process it reads from"
        )]
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        mailer.ready().await;
        mailer
    }

    /// Ends the process at once.
    pub(crate) async fn kill(&mut self) {
        let process = self.process.as_mut().expect("it runs as a process");
        process.kill().await.expect("it can be killed");
    }

    /// Stops it in an orderly way; tells whether it finished in time.
    pub(crate) async fn stop(&self) -> bool {
        self.lifecycle.drain(DEADLINE).await
    }

    /// Asks it as a service.
    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder<'_> {
        as_service(self.client.post(path)).json(body)
    }

    /// Sends a mail as a service and gives its id.
    pub(crate) async fn send(&self, body: &Value) -> String {
        let response = self.post("/send", body).send().await;
        accepted(response)
    }

    /// A message, as a service sees it.
    pub(crate) async fn message(&self, id: &str) -> Value {
        let request = as_service(self.client.get(&format!("/messages/{id}")));
        request.send().await.expect(StatusCode::OK).json()["data"].clone()
    }

    /// Waits until a message has `status`, and gives it.
    pub(crate) async fn message_is(&self, id: &str, status: &str) -> Value {
        self.message_where(id, &format!("is {status}"), |message| {
            message["status"] == status
        })
        .await
    }

    /// Waits until a message meets `condition`, and gives it.
    pub(crate) async fn message_where(
        &self,
        id: &str,
        what: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("a message {what}"), DEADLINE, async || {
            Some(self.message(id).await).filter(&condition)
        })
        .await
    }

    async fn ready(&self) {
        eventually("the mailer is ready", DEADLINE, async || {
            let response = self.bare.get("/health/ready").send().await;
            (response.status == StatusCode::OK).then_some(())
        })
        .await;
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

/// A request with the service token.
pub(crate) fn as_service(request: RequestBuilder<'_>) -> RequestBuilder<'_> {
    request.header("X-Service-Token", SERVICE_TOKEN)
}

/// A token of a user with an address.
pub(crate) fn user(id: &str, address: &str) -> String {
    let claims = json!({
        "sub": id,
        "role": "authenticated",
        "email": address,
        "exp": jwt::seconds_from_now(3600),
    });
    jwt::sign(JWT_SECRET, &claims)
}

/// The id of a mail that was accepted.
#[track_caller]
pub(crate) fn accepted(response: Response) -> String {
    let body = response.expect(StatusCode::ACCEPTED).json();
    body["data"]["id"].as_str().expect("an id").to_owned()
}

/// A refusal's code.
#[track_caller]
pub(crate) fn refused(response: Response, status: StatusCode) -> String {
    let body = response.expect(status).json();
    body["error"]["code"].as_str().expect("a code").to_owned()
}

/// A small mail to `to`.
pub(crate) fn note(to: &str) -> Value {
    json!({"to": to, "subject": "A note", "text": "Hello."})
}

/// A delivered message, read by another library than the one that wrote it.
pub(crate) fn read(mail: &Mail) -> Message<'_> {
    MessageParser::default()
        .parse(&mail.message)
        .expect("a message")
}

/// A header of a delivered message as it travelled, unfolded.
pub(crate) fn header(mail: &Mail, name: &str) -> Option<String> {
    let message = read(mail);
    let value = message.header_raw(name.to_owned())?;
    Some(value.trim().replace("\r\n", ""))
}
