//! Hears from the database that something changed.

use std::{convert::Infallible, time::Duration};

use common::{
    postgres::{Connection, Failure, Statement},
    retry,
};
use tokio::time::timeout;

use super::SchemaCache;
use crate::quote;

/// A quiet connection is asked for a sign of life this often.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Loads for the first time, when it listens, so that nothing changes in between; but a database
/// that cannot be listened to, such as a replica, is loaded too. Then reloads on every notification
/// of `channel` that asks for it, and after every reconnection, because nobody listened in between.
pub(super) async fn listen(cache: SchemaCache, channel: String) {
    let mut first = subscribe(&cache, &channel).await.ok();
    cache.reload();
    loop {
        let mut connection = if let Some(connection) = first.take() {
            connection
        } else {
            let subscribe = || subscribe(&cache, &channel);
            let connection = retry::until_ok("listening for reloads", subscribe).await;
            cache.reload();
            connection
        };
        let Err(error) = obey(&cache, &mut connection).await;
        let error = common::error::chain(&error);
        tracing::warn!(error, "the connection that listens for reloads ended");
    }
}

async fn subscribe(cache: &SchemaCache, channel: &str) -> Result<Connection, Failure> {
    // Administrators look for it as it is written by PostgREST.
    let mut sql = "LISTEN ".to_owned();
    quote::ident(&mut sql, channel);
    let mut connection = cache.pool().connect_apart().await?;
    connection.run(&[Statement::once(&sql, &[])]).await?;
    Ok(connection)
}

async fn obey(cache: &SchemaCache, connection: &mut Connection) -> Result<Infallible, Failure> {
    loop {
        let Ok(notified) = timeout(PING_EVERY, connection.notification()).await else {
            ping(connection).await?;
            continue;
        };
        match notified?.payload.as_str() {
            "" | "reload config" => cache.reload(),
            "reload schema" => cache.reload_schema(),
            other => tracing::debug!(payload = other, "a notification asks for nothing known"),
        }
    }
}

async fn ping(connection: &mut Connection) -> Result<(), Failure> {
    let answer = timeout(PING_TIMEOUT, connection.run(&[])).await;
    let answer = answer.unwrap_or_else(|_| Err(Failure::Lost(std::io::ErrorKind::TimedOut.into())));
    answer.map(drop)
}
