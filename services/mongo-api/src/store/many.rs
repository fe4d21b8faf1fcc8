//! Many documents at a time.

use std::collections::HashMap;

use mongodb::{
    bson::{Document, RawDocumentBuf, doc},
    error::{Error as DriverError, ErrorKind, IndexedWriteError},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Documents, documents::raw};
use crate::{
    Error,
    document::ID,
    extended_json::StoredDocument,
    mongo::{Failure, Refusal},
    patch,
};

/// Most documents one request changes or deletes.
const MAX_MATCHES: i64 = 1000;

/// What became of one document of a bulk insert.
#[derive(Debug)]
pub(crate) enum ItemStatus {
    Created(StoredDocument),
    Failed(Error),
    /// Not tried, because one before it failed and the order counts.
    Skipped,
}

/// How many documents an update reached.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Documents that match the filter.
    pub(crate) matched: u64,
    /// Documents that were written.
    pub(crate) modified: u64,
}

/// How many documents were deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// Documents that are no more.
    pub(crate) deleted: u64,
}

impl Documents<'_> {
    /// Stores new documents; when `ordered`, up to the first that fails. Tells what became of each,
    /// in the order they were given.
    #[tracing::instrument(name = "store.documents.insert_many", skip_all)]
    pub(crate) async fn insert_many(
        &self,
        bodies: Vec<Document>,
        ordered: bool,
    ) -> Result<Vec<ItemStatus>, Error> {
        self.store.ensure_ready(self.name).await?;
        let documents = bodies
            .into_iter()
            .map(|body| raw(&self.complete(body)))
            .collect::<Result<Vec<_>, _>>()?;
        let insert = async {
            match self
                .collection
                .insert_many(&documents)
                .ordered(ordered)
                .await
            {
                Ok(_) => Ok(Vec::new()),
                Err(error) => write_errors(error),
            }
        };
        let errors = self.store.bounded(insert).await?;
        Ok(statuses(documents, errors, ordered))
    }

    /// Changes some fields of every document that matches a compiled filter.
    #[tracing::instrument(name = "store.documents.update_many", skip_all)]
    pub(crate) async fn update_many(
        &self,
        filter: Document,
        body: &Document,
    ) -> Result<Changed, Error> {
        let update = patch::compile(body, self.store.now())?;
        let query = self.bounded_query(filter).await?;
        let updated = self.collection.update_many(query, update);
        let result = self.store.bounded(updated).await?;
        Ok(Changed {
            matched: result.matched_count,
            modified: result.modified_count,
        })
    }

    /// Deletes every document that matches a compiled filter.
    #[tracing::instrument(name = "store.documents.delete_many", skip_all)]
    pub(crate) async fn delete_many(&self, filter: Document) -> Result<Deleted, Error> {
        let query = self.bounded_query(filter).await?;
        let deleted = self.collection.delete_many(query);
        let deleted = self.store.bounded(deleted).await?.deleted_count;
        Ok(Deleted { deleted })
    }

    /// A query for what `filter` matches now, if that is not too much. The filter stays part of
    /// it: a document that changes in between is looked at again.
    async fn bounded_query(&self, filter: Document) -> Result<Document, Error> {
        let read = async {
            let mut found = self
                .collection
                .find(self.scope.around(filter.clone()))
                .projection(doc! { ID: 1 })
                .limit(MAX_MATCHES + 1)
                .max_time(self.store.limits.query_time)
                .await?;
            let mut ids = Vec::new();
            while found.advance().await? {
                let id = found.current().get(ID).map_err(DriverError::custom)?;
                ids.extend(id.and_then(|id| mongodb::bson::Bson::try_from(id).ok()));
            }
            Ok::<_, DriverError>(ids)
        };
        let ids = self.store.bounded(read).await?;
        if i64::try_from(ids.len()).unwrap_or(i64::MAX) > MAX_MATCHES {
            return Err(Error::TooManyMatches(MAX_MATCHES));
        }
        let query = doc! { "$and": [{ ID: { "$in": ids } }, filter] };
        Ok(self.scope.around(query))
    }
}

/// The documents that were refused one by one; an error when the whole did not go through.
fn write_errors(error: DriverError) -> Result<Vec<IndexedWriteError>, Error> {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(failed) => {
            match (&failed.write_errors, &failed.write_concern_error) {
                (Some(errors), None) => Ok(errors.clone()),
                // Whether these are kept is not known.
                _ => Err(Failure::Unavailable(error).into()),
            }
        }
        _ => Err(error.into()),
    }
}

fn statuses(
    documents: Vec<RawDocumentBuf>,
    errors: Vec<IndexedWriteError>,
    ordered: bool,
) -> Vec<ItemStatus> {
    let mut errors: HashMap<usize, IndexedWriteError> = errors
        .into_iter()
        .map(|error| (error.index, error))
        .collect();
    let mut has_failed = false;
    let status = |(index, document): (usize, RawDocumentBuf)| match errors.remove(&index) {
        Some(error) => {
            has_failed = true;
            ItemStatus::Failed(Error::from(Refusal {
                code: error.code,
                message: error.message,
                info: error.details,
            }))
        }
        None if has_failed && ordered => ItemStatus::Skipped,
        None => ItemStatus::Created(document.into()),
    };
    documents.into_iter().enumerate().map(status).collect()
}
