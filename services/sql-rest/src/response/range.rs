//! Which rows an answer holds, out of how many.

use http::StatusCode;

use crate::error::{Error, RangeError};

/// Status and `Content-Range` of `page` rows after `offset` others, out of `total` if known.
pub(super) fn of_rows(
    offset: u64,
    page: i64,
    total: Option<i64>,
) -> Result<(StatusCode, String), Error> {
    let lower = i64::try_from(offset).unwrap_or(i64::MAX);
    let upper = lower.saturating_add(page).saturating_sub(1);
    let status = match total {
        Some(total) if lower > total => {
            return Err(Error::Range(RangeError::OutOfBounds { offset, total }));
        }
        Some(total) if page < total => StatusCode::PARTIAL_CONTENT,
        _ => StatusCode::OK,
    };
    Ok((status, text(lower, upper, total)))
}

/// The value of `Content-Range`; rows that are none are not named.
pub(super) fn text(lower: i64, upper: i64, total: Option<i64>) -> String {
    let total_text = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    if total == Some(0) || lower > upper {
        format!("*/{total_text}")
    } else {
        format!("{lower}-{upper}/{total_text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_as_clients_know_them() {
        let cases = [
            (0, 3, None, 200, "0-2/*"),
            (0, 0, None, 200, "*/*"),
            (0, 0, Some(0), 200, "*/0"),
            (0, 3, Some(3), 200, "0-2/3"),
            (1, 2, Some(5), 206, "1-2/5"),
            (5, 0, Some(5), 206, "*/5"),
        ];
        for (offset, page, total, status, text) in cases {
            let (found_status, found) = of_rows(offset, page, total).unwrap();
            assert_eq!((found_status.as_u16(), found.as_str()), (status, text));
        }
    }

    #[test]
    fn an_offset_past_the_end_is_an_error_when_the_end_is_known() {
        let error = of_rows(6, 0, Some(5)).unwrap_err();
        let expected = RangeError::OutOfBounds {
            offset: 6,
            total: 5,
        };
        assert_eq!(error, Error::Range(expected));
    }
}
