//! Indexes of a collection.

use std::time::Duration;

use indexmap::IndexMap;
use mongodb::{
    IndexModel,
    bson::{Bson, Document},
    options::IndexOptions,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Store, collections::OWNER_INDEX};
use crate::{Error, document, id::CollectionName, path};

/// Name MongoDB gives to the index on `_id`.
pub(super) const ID_INDEX: &str = "_id_";

/// How one field is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Ascending.
    Asc,
    /// Descending.
    Desc,
}

/// An index to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewIndex {
    /// Fields in the order they are indexed. Begin with `owner_id` to serve users' own queries.
    #[schema(value_type = std::collections::HashMap<String, Direction>, example = json!({ "owner_id": "asc", "due": "desc" }))]
    pub(crate) keys: IndexMap<String, Direction>,
    /// Whether no two documents may have the same values.
    #[serde(default)]
    pub(crate) unique: bool,
    /// Whether documents without the fields are left out.
    #[serde(default)]
    pub(crate) sparse: bool,
    /// Deletes documents this many seconds after the date in the field (one field only).
    #[schema(minimum = 0, maximum = 2_147_483_647)]
    pub(crate) expire_after_seconds: Option<u32>,
}

/// An index that exists.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct IndexInfo {
    /// Its name, for deleting it.
    pub(crate) name: String,
    /// Fields in the order they are indexed.
    #[schema(value_type = std::collections::HashMap<String, Direction>)]
    pub(crate) keys: IndexMap<String, Direction>,
    /// Whether no two documents may have the same values.
    pub(crate) unique: bool,
    /// Whether documents without the fields are left out.
    pub(crate) sparse: bool,
    /// Age at which documents are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expire_after_seconds: Option<u64>,
}

impl Store {
    /// The indexes of a collection.
    pub(crate) async fn list_indexes(
        &self,
        name: &CollectionName,
    ) -> Result<Vec<IndexInfo>, Error> {
        self.specification(name).await?;
        let collection = self.database.collection::<Document>(name.as_str());
        let read = async {
            let mut found = collection.list_indexes().await?;
            let mut infos = Vec::new();
            while found.advance().await? {
                infos.push(info(found.deserialize_current()?));
            }
            Ok::<_, mongodb::error::Error>(infos)
        };
        self.bounded(read).await
    }

    /// Makes an index and gives its name.
    pub(crate) async fn create_index(
        &self,
        name: &CollectionName,
        index: NewIndex,
    ) -> Result<String, Error> {
        self.specification(name).await?;
        index.keys.keys().try_for_each(|path| path::check(path))?;
        if index.keys.is_empty() {
            return Err(Error::InvalidValue(
                "an index has at least one field".to_owned(),
            ));
        }
        let mut keys = Document::new();
        for (path, direction) in &index.keys {
            let one = match direction {
                Direction::Asc => 1,
                Direction::Desc => -1,
            };
            keys.insert(path, one);
        }
        let expiry = index.expire_after_seconds.map(u64::from);
        let options = IndexOptions::builder()
            .unique(index.unique.then_some(true))
            .sparse(index.sparse.then_some(true))
            .expire_after(expiry.map(Duration::from_secs))
            .build();
        let model = IndexModel::builder().keys(keys).options(options).build();
        let collection = self.database.collection::<Document>(name.as_str());
        let made = self.bounded(collection.create_index(model)).await?;
        Ok(made.index_name)
    }

    /// Deletes an index that is not the service's own.
    pub(crate) async fn drop_index(&self, name: &CollectionName, index: &str) -> Result<(), Error> {
        self.specification(name).await?;
        if index == ID_INDEX || index == OWNER_INDEX {
            return Err(Error::IndexConflict);
        }
        // A star would mean all of them.
        if index == "*" {
            return Err(Error::IndexNotFound);
        }
        let collection = self.database.collection::<Document>(name.as_str());
        self.bounded(collection.drop_index(index)).await
    }
}

fn info(model: IndexModel) -> IndexInfo {
    let options = model.options.unwrap_or_default();
    let direction = |value: &Bson| match value {
        Bson::Int32(-1) | Bson::Int64(-1) => Direction::Desc,
        _ => Direction::Asc,
    };
    let keys = model
        .keys
        .iter()
        .map(|(path, value)| (path.clone(), direction(value)));
    let name = options.name.unwrap_or_default();
    IndexInfo {
        unique: options
            .unique
            .unwrap_or(name == ID_INDEX || model.keys.keys().eq([document::ID])),
        name,
        keys: keys.collect(),
        sparse: options.sparse.unwrap_or(false),
        expire_after_seconds: options.expire_after.map(|age| age.as_secs()),
    }
}
