//! One document at a time.

use mongodb::{
    bson::{Document, RawDocumentBuf, doc, oid::ObjectId},
    options::ReturnDocument,
};

use super::{Documents, indexes::ID_INDEX};
use crate::{
    Error,
    access::Scope,
    document::{CREATED, ID, OWNER, UPDATED, VERSION},
    extended_json::StoredDocument,
    id::DocumentId,
    patch,
};

/// What a replacement did.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) document: StoredDocument,
    /// Whether there was no document before.
    pub(crate) is_new: bool,
}

impl Documents<'_> {
    /// Stores a new document.
    #[tracing::instrument(name = "store.documents.insert", skip_all)]
    pub(crate) async fn insert(&self, body: Document) -> Result<StoredDocument, Error> {
        self.store.ensure_ready(self.name).await?;
        let document = raw(&self.complete(body))?;
        self.store
            .bounded(self.collection.insert_one(&document))
            .await?;
        Ok(document.into())
    }

    /// One document.
    #[tracing::instrument(name = "store.documents.get", skip_all)]
    pub(crate) async fn get(&self, id: DocumentId) -> Result<StoredDocument, Error> {
        let found = self
            .collection
            .find_one(self.one(id, None))
            .max_time(self.store.limits.query_time);
        let found = self.store.bounded(found).await?;
        found.map(Into::into).ok_or(Error::DocumentNotFound)
    }

    /// Changes some fields of a document, of the given version if one is given.
    #[tracing::instrument(name = "store.documents.patch", skip_all)]
    pub(crate) async fn patch(
        &self,
        id: DocumentId,
        body: &Document,
        version: Option<i64>,
    ) -> Result<StoredDocument, Error> {
        let update = patch::compile(body, self.store.now())?;
        let updated = self
            .collection
            .find_one_and_update(self.one(id, version), update)
            .return_document(ReturnDocument::After)
            .max_time(self.store.limits.query_time);
        match self.store.bounded(updated).await? {
            Some(document) => Ok(document.into()),
            None => Err(self.why_not(id, version).await?),
        }
    }

    /// Replaces everything in a document that is not ours. A UUID that is not taken yet makes a
    /// new document, unless a version was expected.
    #[tracing::instrument(name = "store.documents.replace", skip_all)]
    pub(crate) async fn replace(
        &self,
        id: DocumentId,
        body: Document,
        version: Option<i64>,
    ) -> Result<Replaced, Error> {
        let may_create = version.is_none() && matches!(id, DocumentId::Uuid(_));
        if may_create {
            self.store.ensure_ready(self.name).await?;
        }
        let update = self.replacement(id, body);
        let replaced = match self.try_replace(id, version, &update, may_create).await {
            // The id was taken between the look and the write, or belongs to somebody else.
            Err(Error::DuplicateKey(index)) if may_create && index == ID_INDEX => {
                self.try_replace(id, version, &update, false).await?
            }
            result => result?,
        };
        match replaced {
            Some(document) => {
                let document = StoredDocument::from(document);
                Ok(Replaced {
                    is_new: document.version() == Some(1),
                    document,
                })
            }
            None => Err(self.why_not(id, version).await?),
        }
    }

    /// Removes a document, of the given version if one is given.
    #[tracing::instrument(name = "store.documents.delete", skip_all)]
    pub(crate) async fn delete(&self, id: DocumentId, version: Option<i64>) -> Result<(), Error> {
        let deleted = self.collection.delete_one(self.one(id, version));
        match self.store.bounded(deleted).await?.deleted_count {
            0 => Err(self.why_not(id, version).await?),
            _ => Ok(()),
        }
    }

    /// A client's document with the fields that are ours.
    pub(super) fn complete(&self, body: Document) -> Document {
        let now = self.store.now();
        let mut document = doc! { ID: ObjectId::new(), OWNER: self.owner.clone() };
        document.extend(body);
        document.extend(doc! { CREATED: now, UPDATED: now, VERSION: 1_i64 });
        document
    }

    /// The query for one document, within the scope.
    fn one(&self, id: DocumentId, version: Option<i64>) -> Document {
        let mut query = match self.scope {
            Scope::Everything => Document::new(),
            Scope::Owner(owner) => doc! { OWNER: owner.to_string() },
        };
        query.insert(ID, id);
        if let Some(version) = version {
            query.insert(VERSION, version);
        }
        query
    }

    /// An update that keeps what is ours and takes everything else from `body`.
    fn replacement(&self, id: DocumentId, body: Document) -> Vec<Document> {
        let now = self.store.now();
        let owner = doc! { "$ifNull": [format!("${OWNER}"), self.owner.clone()] };
        let created = doc! { "$ifNull": [format!("${CREATED}"), now] };
        let version = doc! { "$add": [{ "$ifNull": [format!("${VERSION}"), 0_i64] }, 1_i64] };
        vec![doc! { "$replaceWith": { "$mergeObjects": [
            { ID: { "$literal": id }, OWNER: owner },
            { "$literal": body },
            { CREATED: created, UPDATED: now, VERSION: version },
        ] } }]
    }

    async fn try_replace(
        &self,
        id: DocumentId,
        version: Option<i64>,
        update: &[Document],
        may_create: bool,
    ) -> Result<Option<RawDocumentBuf>, Error> {
        let replaced = self
            .collection
            .find_one_and_update(self.one(id, version), update.to_vec())
            .upsert(may_create)
            .return_document(ReturnDocument::After)
            .max_time(self.store.limits.query_time);
        self.store.bounded(replaced).await
    }

    /// Why nothing matched: the document is not there (for this caller), or has another version.
    async fn why_not(&self, id: DocumentId, version: Option<i64>) -> Result<Error, Error> {
        if version.is_none() {
            return Ok(Error::DocumentNotFound);
        }
        let found = self
            .collection
            .find_one(self.one(id, None))
            .projection(doc! { ID: 1 })
            .max_time(self.store.limits.query_time);
        Ok(match self.store.bounded(found).await? {
            Some(_) => Error::VersionMismatch,
            None => Error::DocumentNotFound,
        })
    }
}

/// A document as it is sent, made once for the database and the answer.
pub(super) fn raw(document: &Document) -> Result<RawDocumentBuf, Error> {
    RawDocumentBuf::from_document(document).map_err(|_| Error::DocumentTooLarge)
}
