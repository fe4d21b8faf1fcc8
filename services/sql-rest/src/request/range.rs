//! Which rows of a result are wanted.

use http::{Method, header::RANGE};

use super::{Incoming, Query};
use crate::error::{Error, RangeError};

/// A stretch of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Rows to skip.
    pub offset: u64,
    /// The most rows to give.
    pub limit: Option<u64>,
}

/// The stretch of rows wanted at the top level.
pub(super) fn top_level(query: &mut Query, incoming: &Incoming<'_>) -> Result<Range, Error> {
    if *incoming.method == Method::GET
        && incoming.headers.contains_key(RANGE)
        && query.ranges.is_empty()
    {
        return Err(Error::Range(RangeError::NegativeLimit));
    }
    Ok(Range::default())
}
