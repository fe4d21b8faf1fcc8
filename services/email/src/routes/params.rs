//! What paths and queries say.

use common::extract::Pagination;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    store::MessageStatus,
    template::{Locale, TemplateName},
};

/// Most items on a page.
const MAX_LIMIT: u32 = 100;

/// Items on a page unless the caller says otherwise.
const DEFAULT_LIMIT: u32 = 20;

/// Most items that can be skipped.
const MAX_OFFSET: u32 = 10_000;

/// Which part of a list to show.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Items on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: Option<u32>,
    /// Items to skip.
    #[param(minimum = 0, maximum = 10_000)]
    pub(crate) offset: Option<u32>,
}

/// Which messages to list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those that are there.
    #[param(inline)]
    pub(crate) status: Option<MessageStatus>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub(crate) limit: Option<u32>,
    /// Items to skip.
    #[param(minimum = 0, maximum = 10_000)]
    pub(crate) offset: Option<u32>,
}

/// Whose mails to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InboxQuery {
    /// Only those to this address.
    pub(crate) to: Option<String>,
}

/// A path that names a template in one language.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OneTemplate {
    /// Lower-case letters, digits, `-` and `_`, a letter first.
    #[param(value_type = String, pattern = "^[a-z][a-z0-9_-]{0,63}$")]
    pub(crate) name: TemplateName,
    /// A language tag such as `en-GB`, or `default`.
    #[param(value_type = String, example = "en-GB")]
    pub(crate) locale: Locale,
}

/// A part of a list, within bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

impl Page {
    /// The asked-for part, cut to what is allowed.
    pub(crate) fn new(limit: Option<u32>, offset: Option<u32>) -> Self {
        Self {
            limit: limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
            offset: offset.unwrap_or(0).min(MAX_OFFSET),
        }
    }

    /// Where the page lies in a list of `total` items.
    pub(crate) fn pagination(self, total: i64) -> Pagination {
        Pagination {
            limit: self.limit.into(),
            offset: Some(self.offset.into()),
            total: u64::try_from(total).ok(),
            next_cursor: None,
        }
    }
}
