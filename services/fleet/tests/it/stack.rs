//! A fleet in this process, and users of it.

use std::time::Duration;

use fleet::{
    dotenv::{self, Variables},
    fleet::{Door, Fleet},
};
use http::StatusCode;
use serde_json::{Value, json};
use testkit::{Client, servers::Postgres};
use uuid::Uuid;

/// A password that meets the rules.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A running fleet with a database of its own.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) fleet: Fleet,
    pub(crate) client: Client,
    pub(crate) variables: Variables,
}

/// A signed-up user.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Stack {
    /// A fleet on a fresh database of the server that all tests of this process share.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same with other variables.
    pub(crate) async fn with(more: &[(&str, &str)]) -> Self {
        let database = testkit::postgres::database().await;
        Self::on(&database.url().await, more).await
    }

    /// A fleet on a server of its own, for tests that do harm to it.
    pub(crate) async fn on_server(postgres: &Postgres) -> Self {
        Self::on(&postgres.url("postgres"), &[]).await
    }

    /// The roles' passwords belong to the server, not to a database: fleets that share a server
    /// must agree on them.
    async fn on(admin_url: &str, more: &[(&str, &str)]) -> Self {
        let fixed = [
            "AUTHENTICATOR_PASSWORD",
            "AUTH_DB_PASSWORD",
            "EMAIL_DB_PASSWORD",
        ]
        .map(|name| (name.to_owned(), format!("{name}-of-every-test-fleet")));
        let text = dotenv::generate(&Variables::from(fixed)).unwrap();
        let mut variables = dotenv::parse(&text).unwrap();
        fleet::stores::postgres_variables(&mut variables, admin_url).unwrap();
        let mongo = testkit::mongo::server().await;
        for (name, value) in [
            ("MONGO_URI", mongo.uri().as_str()),
            ("GATEWAY_ADMIN_LISTEN", "off"),
            ("GATEWAY_RATE_LIMIT_SCALE", "1000"),
            ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
            ("EMAIL_DEV_INBOX", "true"),
        ]
        .into_iter()
        .chain(more.iter().copied())
        {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let fleet = Fleet::start(variables.clone(), Door::Random).await.unwrap();
        fleet.ready(Duration::from_secs(30)).await.unwrap();
        Self {
            client: Client::at(&fleet.url()),
            fleet,
            variables,
        }
    }

    pub(crate) fn anon_key(&self) -> &str {
        &self.variables["ANON_KEY"]
    }

    pub(crate) fn service_key(&self) -> &str {
        &self.variables["SERVICE_ROLE_KEY"]
    }

    pub(crate) fn jwt_secret(&self) -> &str {
        &self.variables["JWT_SECRET"]
    }

    /// Signs up a new user.
    pub(crate) async fn user(&self) -> User {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let session = self
            .client
            .post("/auth/v1/signup")
            .header("apikey", self.anon_key())
            .json(&json!({ "email": email, "password": PASSWORD }))
            .send()
            .await
            .expect(StatusCode::OK)
            .json();
        User {
            id: session["user"]["id"].as_str().unwrap().to_owned(),
            token: session["access_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Creates a project of `user`; gives its row.
    pub(crate) async fn project(&self, user: &User) -> Value {
        let rows = self
            .client
            .post("/rest/v1/projects")
            .header("apikey", self.anon_key())
            .header("Prefer", "return=representation")
            .bearer(&user.token)
            .json(&json!({ "name": "secret plans" }))
            .send()
            .await
            .expect(StatusCode::CREATED)
            .json();
        rows[0].clone()
    }

    /// All projects that `token` can see.
    pub(crate) async fn projects(&self, token: &str) -> Value {
        self.client
            .get("/rest/v1/projects?select=id")
            .header("apikey", self.anon_key())
            .bearer(token)
            .send()
            .await
            .expect(StatusCode::OK)
            .json()
    }
}
