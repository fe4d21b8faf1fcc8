//! The contract between a service and whatever runs it.

use std::{future::Future, net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, middleware};
use http::StatusCode;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    config::{self, EXIT_CONFIGURATION, Env, FromEnv},
    error::failure,
    health::Health,
    leftover,
    lifecycle::{self, Lifecycle},
    observe, operations, probe,
    server::{self, ConnectionLimits},
    spans, telemetry,
};

/// A service: its name, its configuration and how it becomes a router.
pub trait Service: Sized + 'static {
    /// Name in logs, metrics and variables; also the folder, package and schema.
    const NAME: &'static str;
    /// Port it listens on unless `<NAME>_PORT` says otherwise.
    const PORT: u16;
    /// Everything it can be told.
    type Config: FromEnv + Send;

    /// Starts its background work and returns what it serves.
    ///
    /// Must not fail because a dependency is down: connect lazily, retry in the background and
    /// report through [`App::health`].
    fn build(
        config: Self::Config,
        lifecycle: &Lifecycle,
    ) -> impl Future<Output = anyhow::Result<App>> + Send;

    /// Where it listens, unless it is handed a listener.
    fn listen_address(env: &mut Env) -> SocketAddr {
        config::listen_address(env, Self::NAME, Self::PORT)
    }

    /// The service's OpenAPI document.
    fn contract() -> utoipa::openapi::OpenApi;

    /// What one connection to it may cost.
    fn connection_limits(_config: &Self::Config) -> ConnectionLimits {
        ConnectionLimits::default()
    }
}

/// Anything a `main` or a fleet can start: every [`Service`], and what serves in a way of its own.
pub trait Launch: Sized + 'static {
    /// As [`Service::NAME`].
    const NAME: &'static str;
    /// As [`Service::PORT`].
    const PORT: u16;
    /// As [`Service::Config`].
    type Config: FromEnv + Send;

    /// As [`Service::listen_address`].
    fn listen_address(env: &mut Env) -> SocketAddr {
        config::listen_address(env, Self::NAME, Self::PORT)
    }

    /// Builds it and begins to serve on `listener`, until `lifecycle` stops.
    fn launch(
        config: Self::Config,
        listener: TcpListener,
        lifecycle: &Lifecycle,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

impl<S: Service> Launch for S {
    const NAME: &'static str = <S as Service>::NAME;
    const PORT: u16 = <S as Service>::PORT;
    type Config = <S as Service>::Config;

    fn listen_address(env: &mut Env) -> SocketAddr {
        <S as Service>::listen_address(env)
    }

    async fn launch(
        config: Self::Config,
        listener: TcpListener,
        lifecycle: &Lifecycle,
    ) -> anyhow::Result<()> {
        let limits = S::connection_limits(&config);
        let app = S::build(config, lifecycle).await?;
        let router = router::<S>(app, lifecycle)?;
        let serving = server::serve(listener, router, limits, lifecycle.clone());
        lifecycle.spawn("server", serving);
        Ok(())
    }
}

/// A built service.
#[derive(Debug)]
pub struct App {
    /// Its own routes.
    pub router: Router,
    /// Its dependencies.
    pub health: Health,
}

/// Where a service listens, and its own configuration.
#[derive(Debug)]
pub struct Settings<S: Launch> {
    listen: SocketAddr,
    config: S::Config,
}

impl<S: Launch> FromEnv for Settings<S> {
    fn from_env(env: &mut Env) -> Self {
        Self {
            listen: S::listen_address(env),
            config: S::Config::from_env(env),
        }
    }
}

/// Builds and serves one service, on `listener` if given; returns the address it listens on.
pub async fn start<S: Launch>(
    settings: Settings<S>,
    listener: Option<TcpListener>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<SocketAddr> {
    let listener = match listener {
        Some(listener) => listener,
        None => TcpListener::bind(settings.listen).await?,
    };
    let address = listener.local_addr()?;
    S::launch(settings.config, listener, lifecycle).await?;
    tracing::info!(service = S::NAME, %address, "listening");
    Ok(address)
}

/// The service's routes behind what all services share; tests call this without a socket.
pub fn router<S: Service>(app: App, lifecycle: &Lifecycle) -> anyhow::Result<Router> {
    let router = app
        .router
        .layer(CatchPanicLayer::custom(|_| {
            failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "internal error",
            )
        }))
        .layer(middleware::from_fn_with_state(S::NAME, observe::observe))
        .layer(middleware::from_fn(leftover::read));
    operations::in_front_of(S::NAME, router, app.health, &S::contract(), lifecycle)
}

/// The whole of a service's `main`.
pub fn main<S: Launch>() -> ExitCode {
    struct Whole<S: Launch> {
        telemetry: telemetry::Settings,
        grace: Duration,
        settings: Settings<S>,
    }
    impl<S: Launch> FromEnv for Whole<S> {
        fn from_env(env: &mut Env) -> Self {
            Self {
                telemetry: telemetry::Settings::from_env(env),
                grace: env.seconds("SHUTDOWN_GRACE_SECONDS", 25),
                settings: Settings::from_env(env),
            }
        }
    }
    if probe::is_asked_for() {
        return probe::main(S::listen_address);
    }
    let whole = match config::load::<Whole<S>>(&mut Env::from_process()) {
        Ok(whole) => whole,
        Err(invalid) => return refuse(&invalid),
    };
    telemetry::init(&whole.telemetry);
    run(async move {
        let lifecycle = Lifecycle::default();
        start::<S>(whole.settings, None, &lifecycle).await?;
        lifecycle::stop_requested(&lifecycle).await?;
        lifecycle::drain_or_second_signal(&lifecycle, whole.grace).await?;
        spans::flush().await;
        Ok(())
    })
}

/// Runs the asynchronous part of a `main`, after configuration and telemetry.
pub fn run(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let result = runtime.block_on(work);
            // A thread may still look up the name of a database that is away, for many seconds.
            runtime.shutdown_background();
            result
        });
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped by an error");
            ExitCode::FAILURE
        }
    };
    telemetry::flush();
    code
}

/// Tells on stderr what is wrong with the configuration; the exit status for it.
#[expect(
    clippy::print_stderr,
    reason = "no logger exists before the configuration is read"
)]
pub fn refuse(invalid: &config::Invalid) -> ExitCode {
    eprintln!("{invalid}");
    ExitCode::from(EXIT_CONFIGURATION)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_hangs_does_not_keep_the_process() {
        let (release, held) = mpsc::channel::<()>();
        let ended = run(async move {
            tokio::task::spawn_blocking(move || held.recv());
            Ok(())
        });
        assert_eq!(ended, ExitCode::SUCCESS);
        drop(release);
    }
}
