//! Collections themselves: made on first write, described and shaped by the service role.

use std::time::{Duration, Instant};

use mongodb::{
    IndexModel,
    bson::{Document, doc},
    options::IndexOptions,
    results::CollectionSpecification,
};

use super::Store;
use crate::{
    Error,
    access::Access,
    document::{ID, OWNER},
    id::CollectionName,
    mongo, schema,
};

/// Name of the index that serves the scoping of every request.
pub(super) const OWNER_INDEX: &str = "owner_id_1__id_1";

/// How long a collection is believed to be there; another replica may have dropped it.
const READY_FOR: Duration = Duration::from_mins(5);

/// A collection as the service role sees it.
#[derive(Debug)]
pub(crate) struct CollectionInfo {
    pub(crate) name: String,
    pub(crate) access: Access,
}

impl Store {
    /// Makes a collection and its index if they are not there.
    pub(super) async fn ensure_ready(&self, name: &CollectionName) -> Result<(), Error> {
        if self.is_ready(name) {
            return Ok(());
        }
        let names = self.user_collections().await?;
        if !names.iter().any(|known| known == name.as_str())
            && names.len() >= self.limits.collections
        {
            return Err(Error::TooManyCollections);
        }
        let index = IndexModel::builder()
            .keys(doc! { OWNER: 1, ID: 1 })
            .options(IndexOptions::builder().name(OWNER_INDEX.to_owned()).build())
            .build();
        let collection = self.database.collection::<Document>(name.as_str());
        self.bounded(collection.create_index(index)).await?;
        if let Ok(mut ready) = self.ready.lock() {
            ready.insert(name.clone(), Instant::now());
        }
        Ok(())
    }

    /// All collections of users, by name.
    pub(crate) async fn list_collections(&self) -> Result<Vec<CollectionInfo>, Error> {
        let mut infos = Vec::new();
        for name in self.user_collections().await? {
            let access = match name.parse() {
                Ok(name) => self.bounded(self.settings.access(&name)).await?,
                Err(_) => Access::Private,
            };
            infos.push(CollectionInfo { name, access });
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(infos)
    }

    /// Makes a collection; one of the same name must not exist.
    pub(crate) async fn create_collection(
        &self,
        name: &CollectionName,
        access: Access,
    ) -> Result<(), Error> {
        self.bounded(self.database.create_collection(name.as_str()).into_future())
            .await?;
        self.ensure_ready(name).await?;
        self.bounded(self.settings.set(name, access)).await
    }

    /// With whom a collection is shared.
    pub(crate) async fn access(&self, name: &CollectionName) -> Result<Access, Error> {
        self.specification(name).await?;
        self.bounded(self.settings.access(name)).await
    }

    /// Shares a collection otherwise.
    pub(crate) async fn set_access(
        &self,
        name: &CollectionName,
        access: Access,
    ) -> Result<(), Error> {
        self.specification(name).await?;
        self.bounded(self.settings.set(name, access)).await
    }

    /// Documents in a collection, from its metadata.
    pub(crate) async fn estimate(&self, name: &CollectionName) -> Result<u64, Error> {
        let collection = self.database.collection::<Document>(name.as_str());
        self.bounded(collection.estimated_document_count()).await
    }

    /// Deletes a collection with everything in it.
    pub(crate) async fn drop_collection(&self, name: &CollectionName) -> Result<(), Error> {
        self.specification(name).await?;
        if let Ok(mut ready) = self.ready.lock() {
            ready.remove(name);
        }
        let collection = self.database.collection::<Document>(name.as_str());
        self.bounded(collection.drop()).await?;
        self.bounded(self.settings.forget(name)).await
    }

    /// The JSON schema that documents must fit, as it was given.
    pub(crate) async fn validator(&self, name: &CollectionName) -> Result<Option<Document>, Error> {
        let specification = self.specification(name).await?;
        let validator = specification.options.validator;
        let schema =
            validator.and_then(|validator| validator.get_document("$jsonSchema").cloned().ok());
        Ok(schema.map(schema::without_own_fields))
    }

    /// Sets the JSON schema that documents must fit from now on; none takes it away.
    pub(crate) async fn set_validator(
        &self,
        name: &CollectionName,
        schema: Option<Document>,
    ) -> Result<(), Error> {
        self.specification(name).await?;
        let validator = match schema {
            Some(schema) => doc! { "$jsonSchema": schema::with_own_fields(schema) },
            None => Document::new(),
        };
        let command = doc! {
            "collMod": name.as_str(),
            "validator": validator,
            "validationLevel": "strict",
            "validationAction": "error",
            "writeConcern": mongo::write_concern(),
        };
        self.bounded(self.database.run_command(command)).await?;
        Ok(())
    }

    /// What MongoDB knows of a collection that must exist.
    pub(super) async fn specification(
        &self,
        name: &CollectionName,
    ) -> Result<CollectionSpecification, Error> {
        let find = async {
            let filter = doc! { "name": name.as_str(), "type": "collection" };
            let mut found = self.database.list_collections().filter(filter).await?;
            if found.advance().await? {
                found.deserialize_current().map(Some)
            } else {
                Ok(None)
            }
        };
        self.bounded(find).await?.ok_or(Error::CollectionNotFound)
    }

    fn is_ready(&self, name: &CollectionName) -> bool {
        let ready = self.ready.lock();
        ready.is_ok_and(|ready| {
            ready
                .get(name)
                .is_some_and(|seen| seen.elapsed() < READY_FOR)
        })
    }

    async fn user_collections(&self) -> Result<Vec<String>, Error> {
        let mut names = self.bounded(self.database.list_collection_names()).await?;
        names.retain(|name| name.parse::<CollectionName>().is_ok());
        Ok(names)
    }
}
