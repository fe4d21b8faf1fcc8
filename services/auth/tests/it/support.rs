//! A service over a fresh database, with a clock that tests move.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration as StdDuration,
};

use auth::{AppState, Auth, Config, store::MIGRATOR};
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
};
use common::{
    clock::Clock,
    config::{Env, load},
    health::Health,
    lifecycle::Lifecycle,
    service::{self, App},
};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgPoolOptions};
use testkit::{
    Client,
    client::{RequestBuilder, Response},
    jwt,
    postgres::Database,
    wait::eventually,
};
use time::{Duration, OffsetDateTime};
use tokio::sync::OnceCell;

pub(crate) const SECRET: &str = "a-test-secret-0123456789-abcdefghij";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const EMAIL: &str = "ada@example.com";

/// Connections to the database that requests share.
const CONNECTIONS: u32 = 4;

const ROLE_PASSWORD: &str = "auth-admin";

static ROLE: OnceCell<()> = OnceCell::const_new();

/// A running service.
pub(crate) struct Fixture {
    pub(crate) client: Client,
    pub(crate) router: Router,
    pub(crate) state: AppState,
    pub(crate) database: Database,
    pub(crate) pool: PgPool,
    offset: Arc<AtomicI64>,
}

/// A service that confirms addresses by itself.
pub(crate) async fn autoconfirming() -> Fixture {
    with([("GOTRUE_MAILER_AUTOCONFIRM", "true")]).await
}

/// A service with these settings besides the necessary ones.
pub(crate) async fn with<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Fixture {
    let settings: Vec<_> = settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let database = testkit::postgres::database_from("auth", prepare).await;
    let url = database.url_for("auth_admin", ROLE_PASSWORD).await;
    let necessary = [
        ("GOTRUE_DB_DATABASE_URL", url.as_str()),
        ("GOTRUE_SITE_URL", "http://app.example.com"),
        ("API_EXTERNAL_URL", "http://api.example.com/auth/v1"),
        ("JWT_SECRET", SECRET),
    ];
    let necessary = necessary.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = load::<Config>(&mut Env::from_pairs(necessary.into_iter().chain(settings)))
        .expect("a usable configuration");
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_lazy(&url)
        .expect("a pool");
    let offset = Arc::new(AtomicI64::new(0));
    let moved = Arc::clone(&offset);
    let clock = Clock::driven_by(move || {
        OffsetDateTime::now_utc() + Duration::seconds(moved.load(Ordering::Relaxed))
    });
    let state = AppState::new(config, pool.clone(), clock, &Lifecycle::default()).expect("a state");
    let app = App {
        router: auth::router(state.clone()).layer(from_fn_with_state(state.clone(), settle)),
        health: Health::new(),
    };
    let router = service::router::<Auth>(app, &Lifecycle::default()).expect("a router");
    Fixture {
        client: Client::new(router.clone()),
        router,
        state,
        database,
        pool,
        offset,
    }
}

/// Answers once what a request sends has left: tests look for it at once.
async fn settle(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let answer = next.run(request).await;
    while state.posts().waiting() > 0 {
        tokio::time::sleep(StdDuration::from_millis(1)).await;
    }
    answer
}

/// What db-bootstrap leaves to this service, and its migrations.
async fn prepare(database: &Database) -> anyhow::Result<()> {
    let client = database.connect().await;
    ROLE.get_or_init(async || {
        let create = format!("create role auth_admin login password '{ROLE_PASSWORD}'");
        client
            .batch_execute(&create)
            .await
            .expect("a role can be created");
    })
    .await;
    client
        .batch_execute("create schema auth authorization auth_admin")
        .await?;
    let url = database.url_for("auth_admin", ROLE_PASSWORD).await;
    let pool = PgPool::connect_with(
        url.parse::<sqlx::postgres::PgConnectOptions>()?
            .options([("search_path", "auth")]),
    )
    .await?;
    MIGRATOR.run(&pool).await?;
    pool.close().await;
    Ok(())
}

impl Fixture {
    /// A client that is answered without waiting for what its requests send.
    pub(crate) fn impatient(&self) -> Client {
        Client::new(auth::router(self.state.clone()))
    }

    /// Opens all connections, so that requests that come together are served together.
    pub(crate) async fn open_connections(&self) {
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS {
            open.push(self.pool.acquire().await.expect("a connection"));
        }
    }

    /// Moves the service's clock.
    pub(crate) fn pass(&self, time: Duration) {
        self.offset
            .fetch_add(time.whole_seconds(), Ordering::Relaxed);
    }

    /// The service's present moment.
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::seconds(self.offset.load(Ordering::Relaxed))
    }

    /// `POST path` with a body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.client.post(path).json(&body).send().await
    }

    /// Signs up with an address, whatever comes of it.
    pub(crate) async fn sign_up(&self, email: &str) -> Response {
        self.post("/signup", json!({"email": email, "password": PASSWORD}))
            .await
    }

    /// Signs up where nothing has to be confirmed, and gives the tokens.
    pub(crate) async fn signed_up(&self, email: &str) -> Value {
        self.sign_up(email).await.expect(StatusCode::OK).json()
    }

    /// Signs in with a password.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Response {
        let body = json!({"email": email, "password": password});
        self.post("/token?grant_type=password", body).await
    }

    /// Exchanges a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Response {
        let body = json!({"refresh_token": token});
        self.post("/token?grant_type=refresh_token", body).await
    }

    /// `GET /user` with an access token.
    pub(crate) async fn user(&self, token: &str) -> Response {
        self.client.get("/user").bearer(token).send().await
    }

    /// `PUT /user` with an access token.
    pub(crate) async fn put_user(&self, token: &str, body: Value) -> Response {
        self.client
            .put("/user")
            .bearer(token)
            .json(&body)
            .send()
            .await
    }

    /// A single value from the database, as superuser.
    pub(crate) async fn value(&self, sql: &str) -> Option<String> {
        let client = self.database.connect().await;
        let row = client.query_one(sql, &[]).await.expect("a row");
        row.get(0)
    }

    /// The answer to a request that comes while `change` is being made and has to wait for its end.
    pub(crate) async fn after(
        &self,
        change: &str,
        request: impl Future<Output = Response>,
    ) -> Response {
        let other = self.database.connect().await;
        let begun = other.batch_execute(&format!("begin; {change}")).await;
        begun.expect("a change");
        let waits = "select exists (select from pg_stat_activity \
                     where datname = current_database() and wait_event_type = 'Lock')::text";
        let finish = async {
            let look = async || (self.value(waits).await? == "true").then_some(());
            eventually("the request waits", StdDuration::from_secs(30), look).await;
            other.batch_execute("commit").await.expect("a commit");
        };
        tokio::join!(request, finish).0
    }

    /// Changes the database, as superuser.
    pub(crate) async fn execute(&self, sql: &str) {
        let client = self.database.connect().await;
        client
            .batch_execute(sql)
            .await
            .expect("a statement that works");
    }
}

/// A member that is a text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    let text = value[name].as_str();
    text.expect("a member that is a text")
}

/// The access token of a token answer.
pub(crate) fn access(tokens: &Value) -> &str {
    text(tokens, "access_token")
}

/// A token of the service role.
pub(crate) fn service_role() -> String {
    jwt::role(SECRET, "service_role")
}

/// Sends a request in both versions of the API and checks both forms of its refusal.
pub(crate) async fn refused<'a>(
    request: impl Fn() -> RequestBuilder<'a>,
    status: u16,
    code: &str,
    message: &str,
) {
    let older = request().send().await;
    assert_eq!(older.status.as_u16(), status, "{}", older.text());
    let body = older.json();
    assert_eq!(body["code"], status, "{body}");
    assert_eq!(body["error_code"], code, "{body}");
    assert_eq!(body["msg"], message, "{body}");
    assert!(body["error_id"].is_string(), "{body}");
    assert_eq!(older.header("x-sb-error-code"), Some(code));
    assert_eq!(older.header("x-supabase-api-version"), None);

    let newer = request()
        .header("x-supabase-api-version", "2024-01-01")
        .send()
        .await;
    assert_eq!(newer.status.as_u16(), status, "{}", newer.text());
    assert_eq!(newer.json(), json!({"code": code, "message": message}));
    assert_eq!(newer.header("x-sb-error-code"), Some(code));
    assert_eq!(newer.header("x-supabase-api-version"), Some("2024-01-01"));
}
