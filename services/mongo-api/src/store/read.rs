//! Lists and aggregations.

use mongodb::{
    Cursor as Results,
    bson::{Document, RawDocumentBuf, doc},
};

use super::Documents;
use crate::{
    Error,
    cursor::Cursor,
    extended_json::{ResultDocument, StoredDocument},
    fields::Fields,
    sort::Sort,
};

/// Most bytes of documents in one answer.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Most documents an aggregation returns.
const MAX_RESULTS: i64 = 1000;

/// What to list.
#[derive(Debug)]
pub(crate) struct Listing {
    /// A compiled filter.
    pub(crate) filter: Document,
    pub(crate) sort: Sort,
    pub(crate) fields: Option<Fields>,
    pub(crate) start: Start,
    pub(crate) limit: u32,
    /// Whether to count everything the filter matches.
    pub(crate) count: bool,
}

/// Where a page begins.
#[derive(Debug)]
pub(crate) enum Start {
    Offset(u64),
    After(Cursor),
}

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) documents: Vec<StoredDocument>,
    pub(crate) total: Option<u64>,
    /// Where the next page begins; none after the last.
    pub(crate) next: Option<Cursor>,
}

impl Documents<'_> {
    /// A page of the documents that match a filter.
    #[tracing::instrument(name = "store.documents.list", skip_all)]
    pub(crate) async fn list(&self, listing: Listing) -> Result<Page, Error> {
        self.store.bounded(self.page(listing)).await
    }

    /// What a compiled pipeline makes of the documents.
    #[tracing::instrument(name = "store.documents.aggregate", skip_all)]
    pub(crate) async fn aggregate(
        &self,
        stages: Vec<Document>,
    ) -> Result<Vec<ResultDocument>, Error> {
        let mut pipeline = vec![doc! { "$match": self.scope.around(Document::new()) }];
        pipeline.extend(stages);
        pipeline.push(doc! { "$limit": MAX_RESULTS });
        let run = async {
            let results = self
                .collection
                .aggregate(pipeline)
                .with_type::<RawDocumentBuf>()
                .allow_disk_use(false)
                .max_time(self.store.limits.query_time)
                .await?;
            collect(results).await
        };
        let results = self.store.bounded(run).await?;
        Ok(results.into_iter().map(Into::into).collect())
    }

    async fn page(&self, listing: Listing) -> Result<Page, Error> {
        let (seen, skip, place) = match &listing.start {
            Start::Offset(offset) => (*offset, *offset, None),
            Start::After(cursor) => match cursor.condition(&listing.sort) {
                Some(place) => (cursor.seen, 0, Some(place)),
                None => (cursor.seen, cursor.seen, None),
            },
        };
        let total = if listing.count {
            Some(self.count(listing.filter.clone()).await?)
        } else {
            None
        };
        let query = match place {
            Some(place) => doc! { "$and": [listing.filter, place] },
            None => listing.filter,
        };
        let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
        let mut find = self
            .collection
            .find(self.scope.around(query))
            .sort(listing.sort.to_document())
            .skip(skip)
            // One more than asked for shows whether there is a next page.
            .limit(i64::from(listing.limit) + 1)
            .batch_size(listing.limit + 1)
            .allow_disk_use(false)
            .max_time(self.store.limits.query_time);
        if let Some(fields) = &listing.fields {
            find = find.projection(fields.to_projection(&listing.sort));
        }
        let mut documents = collect(find.await?).await?;
        let has_more = documents.len() > limit;
        documents.truncate(limit);
        let next = documents
            .last()
            .filter(|_| has_more)
            .map(|last| Cursor::after(&listing.sort, last, seen + u64::from(listing.limit)));
        Ok(Page {
            documents: documents.into_iter().map(Into::into).collect(),
            total,
            next,
        })
    }

    async fn count(&self, filter: Document) -> Result<u64, mongodb::error::Error> {
        self.collection
            .count_documents(self.scope.around(filter))
            .max_time(self.store.limits.query_time)
            .await
    }
}

/// Reads all results, as long as they fit in an answer.
async fn collect(mut results: Results<RawDocumentBuf>) -> Result<Vec<RawDocumentBuf>, Error> {
    let mut documents = Vec::new();
    let mut bytes = 0;
    while results.advance().await? {
        let document = results.current();
        bytes += document.as_bytes().len();
        if bytes > MAX_RESPONSE_BYTES {
            return Err(Error::ResponseTooLarge);
        }
        documents.push(document.to_raw_document_buf());
    }
    Ok(documents)
}
