//! Host names, and who knows what they stand for.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up. Cheap to clone.
#[derive(Clone)]
pub struct Names(Arc<dyn Fn(String, u16) -> Addresses + Send + Sync>);

impl Names {
    /// As the system knows them.
    pub(crate) fn of_the_system() -> Self {
        Self(Arc::new(|host, port| {
            Box::pin(async move {
                let addresses = tokio::net::lookup_host((host, port)).await?;
                Ok(addresses.collect())
            })
        }))
    }

    /// As `known` says.
    pub fn known_to(
        known: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |host, _| {
            let addresses = known(&host);
            Box::pin(async move { addresses })
        }))
    }

    /// The addresses that `host` stands for, each with `port`.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (self.0)(host.to_owned(), port).await
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}
