//! Which rows of a result are wanted.

use http::{HeaderMap, Method, header::RANGE};

use super::{
    Incoming,
    query::{At, Bound},
};
use crate::error::{Error, RangeError};

/// A stretch of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Rows to skip.
    pub offset: u64,
    /// The most rows to give.
    pub limit: Option<u64>,
}

impl Range {
    /// Whether all rows are wanted.
    pub fn is_all(self) -> bool {
        self == Self::default()
    }

    /// The same stretch, but no longer than `most`.
    #[must_use]
    pub fn at_most(self, most: Option<u64>) -> Self {
        let limit = match (self.limit, most) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        };
        Self { limit, ..self }
    }

    /// The rows that lie in both stretches; none when there are no such rows.
    fn intersection(self, other: Self) -> Option<Self> {
        let offset = self.offset.max(other.offset);
        let end = [self.end(), other.end()].into_iter().flatten().min();
        let limit = match end {
            Some(end) if end <= offset => return None,
            Some(end) => Some(end - offset),
            None => None,
        };
        Some(Self { offset, limit })
    }

    /// The first row behind it.
    fn end(self) -> Option<u64> {
        Some(self.offset.saturating_add(self.limit?))
    }
}

/// Stretches of the addressed and of the embedded resources, each once: what `limit=` and `offset=`
/// say together, the last of either winning.
pub(super) fn collect(bounds: &[At<Bound>]) -> Result<Vec<At<Range>>, Error> {
    let mut ranges: Vec<At<Range>> = Vec::new();
    for bound in bounds {
        let position = ranges.iter().position(|range| range.path == bound.path);
        let position = position.unwrap_or_else(|| {
            ranges.push(At {
                path: bound.path.clone(),
                item: Range::default(),
            });
            ranges.len() - 1
        });
        if let Some(range) = ranges.get_mut(position) {
            match bound.item {
                Bound::Limit(limit) => range.item.limit = Some(not_negative(limit)?),
                Bound::Offset(offset) => range.item.offset = u64::try_from(offset).unwrap_or(0),
            }
        }
    }
    Ok(ranges)
}

fn not_negative(limit: i64) -> Result<u64, Error> {
    u64::try_from(limit).map_err(|_| Error::Range(RangeError::NegativeLimit))
}

/// The stretch of rows wanted at the top level: what the query string and a `Range` header say
/// together. Only GET heeds the header.
pub(super) fn top_level(asked: Range, incoming: &Incoming<'_>) -> Result<Range, Error> {
    let header = if *incoming.method == Method::GET {
        from_header(incoming.headers)?
    } else {
        Range::default()
    };
    let range = match asked.limit {
        Some(0) => asked,
        _ => header
            .intersection(asked)
            .ok_or(Error::Range(RangeError::NegativeLimit))?,
    };
    if *incoming.method == Method::PUT && !range.is_all() {
        return Err(Error::PutRange);
    }
    Ok(range)
}

/// `Range: 0-9` or `Range: 10-`; anything else asks for all.
fn from_header(headers: &HeaderMap) -> Result<Range, Error> {
    let bounds = headers
        .get(RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once('-'));
    let Some((first, last)) = bounds else {
        return Ok(Range::default());
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if first.is_empty() || !all_digits(first) || !all_digits(last) {
        return Ok(Range::default());
    }
    // A number too large to hold lies beyond every row.
    let offset: u64 = first.parse().unwrap_or(u64::MAX);
    let limit = if last.is_empty() {
        None
    } else {
        let last: u64 = last.parse().unwrap_or(u64::MAX);
        let length = last
            .checked_sub(offset)
            .ok_or(Error::Range(RangeError::LowerAboveUpper))?;
        // A stretch longer than PostgreSQL can count is as good as one without an end.
        length
            .checked_add(1)
            .filter(|length| i64::try_from(*length).is_ok())
    };
    Ok(Range { offset, limit })
}
