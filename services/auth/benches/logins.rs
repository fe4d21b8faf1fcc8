//! What logins and refreshes cost: password logins against the hash they are made of, refresh
//! grants, and refresh grants while many clients keep every password worker busy.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use auth::password::hash;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use testkit::{Client, postgres::Database, wait::eventually};
use tokio::{net::TcpStream, process::Command, task::JoinSet};

const SECRET: &str = "the-secret-of-this-benchmark-0123456789";
const ROLE_PASSWORD: &str = "auth-admin";
const PASSWORD: &str = "correct horse battery staple";

/// Clients that refresh, each with a session of its own.
const REFRESHERS: usize = 16;

/// Clients that sign in with a password until the measurement is over.
const LOGINS: usize = 200;

/// How long each measurement takes.
const TURN: Duration = Duration::from_secs(8);

#[tokio::main]
async fn main() -> Result<()> {
    let database = testkit::postgres::database().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let mut service = Command::new(env!("CARGO_BIN_EXE_auth"))
        .env("GOTRUE_DB_DATABASE_URL", prepare(&database).await?)
        .env("GOTRUE_SITE_URL", "http://localhost:3000")
        .env("API_EXTERNAL_URL", "http://localhost:9999")
        .env("JWT_SECRET", SECRET)
        .env("GOTRUE_MAILER_AUTOCONFIRM", "true")
        .env("AUTH_RATE_LIMIT_SCALE", "1000000")
        .env("AUTH_PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let measured = measure(port).await;
    service.kill().await?;
    measured
}

/// What db-bootstrap leaves to the service.
async fn prepare(database: &Database) -> Result<String> {
    let client = database.connect().await;
    let role = format!("create role auth_admin login password '{ROLE_PASSWORD}'");
    client.batch_execute(&role).await?;
    let schema = "create schema auth authorization auth_admin";
    client.batch_execute(schema).await?;
    Ok(database.url_for("auth_admin", ROLE_PASSWORD).await)
}

async fn measure(port: u16) -> Result<()> {
    eventually("the service", Duration::from_secs(30), async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    let client = Client::at(&format!("http://127.0.0.1:{port}"));
    eventually("a user", Duration::from_secs(30), async || {
        let response = client.post("/signup").json(&credentials()).send().await;
        (response.status == StatusCode::OK).then_some(())
    })
    .await;

    let hash_ms = hash_cost()?;
    let per_second = 1000.0 / hash_ms;
    println!("one hash: {hash_ms:.1} ms, so {per_second:.0}/s on a core of its own");
    for clients in [1, 8] {
        let logins = all((0..clients).map(|_| logins(client.clone()))).await?;
        report(&format!("password logins, {clients} clients"), logins);
    }
    let sessions = sessions(&client).await?;
    let refreshers = sessions
        .iter()
        .map(|tokens| refreshes(client.clone(), tokens.clone()));
    report("refresh grants, 16 clients", all(refreshers).await?);

    let sessions = self::sessions(&client).await?;
    let mut saturating = JoinSet::new();
    for _ in 0..LOGINS {
        let client = client.clone();
        saturating.spawn(async move {
            loop {
                // Whoever is sent away because of the crowd comes back at once.
                let _ = sign_in(&client).await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refreshers = sessions
        .into_iter()
        .map(|tokens| refreshes(client.clone(), tokens));
    let refreshed = all(refreshers).await?;
    report("refresh grants, while 200 clients sign in", refreshed);
    saturating.abort_all();
    Ok(())
}

/// Milliseconds of one hash, on one core.
fn hash_cost() -> Result<f64> {
    const HASHES: u32 = 20;
    let password = SecretString::from(PASSWORD);
    let start = Instant::now();
    for _ in 0..HASHES {
        hash::hash(&password)?;
    }
    Ok(start.elapsed().as_secs_f64() * 1000.0 / f64::from(HASHES))
}

fn credentials() -> Value {
    json!({ "email": "ada@example.com", "password": PASSWORD })
}

async fn sign_in(client: &Client) -> Result<Value> {
    let request = client.post("/token?grant_type=password");
    let response = request.json(&credentials()).send().await;
    ensure!(response.status == StatusCode::OK, "{}", response.text());
    Ok(response.json())
}

/// A session for each client that refreshes.
async fn sessions(client: &Client) -> Result<Vec<Value>> {
    let mut sessions = Vec::new();
    for _ in 0..REFRESHERS {
        sessions.push(sign_in(client).await?);
    }
    Ok(sessions)
}

/// Signs in over and over.
async fn logins(client: Client) -> Result<Vec<Duration>> {
    let end = Instant::now() + TURN;
    let mut durations = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        sign_in(&client).await?;
        durations.push(start.elapsed());
    }
    Ok(durations)
}

/// Exchanges the refresh token got by the exchange before.
async fn refreshes(client: Client, mut tokens: Value) -> Result<Vec<Duration>> {
    let end = Instant::now() + TURN;
    let mut durations = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let body = json!({ "refresh_token": tokens["refresh_token"] });
        let request = client.post("/token?grant_type=refresh_token").json(&body);
        let response = request.send().await;
        ensure!(response.status == StatusCode::OK, "{}", response.text());
        durations.push(start.elapsed());
        tokens = response.json();
    }
    Ok(durations)
}

/// The durations of all clients.
async fn all<F>(clients: impl Iterator<Item = F>) -> Result<Vec<Duration>>
where
    F: Future<Output = Result<Vec<Duration>>> + Send + 'static,
{
    let mut running: JoinSet<_> = clients.collect();
    let mut durations = Vec::new();
    while let Some(finished) = running.join_next().await {
        durations.extend(finished??);
    }
    Ok(durations)
}

fn report(name: &str, mut durations: Vec<Duration>) {
    durations.sort_unstable();
    let at = |share: usize| {
        let index = (durations.len() * share / 100).min(durations.len().saturating_sub(1));
        durations
            .get(index)
            .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    let per_second = durations.len() as f64 / TURN.as_secs_f64();
    println!(
        "{name:<44} {per_second:>8.1}/s  p50 {:>7.2} ms  p99 {:>7.2} ms",
        at(50),
        at(99)
    );
}
