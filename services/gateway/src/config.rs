//! The gateway's configuration.

use std::net::SocketAddr;

use common::{
    config::{Env, FromEnv, MIN_SECRET_BYTES},
    identity::PublicKeys,
    server::ConnectionLimits,
};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    client_address::TrustedProxies,
    connection::Bounds,
    cors::Cors,
    keys::{ANON, ConfiguredKey, Keys, SERVICE_ROLE},
    routes::{BUILT_IN, Plan, Surroundings},
    tls,
    tokens::Minter,
    upstream::Names,
};

/// Shortest API key, in bytes. The anon key is public, but must not be guessed by accident.
const MIN_KEY_BYTES: usize = 16;

/// What the gateway can be told.
#[derive(Debug)]
pub struct Config {
    /// Signs the tokens of keys that are none themselves.
    pub(crate) jwt_secret: SecretString,
    /// Public keys that access tokens may be signed with besides.
    pub(crate) jwt_keys: PublicKeys,
    /// Where the admin API listens, if anywhere.
    pub(crate) admin: Option<SocketAddr>,
    /// What clients' connections may cost.
    pub(crate) connections: Bounds,
    /// How TLS is ended here, if it is.
    pub(crate) tls: Option<tls::Settings>,
    /// Where limits are shared with other gateways.
    pub(crate) redis_url: Option<SecretString>,
    /// Threads that serve clients.
    pub(crate) workers: usize,
    /// `Strict-Transport-Security`, when it is to be sent.
    pub(crate) hsts: Option<HeaderValue>,
    pub(crate) cors: Cors,
    pub(crate) proxies: TrustedProxies,
    /// Who knows the upstreams' names.
    pub(crate) names: Names,
    anon_key: SecretString,
    service_role_key: SecretString,
    /// Keys that stay good until every client has the new one.
    previous_anon_key: Option<SecretString>,
    previous_service_role_key: Option<SecretString>,
    plan: Plan,
    limit_scale: f64,
    routes_path: Option<String>,
    /// The variables that a routes file may refer to.
    env: Env,
}

impl FromEnv for Config {
    fn from_env(env: &mut Env) -> Self {
        let limit_scale = limit_scale(env);
        let routes_path = env.optional("GATEWAY_ROUTES");
        let plan = plan(env, routes_path.as_deref(), limit_scale)
            .map_err(|mistake| env.problem(mistake))
            .unwrap_or_default();
        let config = Self {
            jwt_secret: env.secret("JWT_SECRET"),
            jwt_keys: PublicKeys::from_env(env),
            anon_key: env.secret_of("ANON_KEY", MIN_KEY_BYTES),
            service_role_key: env.secret("SERVICE_ROLE_KEY"),
            previous_anon_key: previous(env, "ANON_KEY_PREVIOUS", MIN_KEY_BYTES),
            previous_service_role_key: previous(env, "SERVICE_ROLE_KEY_PREVIOUS", MIN_SECRET_BYTES),
            admin: admin_address(env),
            connections: bounds(env),
            tls: tls::Settings::from_env(env),
            redis_url: env.optional("REDIS_URL").map(SecretString::from),
            workers: workers(env),
            hsts: hsts(env),
            cors: list(env, "GATEWAY_CORS_ORIGINS", Cors::new),
            proxies: list(env, "GATEWAY_TRUSTED_PROXIES", TrustedProxies::new),
            names: Names::of_the_system(),
            plan,
            limit_scale,
            routes_path,
            env: env.clone(),
        };
        let (anon, service_role) = (&config.anon_key, &config.service_role_key);
        if anon.expose_secret() == service_role.expose_secret() {
            env.problem("ANON_KEY and SERVICE_ROLE_KEY are the same, and the first is public");
        }
        config
    }
}

impl Config {
    /// The same, but `names` are asked for the upstreams' addresses, and not the system.
    #[must_use]
    pub fn with_names(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// The keys of the environment and of `plan`, with tokens made by `minter`.
    pub(crate) fn keys(&self, plan: &Plan, minter: &Minter) -> Keys {
        let mut keys = Keys::new();
        for (role, name, secret) in [
            (ANON, "ANON_KEY", Some(&self.anon_key)),
            (ANON, "ANON_KEY_PREVIOUS", self.previous_anon_key.as_ref()),
            (
                SERVICE_ROLE,
                "SERVICE_ROLE_KEY",
                Some(&self.service_role_key),
            ),
            (
                SERVICE_ROLE,
                "SERVICE_ROLE_KEY_PREVIOUS",
                self.previous_service_role_key.as_ref(),
            ),
        ] {
            if let Some(secret) = secret {
                let consumer = role;
                let key = ConfiguredKey {
                    consumer,
                    role,
                    name,
                    secret,
                };
                keys.add(&key, minter);
            }
        }
        for consumer in &plan.consumers {
            for (name, secret) in &consumer.keys {
                let key = ConfiguredKey {
                    consumer: &consumer.name,
                    role: consumer.role,
                    name,
                    secret,
                };
                keys.add(&key, minter);
            }
            keys.limit(&consumer.name, consumer.limit);
        }
        keys
    }

    /// Factor on every limit.
    pub(crate) fn limit_scale(&self) -> f64 {
        self.limit_scale
    }

    /// The routes as they were at the start.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The routes file as it is now.
    pub(crate) fn read_again(&self) -> Result<Plan, String> {
        let mut env = self.env.clone();
        plan(&mut env, self.routes_path.as_deref(), self.limit_scale)
    }
}

fn plan(env: &mut Env, path: Option<&str>, limit_scale: f64) -> Result<Plan, String> {
    let text = match path {
        None => Ok(BUILT_IN.to_owned()),
        Some(path) => std::fs::read_to_string(path),
    };
    let mut around = Surroundings {
        variable: &mut |name| env.optional(name),
        consumers: &[ANON, SERVICE_ROLE],
        limit_scale,
    };
    text.map_err(|error| error.to_string())
        .and_then(|text| Plan::read(&text, &mut around))
        .map_err(|mistake| format!("{}: {mistake}", path.unwrap_or("the built-in routes")))
}

/// A key that was replaced; as strong as the one in its place.
fn previous(env: &mut Env, name: &str, min_bytes: usize) -> Option<SecretString> {
    env.optional(name)?;
    Some(env.secret_of(name, min_bytes))
}

fn limit_scale(env: &mut Env) -> f64 {
    let scale = env.parse("GATEWAY_RATE_LIMIT_SCALE", 1.0);
    if f64::is_finite(scale) && scale > 0.0 {
        return scale;
    }
    env.problem("GATEWAY_RATE_LIMIT_SCALE is not a positive number");
    1.0
}

/// Where the admin API listens: loopback unless told otherwise, `off` for nowhere.
fn admin_address(env: &mut Env) -> Option<SocketAddr> {
    let text = env.text("GATEWAY_ADMIN_LISTEN", "127.0.0.1:8001");
    if text == "off" {
        return None;
    }
    text.parse()
        .map_err(|_| env.problem("GATEWAY_ADMIN_LISTEN is neither `off` nor an address and port"))
        .ok()
}

fn bounds(env: &mut Env) -> Bounds {
    Bounds {
        each: ConnectionLimits {
            header_timeout: env.seconds("GATEWAY_HEADER_TIMEOUT_SECONDS", 30),
            // With less, what browsers send would not pass.
            max_header_bytes: env
                .parse("GATEWAY_MAX_HEADER_BYTES", 32 * 1024)
                .clamp(8 * 1024, 1024 * 1024),
            ..ConnectionLimits::default()
        },
        all: env.parse("GATEWAY_MAX_CONNECTIONS", 20_000),
    }
}

/// As many threads as there are processors, unless told otherwise.
fn workers(env: &mut Env) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    env.parse("GATEWAY_WORKERS", processors)
}

/// Browsers are told to insist on TLS only where the operator says that there is TLS.
fn hsts(env: &mut Env) -> Option<HeaderValue> {
    let seconds: u64 = env.parse("GATEWAY_HSTS_SECONDS", 0);
    (seconds > 0)
        .then(|| HeaderValue::try_from(format!("max-age={seconds}")).ok())
        .flatten()
}

fn list<T: Default>(
    env: &mut Env,
    name: &str,
    read: impl FnOnce(&[String]) -> Result<T, String>,
) -> T {
    let texts = env.list(name, "");
    read(&texts).unwrap_or_else(|mistake| {
        env.problem(format!("{name}: {mistake}"));
        T::default()
    })
}
