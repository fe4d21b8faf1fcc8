//! The only door: every request of a client passes here, and nothing else is reachable.
//!
//! The gateway checks the key, counts the request against its limit, removes what a client must not
//! say, and streams the request to the service behind its path; see [`proxy`] for the order. It is
//! not built on a router: a request is answered by the task of its client's connection, which also
//! drives the connection to the upstream.

use std::{io, net::SocketAddr, sync::Arc};

use common::{
    clock::Clock,
    lifecycle::Lifecycle,
    server::{self, ConnectionLimits},
    service::Launch,
};
use tokio::net::TcpListener;

pub use self::{config::Config, upstream::Names};
use self::{
    connection::Connections,
    reload::Reloader,
    tls::{Challenges, Tls, acme::Acme},
    tokens::Minter,
    workers::Workers,
};

mod access;
mod admin;
mod admission;
mod body;
mod client_address;
mod config;
mod connection;
mod cors;
mod headers;
mod http1;
mod keys;
mod limits;
mod message;
mod onward;
mod operations;
mod proxy;
mod refusal;
mod reload;
mod respond;
mod rewound;
mod routes;
mod tls;
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
        let host = listener.local_addr()?.ip();
        let tls = config
            .tls
            .as_ref()
            .map(|tls| SocketAddr::new(host, tls.port));
        let listeners = Listeners {
            admin: bind(config.admin).await?,
            tls: bind(tls).await?,
            public: listener,
        };
        serve(config, listeners, lifecycle)?;
        Ok(())
    }
}

/// Where the gateway is reached.
#[derive(Debug)]
pub struct Listeners {
    /// By clients.
    pub public: TcpListener,
    /// By clients that speak TLS; used when the configuration has a certificate.
    pub tls: Option<TcpListener>,
    /// By operators.
    pub admin: Option<TcpListener>,
}

/// Serves on `listeners` until `lifecycle` stops.
pub fn serve(config: Config, listeners: Listeners, lifecycle: &Lifecycle) -> io::Result<()> {
    let workers = Arc::new(Workers::start(config.workers)?);
    let clock = Clock::system();
    let keys = (&config.jwt_secret, config.jwt_keys.clone());
    let minter = Minter::new(keys, clock.clone(), lifecycle.clone());
    let (bounds, settings) = (config.connections.clone(), config.tls.clone());
    let challenges = Challenges::default();
    let reloader = Reloader::new(config, minter, challenges.clone(), lifecycle)?;
    let reloader = Arc::new(reloader);
    let proxy = Arc::clone(reloader.proxy());
    let connections = Arc::new(Connections::new(proxy, &bounds, lifecycle.clone()));
    if let Some((settings, listener)) = settings.zip(listeners.tls) {
        let certificates = settings.certificates;
        lifecycle.spawn_until_stop("certificates", Arc::clone(&certificates).watch());
        if let Some(acme) = settings.acme {
            let acme = Acme::new(acme, Arc::clone(&certificates), challenges, clock);
            lifecycle.spawn_until_stop("acme", acme.run());
        }
        let tls = Tls::new(certificates, bounds.each.header_timeout)?;
        let door = Door {
            connections: Arc::clone(&connections),
            tls: Some(tls),
            workers: Arc::clone(&workers),
        };
        lifecycle.spawn("gateway tls", door.serve(listener, lifecycle.clone()));
    }
    lifecycle.spawn_until_stop("reload", reload::on_hangup(Arc::clone(&reloader)));
    if let Some(admin) = listeners.admin {
        let router = admin::router(reloader, connections.counts(), lifecycle);
        let limits = ConnectionLimits::default();
        let serving = server::serve(admin, router, limits, lifecycle.clone());
        lifecycle.spawn("admin", serving);
    }
    let door = Door {
        connections,
        tls: None,
        workers,
    };
    lifecycle.spawn("gateway", door.serve(listeners.public, lifecycle.clone()));
    Ok(())
}

/// What stands behind a listener.
struct Door {
    connections: Arc<Connections>,
    tls: Option<Tls>,
    workers: Arc<Workers>,
}

impl Door {
    async fn serve(self, listener: TcpListener, lifecycle: Lifecycle) {
        server::accept(listener, &lifecycle, |socket, peer, watcher| {
            let (connections, tls) = (Arc::clone(&self.connections), self.tls.clone());
            self.workers.serve(socket, move |socket| async move {
                connections.serve(socket, peer, tls).await;
                // The end of the connection is what a drain waits for.
                drop(watcher);
            })
        })
        .await;
    }
}

async fn bind(address: Option<SocketAddr>) -> io::Result<Option<TcpListener>> {
    match address {
        Some(address) => TcpListener::bind(address).await.map(Some),
        None => Ok(None),
    }
}
