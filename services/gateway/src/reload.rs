//! Takes a changed routes file into force without dropping a connection.

use std::{io, sync::Arc};

use common::{lifecycle::Lifecycle, redis::Redis};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::Config,
    limits::{Limit, Limits},
    proxy::{Proxy, Table},
    routes::{Plan, Routes},
    tls::{Certificates, Challenges, PlainDoor},
    tokens::Minter,
    upstream::{Upstream, Upstreams},
    workers::Handed,
};

/// Wrong keys an address may present, before the scale of all limits.
const WRONG_KEYS_MINUTE: u32 = 30;
const WRONG_KEYS_HOUR: u32 = 300;

/// Builds what the gateway works with, at the start and again on demand.
pub(crate) struct Reloader {
    config: Config,
    minter: Minter,
    proxy: Arc<Proxy>,
}

impl Reloader {
    /// Builds everything from `config`.
    pub(crate) fn new(
        config: Config,
        minter: Minter,
        challenges: Challenges,
        lifecycle: &Lifecycle,
    ) -> io::Result<Self> {
        let upstreams = Upstreams::new(config.names.clone(), lifecycle);
        let table = table(&config, config.plan().clone(), &minter, &upstreams);
        let redis = config.redis_url.as_ref();
        let redis = redis.map(|url| Redis::connect(url, lifecycle));
        let limits = Limits::new(
            redis
                .transpose()
                .map_err(|what| io::Error::other(format!("REDIS_URL is {what}")))?,
        );
        let plain = config.tls.as_ref().map(|tls| PlainDoor {
            tls_port: tls.public_port,
            challenges,
        });
        let proxy = Proxy::new(table, upstreams, limits, plain, lifecycle.clone());
        Ok(Self {
            config,
            minter,
            proxy: Arc::new(proxy),
        })
    }

    /// What answers requests.
    pub(crate) fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// What is in force.
    pub(crate) fn table(&self) -> Arc<Handed<Table>> {
        self.proxy.table()
    }

    /// The upstreams of the routes in force, each once.
    pub(crate) fn upstreams(&self) -> Vec<Arc<Upstream>> {
        let table = self.table();
        let mut upstreams: Vec<_> = table
            .routes
            .all()
            .iter()
            .map(|route| &route.upstream)
            .collect();
        upstreams.sort_by_key(|upstream| Arc::as_ptr(upstream));
        upstreams.dedup_by_key(|upstream| Arc::as_ptr(upstream));
        upstreams.into_iter().map(Arc::clone).collect()
    }

    /// What is shown to clients that ask for TLS.
    pub(crate) fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.config.tls.as_ref().map(|tls| &tls.certificates)
    }

    /// Reads routes and certificate again. When they cannot be used, nothing changes.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let plan = self.read_again().inspect_err(|mistake| {
            tracing::error!(
                mistake,
                "not reloaded, the old configuration stays in force"
            );
        })?;
        let table = table(&self.config, plan, &self.minter, &self.proxy.upstreams);
        self.proxy.replace(table);
        tracing::info!("configuration reloaded");
        Ok(())
    }

    fn read_again(&self) -> Result<Plan, String> {
        let plan = self.config.read_again()?;
        if let Some(certificates) = self.certificates() {
            certificates.refresh()?;
        }
        Ok(plan)
    }
}

/// Reloads on every SIGHUP.
pub(crate) async fn on_hangup(reloader: Arc<Reloader>) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::error!(%error, "SIGHUP cannot be received");
            return;
        }
    };
    while hangups.recv().await.is_some() {
        // What was wrong is logged already.
        reloader.reload().ok();
    }
}

fn table(config: &Config, plan: Plan, minter: &Minter, upstreams: &Upstreams) -> Table {
    let keys = config.keys(&plan, minter);
    Table {
        routes: Routes::new(plan, &keys, upstreams),
        keys,
        cors: config.cors.clone(),
        proxies: config.proxies.clone(),
        hsts: config.hsts.clone(),
        verifier: minter.verifier().clone(),
        wrong_keys: Limit::new(WRONG_KEYS_MINUTE, WRONG_KEYS_HOUR, config.limit_scale()),
    }
}
