//! Everything that speaks to MongoDB.

mod collections;
mod documents;
mod indexes;
mod many;
mod read;
mod settings;

use std::{
    collections::HashMap,
    future::IntoFuture,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::clock::Clock;
use mongodb::{
    Client, Collection, Database,
    bson::{Bson, DateTime, RawDocumentBuf},
};

use crate::{
    Error,
    access::{Access, Action, Principal, Scope},
    config::Limits,
    id::CollectionName,
    mongo,
};

pub(crate) use collections::CollectionInfo;
pub(crate) use indexes::{IndexInfo, NewIndex};
pub(crate) use many::{Changed, Deleted, ItemStatus};
pub(crate) use read::{Listing, Start};
use settings::Settings;

/// What an operation may take beyond MongoDB's own time: finding a server, and one retry.
const PATIENCE: Duration = Duration::from_secs(15);

/// The users' documents and what is known about their collections. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    client: Client,
    database: Database,
    settings: Settings,
    limits: Limits,
    clock: Clock,
    /// Collections that exist with their index, and when that was seen.
    ready: Arc<Mutex<HashMap<CollectionName, Instant>>>,
}

/// The documents of one collection that one caller can reach. There is no other way to them.
#[derive(Debug)]
pub(crate) struct Documents<'a> {
    store: &'a Store,
    name: &'a CollectionName,
    collection: Collection<RawDocumentBuf>,
    scope: Scope,
    /// Owner of what is created here.
    owner: Bson,
}

impl Store {
    pub(crate) fn new(client: Client, database: &str, limits: Limits, clock: Clock) -> Self {
        let database = client.database(database);
        Self {
            settings: Settings::new(&database),
            client,
            database,
            limits,
            clock,
            ready: Arc::default(),
        }
    }

    /// Asks the database for a sign of life.
    pub(crate) async fn ping(&self) -> Result<(), String> {
        mongo::ping(&self.client).await
    }

    /// The documents of `name` that `principal` can reach.
    pub(crate) async fn documents<'a>(
        &'a self,
        principal: Principal,
        name: &'a CollectionName,
        action: Action,
    ) -> Result<Documents<'a>, Error> {
        let access = match principal {
            // Sharing adds nothing to what the service role can reach.
            Principal::Service => Access::Private,
            _ => self.bounded(self.settings.access(name)).await?,
        };
        Ok(Documents {
            store: self,
            name,
            collection: self.database.collection(name.as_str()),
            scope: principal.scope(access, action)?,
            owner: principal.owner(),
        })
    }

    /// Ends an operation that gets no answer at all.
    async fn bounded<T, E>(
        &self,
        operation: impl IntoFuture<Output = Result<T, E>>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        let limit = self.limits.query_time + PATIENCE;
        match tokio::time::timeout(limit, operation.into_future()).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Error::QueryTimeout),
        }
    }

    fn now(&self) -> DateTime {
        let millis = self.clock.now().unix_timestamp_nanos() / 1_000_000;
        DateTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}
