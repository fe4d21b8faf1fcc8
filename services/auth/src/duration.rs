//! Durations as Go writes them (`1h30m`, `300s`), which is how GoTrue's settings and bans are given.

use std::str::FromStr;

use serde::Deserialize;
use time::Duration;

/// A duration read from Go's notation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct GoDuration(pub Duration);

/// The text is not a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration {0:?}; write it like 1h30m or 45s")]
pub struct NotADuration(String);

impl FromStr for GoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        parse(text).ok_or_else(|| NotADuration(text.to_owned()))
    }
}

impl TryFrom<String> for GoDuration {
    type Error = NotADuration;

    fn try_from(text: String) -> Result<Self, NotADuration> {
        text.parse()
    }
}

fn parse(text: &str) -> Option<GoDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(GoDuration(Duration::ZERO));
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(letters)?;
        let seconds = number.parse::<f64>().ok()? * seconds_in(unit)?;
        let part = Duration::checked_seconds_f64(seconds)?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(GoDuration(if negative { -total } else { total }))
}

fn seconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_notation_is_read() {
        for (text, seconds) in [
            ("1h30m", 5400),
            ("45s", 45),
            ("-2m", -120),
            ("0", 0),
            ("1.5h", 5400),
        ] {
            assert_eq!(
                text.parse(),
                Ok(GoDuration(Duration::seconds(seconds))),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "12", "1d", "h", "1h-3m", "999999999999999999999h", ".s"] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }
}
