//! The only door: every request of a client passes here, and nothing else is reachable.
//!
//! The gateway checks the key, counts the request against its limit, removes what a client must not
//! say, and streams the request to the service behind its path; see [`proxy`] for the order. It is
//! not built on a router: a request is answered by the task of its client's connection, which also
//! drives the connection to the upstream.

use std::sync::Arc;

use common::{
    clock::Clock,
    lifecycle::Lifecycle,
    server::{self, ConnectionLimits},
    service::Launch,
};
use tokio::net::TcpListener;

pub use self::config::Config;
use self::{connection::Connections, reload::Reloader, tokens::Minter, workers::Workers};

mod access;
mod admin;
mod admission;
mod body;
mod client_address;
mod config;
mod connection;
mod cors;
mod headers;
mod keys;
mod limits;
mod onward;
mod operations;
mod proxy;
mod refusal;
mod reload;
mod respond;
mod routes;
mod tokens;
mod tunnel;
mod upstream;
mod workers;

/// The gateway, as something to launch.
#[derive(Debug)]
pub struct Gateway;

impl Launch for Gateway {
    const NAME: &'static str = "gateway";
    const PORT: u16 = 8000;
    type Config = Config;

    async fn launch(
        config: Config,
        listener: TcpListener,
        lifecycle: &Lifecycle,
    ) -> anyhow::Result<()> {
        let admin = match config.admin {
            Some(address) => Some(TcpListener::bind(address).await?),
            None => None,
        };
        serve(config, listener, admin, lifecycle)?;
        Ok(())
    }
}

/// Serves clients on `listener` and operators on `admin`, until `lifecycle` stops.
pub fn serve(
    config: Config,
    listener: TcpListener,
    admin: Option<TcpListener>,
    lifecycle: &Lifecycle,
) -> std::io::Result<()> {
    let workers = Workers::start(config.workers)?;
    let minter = Minter::new(
        (&config.jwt_secret, config.jwt_keys.clone()),
        Clock::system(),
        lifecycle.clone(),
    );
    let limits = config.connections.clone();
    let reloader = Arc::new(Reloader::new(config, minter, lifecycle));
    let proxy = Arc::clone(reloader.proxy());
    let connections = Connections::new(proxy, &limits, lifecycle.clone());
    let counts = connections.counts();
    let door = serve_clients(listener, connections, workers, lifecycle.clone());
    lifecycle.spawn("gateway", door);
    lifecycle.spawn_until_stop("reload", reload::on_hangup(Arc::clone(&reloader)));
    if let Some(admin) = admin {
        let router = admin::router(reloader, counts, lifecycle);
        let limits = ConnectionLimits::default();
        let serving = server::serve(admin, router, limits, lifecycle.clone());
        lifecycle.spawn("admin", serving);
    }
    Ok(())
}

async fn serve_clients(
    listener: TcpListener,
    connections: Connections,
    workers: Workers,
    lifecycle: Lifecycle,
) {
    server::accept(listener, &lifecycle, |socket, peer, watcher| {
        let connections = connections.clone();
        workers.serve(socket, move |socket| async move {
            connections.serve(socket, peer).await;
            // The end of the connection is what a drain waits for.
            drop(watcher);
        })
    })
    .await;
}
