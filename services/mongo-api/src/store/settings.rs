//! With whom collections are shared, kept where no request can name it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use mongodb::{
    Collection, Database,
    bson::{Document, doc},
};
use serde::{Deserialize, Serialize};

use crate::{Error, access::Access, id::CollectionName};

/// Collection of this service's own; the dot keeps it out of reach of every name in a path.
const OWN_COLLECTION: &str = "ferrobase.collections";

/// How long another replica's change may go unnoticed.
const MAX_AGE: Duration = Duration::from_secs(5);

/// Settings of all collections, read together and kept for a moment. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    own: Collection<Document>,
    cached: Arc<ArcSwapOption<Snapshot>>,
    reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Snapshot {
    read_at: Instant,
    access: HashMap<String, Access>,
}

#[derive(Deserialize, Serialize)]
struct Stored {
    #[serde(rename = "_id")]
    name: String,
    access: Access,
}

impl Settings {
    pub(super) fn new(database: &Database) -> Self {
        Self {
            own: database.collection(OWN_COLLECTION),
            cached: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// With whom a collection is shared.
    pub(super) async fn access(&self, name: &CollectionName) -> Result<Access, Error> {
        let snapshot = match self.fresh() {
            Some(snapshot) => snapshot,
            None => self.read_once().await?,
        };
        let access = snapshot.access.get(name.as_str());
        Ok(access.copied().unwrap_or_default())
    }

    pub(super) async fn set(&self, name: &CollectionName, access: Access) -> Result<(), Error> {
        let stored = mongodb::bson::to_document(&Stored {
            name: name.as_str().to_owned(),
            access,
        });
        let stored = stored.map_err(mongodb::error::Error::custom)?;
        self.own
            .replace_one(doc! { "_id": name.as_str() }, stored)
            .upsert(true)
            .await?;
        self.cached.store(None);
        Ok(())
    }

    pub(super) async fn forget(&self, name: &CollectionName) -> Result<(), Error> {
        self.own.delete_one(doc! { "_id": name.as_str() }).await?;
        self.cached.store(None);
        Ok(())
    }

    fn fresh(&self) -> Option<Arc<Snapshot>> {
        let snapshot = self.cached.load_full()?;
        (snapshot.read_at.elapsed() < MAX_AGE).then_some(snapshot)
    }

    /// Reads all settings; callers that come meanwhile wait for the same reading.
    async fn read_once(&self) -> Result<Arc<Snapshot>, Error> {
        let _reading = self.reading.lock().await;
        if let Some(snapshot) = self.fresh() {
            return Ok(snapshot);
        }
        let read_at = Instant::now();
        let mut access = HashMap::new();
        let own = self.own.clone_with_type::<Stored>();
        let mut cursor = own.find(doc! {}).await?;
        while cursor.advance().await? {
            let stored = cursor.deserialize_current()?;
            access.insert(stored.name, stored.access);
        }
        let snapshot = Arc::new(Snapshot { read_at, access });
        self.cached.store(Some(Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}
