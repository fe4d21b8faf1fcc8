//! `ferrobase up`: private databases, every service, and a few lines that say how to begin.

use std::time::{Duration, Instant};

use anyhow::Result;
use common::{
    config::{self, Env},
    lifecycle::{self, Lifecycle},
    telemetry,
};

use crate::{
    cli::Place,
    dotenv::{self, Variables},
    fleet::{self, Door, Fleet},
    state::{Lock, State},
    stores::Stores,
};

/// Longest wait for the stack to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// What differs from production when developing on one machine.
const DEVELOPMENT: [(&str, &str); 6] = [
    ("LOG_FORMAT", "pretty"),
    ("LOG_LEVEL", "warn"),
    ("GATEWAY_CORS_ORIGINS", "*"),
    ("GATEWAY_RATE_LIMIT_SCALE", "100"),
    ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
    // Only where there is no mail server.
    ("EMAIL_DEV_INBOX", "true"),
];

/// Variables that name a mail server.
const SERVERS_OF_MAIL: [&str; 3] = ["EMAIL_SMTP_URL", "EMAIL_SMTP_URL_FILE", "GOTRUE_SMTP_HOST"];

/// Runs the stack until a signal comes.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let started = Instant::now();
    let mut variables = variables(place)?;
    let mut env = Env::from_pairs(variables.clone());
    telemetry::init(&config::load::<telemetry::Settings>(&mut env)?);
    fleet::check(variables.clone())?;

    let _lock = Lock::take(&place.data)?;
    let stores = Stores::start(&place.data, &variables).await?;
    stores.announce(&mut variables)?;
    let anon_key = variables.get("ANON_KEY").cloned().unwrap_or_default();
    let service_key = variables
        .get("SERVICE_ROLE_KEY")
        .cloned()
        .unwrap_or_default();
    let sends_mail = SERVERS_OF_MAIL
        .iter()
        .any(|name| variables.get(*name).is_some_and(|value| !value.is_empty()));
    let fleet = Fleet::start(variables, Door::Configured).await?;
    fleet.ready(PATIENCE).await?;

    let state = State {
        pid: std::process::id(),
        services: fleet.services(),
        postgres_port: stores.postgres.port(),
    };
    state.write(&place.data)?;
    println!("ready in {:.1} s\n", started.elapsed().as_secs_f64());
    let mail = if sends_mail {
        "sent for real".to_owned()
    } else {
        format!("caught, read it at {}/inbox", state.services["email"])
    };
    welcome(
        &fleet.url(),
        &anon_key,
        &service_key,
        state.postgres_port,
        &mail,
    );

    lifecycle::stop_requested(&Lifecycle::default()).await?;
    println!("stopping …");
    State::remove(&place.data);
    fleet.stop().await;
    stores.stop().await
}

/// Development defaults, then the file, then this process's own variables.
fn variables(place: &Place) -> Result<Variables> {
    let file = dotenv::load_or_generate(&place.env_file)?;
    let defaults = DEVELOPMENT.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(defaults
        .into_iter()
        .chain(file)
        .chain(config::process_variables())
        .collect())
}

fn welcome(url: &str, anon_key: &str, service_key: &str, postgres_port: u16, mail: &str) {
    println!(
        r#"gateway      {url}
anon key     {anon_key}
service key  {service_key}
             (bypasses row-level security: servers only)
PostgreSQL   postgres://postgres@127.0.0.1:{postgres_port}/postgres
             (password: POSTGRES_PASSWORD in .env)
mail         {mail}

Try it: sign up, write a post, read it back.

KEY={anon_key}
TOKEN=$(curl -s {url}/auth/v1/signup -H "apikey: $KEY" -H 'Content-Type: application/json' -d "{{\"email\":\"ada$RANDOM@example.com\",\"password\":\"correct horse\"}}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s {url}/rest/v1/posts -H "apikey: $KEY" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H 'Prefer: return=representation' -d '{{"title":"Hello","body":"My first post"}}'
curl -s "{url}/rest/v1/posts?select=title,body,created_at" -H "apikey: $KEY" -H "Authorization: Bearer $TOKEN"

Ctrl-C stops everything."#
    );
}
