//! What paths, queries and headers say.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::id::{CollectionName, DocumentId};

/// A path that names a collection.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct InCollection {
    /// Letters, digits, `_` and `-`.
    #[param(value_type = String, pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    pub(crate) name: CollectionName,
}

/// A path that names a document.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OneDocument {
    /// Letters, digits, `_` and `-`.
    #[param(value_type = String, pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    pub(crate) name: CollectionName,
    /// `ObjectId` or UUID.
    #[param(value_type = String, pattern = "^([0-9a-fA-F]{24}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$")]
    pub(crate) id: DocumentId,
}

/// A path that names an index.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OneIndex {
    /// Letters, digits, `_` and `-`.
    #[param(value_type = String, pattern = "^[a-zA-Z0-9_-]{1,64}$")]
    pub(crate) name: CollectionName,
    /// Name of the index.
    pub(crate) index: String,
}

/// The version of a document that a write expects.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header, which is read by hand")]
pub(crate) struct ExpectedVersion {
    /// Version to write, such as `"3"`; `*` or nothing for any.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// Which documents to list, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Conditions, as JSON.
    #[param(example = r#"{"done":false,"price":{"$lt":10}}"#)]
    pub(crate) filter: Option<String>,
    /// Order: `field:asc,other:desc`. Always made total by `_id`.
    pub(crate) sort: Option<String>,
    /// Fields to return: `name,address.city`. `_id` and what is sorted by come along.
    pub(crate) fields: Option<String>,
    /// Documents on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: Option<u32>,
    /// Documents to skip; not together with `cursor`.
    #[param(minimum = 0, maximum = 10_000)]
    pub(crate) offset: Option<u64>,
    /// `next_cursor` of the page before; for lists of any length.
    pub(crate) cursor: Option<String>,
    /// Whether to count all documents the filter matches.
    #[param(inline)]
    pub(crate) count: Option<Count>,
}

/// Whether to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Count {
    /// `meta.pagination.total` is what a count gave.
    Exact,
    /// There is no total.
    None,
}

/// Which documents to change or delete.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilterQuery {
    /// Conditions, as JSON; not empty.
    #[param(required)]
    pub(crate) filter: Option<String>,
}
