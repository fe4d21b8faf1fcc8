//! Starts all services in this process, and ends them in an order that loses nothing.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use common::{
    config::{self, Env, FromEnv, Invalid},
    lifecycle::Lifecycle,
    service::{self, Launch},
};
use tokio::net::TcpListener;

use crate::dotenv::{Variables, port};

/// Pause between two looks at a service that is not ready yet.
const READY_POLL: Duration = Duration::from_millis(20);

/// Longest wait for one service to end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(25);

/// Any free port.
const ANY_PORT: u16 = 0;

/// Where the gateway listens; the services behind it always take free loopback ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Where `LISTEN_HOST` and `GATEWAY_PORT` say.
    Configured,
    /// A free loopback port.
    Random,
}

/// The running services.
#[derive(Debug)]
pub struct Fleet {
    gateway: Member,
    behind: Vec<Member>,
}

/// One running service.
#[derive(Debug)]
struct Member {
    name: &'static str,
    address: SocketAddr,
    lifecycle: Lifecycle,
}

/// The configuration of everything, read in one go so that all problems show together.
struct Settings {
    bootstrap: db_bootstrap::Config,
    auth: service::Settings<auth::Auth>,
    email: service::Settings<email::Email>,
    sql_rest: service::Settings<sql_rest::SqlRest>,
    mongo_api: service::Settings<mongo_api::MongoApi>,
    gateway: service::Settings<gateway::Gateway>,
}

impl FromEnv for Settings {
    fn from_env(env: &mut Env) -> Self {
        Self {
            bootstrap: db_bootstrap::Config::from_env(env),
            auth: service::Settings::from_env(env),
            email: service::Settings::from_env(env),
            sql_rest: service::Settings::from_env(env),
            mongo_api: service::Settings::from_env(env),
            gateway: service::Settings::from_env(env),
        }
    }
}

/// Reads every variable the stack knows; the problems stay in `env`.
pub fn read_all(env: &mut Env) {
    env.secret("POSTGRES_PASSWORD");
    Settings::from_env(env);
}

/// Reports everything that is wrong with `variables` before anything is started.
pub fn check(mut variables: Variables) -> Result<(), Invalid> {
    // Placeholders for what is only known once the databases run.
    let later = [
        ("DATABASE_ADMIN_URL", "postgres://127.0.0.1/postgres"),
        ("PGRST_DB_URI", "postgres://127.0.0.1/postgres"),
        ("GOTRUE_DB_DATABASE_URL", "postgres://127.0.0.1/postgres"),
        ("EMAIL_DATABASE_URL", "postgres://127.0.0.1/postgres"),
        ("EMAIL_URL", "http://127.0.0.1"),
        ("MONGO_URI", "mongodb://127.0.0.1"),
    ];
    variables.extend(later.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let mut env = Env::from_pairs(variables);
    read_all(&mut env);
    env.check()
}

impl Fleet {
    /// Prepares the database and starts every service.
    ///
    /// `variables` must hold the secrets and the URLs of the databases; where the services find
    /// each other is added here.
    pub async fn start(variables: Variables, door: Door) -> Result<Self> {
        // On the heap, for it holds the configuration of every service.
        Box::pin(Self::start_all(variables, door)).await
    }

    async fn start_all(mut variables: Variables, door: Door) -> Result<Self> {
        // The development inbox is a page to come back to.
        let inbox_port = match door {
            Door::Configured => {
                port(&variables, "EMAIL_PORT")?.unwrap_or(<email::Email as Launch>::PORT)
            }
            Door::Random => ANY_PORT,
        };
        let auth = Slot::bind::<auth::Auth>(&mut variables, ANY_PORT).await?;
        let email = Slot::bind::<email::Email>(&mut variables, inbox_port).await?;
        let sql_rest = Slot::bind::<sql_rest::SqlRest>(&mut variables, ANY_PORT).await?;
        let mongo_api = Slot::bind::<mongo_api::MongoApi>(&mut variables, ANY_PORT).await?;
        let gateway = match door {
            Door::Configured => Slot::default(),
            Door::Random => Slot::bind::<gateway::Gateway>(&mut variables, ANY_PORT).await?,
        };
        // The role of the gateway's public key: who has it is anonymous, and told so by the status.
        let anonymous = variables.entry("PGRST_DB_ANON_ROLE".to_owned());
        anonymous.or_insert_with(|| "anon".to_owned());
        let settings = config::load::<Settings>(&mut Env::from_pairs(variables))?;

        db_bootstrap::run(&settings.bootstrap)
            .await
            .context("the database cannot be prepared")?;
        Ok(Self {
            behind: vec![
                auth.start(settings.auth).await?,
                email.start(settings.email).await?,
                sql_rest.start(settings.sql_rest).await?,
                mongo_api.start(settings.mongo_api).await?,
            ],
            gateway: gateway.start(settings.gateway).await?,
        })
    }

    /// Base URL of the gateway.
    pub fn url(&self) -> String {
        self.gateway.url()
    }

    /// Base URL of every service, by name.
    pub fn services(&self) -> BTreeMap<String, String> {
        self.members()
            .map(|member| (member.name.to_owned(), member.url()))
            .collect()
    }

    /// Waits until every service reports that it is ready, or says which is not.
    pub async fn ready(&self, patience: Duration) -> Result<()> {
        let http = common::client::internal(Duration::from_secs(3))?;
        let deadline = Instant::now() + patience;
        for member in self.members() {
            let url = format!("{}/health/ready", member.url());
            loop {
                let response = http.get(&url).send().await?;
                if response.status().is_success() {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("{} is not ready: {}", member.name, response.text().await?);
                }
                tokio::time::sleep(READY_POLL).await;
            }
        }
        Ok(())
    }

    /// Ends all services: the gateway first, so that what it carries still finds its upstream.
    /// Tells whether every request was finished in time.
    pub async fn stop(self) -> bool {
        let mut clean = self.gateway.stop().await;
        for member in self.behind {
            clean &= member.stop().await;
        }
        clean
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.behind.iter().chain([&self.gateway])
    }
}

impl Member {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn stop(&self) -> bool {
        let clean = self.lifecycle.drain(DRAIN_DEADLINE).await;
        if !clean {
            tracing::warn!(service = self.name, "did not end in time");
        }
        clean
    }
}

/// A port that is taken before any service starts, so that none can lose it to another.
#[derive(Debug, Default)]
struct Slot(Option<TcpListener>);

impl Slot {
    /// Takes the `wished` loopback port for `S`, or any while another program has it, and tells
    /// the others by `<NAME>_URL`.
    async fn bind<S: Launch>(variables: &mut Variables, wished: u16) -> Result<Self> {
        let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, wished)).await {
            Err(_) if wished != ANY_PORT => {
                TcpListener::bind((Ipv4Addr::LOCALHOST, ANY_PORT)).await
            }
            result => result,
        }?;
        let name = format!("{}_URL", S::NAME.to_ascii_uppercase().replace('-', "_"));
        variables.insert(name, format!("http://{}", listener.local_addr()?));
        Ok(Self(Some(listener)))
    }

    async fn start<S: Launch>(self, settings: service::Settings<S>) -> Result<Member> {
        let lifecycle = Lifecycle::default();
        // On the heap, for it holds the service's configuration more than once.
        let address = Box::pin(service::start::<S>(settings, self.0, &lifecycle))
            .await
            .with_context(|| format!("{} cannot start", S::NAME))?;
        Ok(Member {
            name: S::NAME,
            address,
            lifecycle,
        })
    }
}
