//! The `Accept` header.

use http::{HeaderMap, header::ACCEPT};

use crate::media::MediaType;

/// The media types a client accepts, best first; anything when it does not say.
pub fn parse(headers: &HeaderMap) -> Vec<MediaType> {
    let mut weighted: Vec<(u16, MediaType)> = headers
        .get_all(ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| split_unquoted(value, ','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(weigh)
        .collect();
    if weighted.is_empty() {
        return vec![MediaType::Any];
    }
    weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    weighted.into_iter().map(|(_, media)| media).collect()
}

/// One item with its quality in thousandths.
fn weigh(item: &str) -> (u16, MediaType) {
    let mut weight = 1000;
    let mut kept = String::with_capacity(item.len());
    for part in split_unquoted(item, ';') {
        let part = part.trim();
        if let Some(quality) = part.strip_prefix("q=").and_then(thousandths) {
            weight = quality;
            continue;
        }
        if !kept.is_empty() {
            kept.push(';');
        }
        kept.push_str(part);
    }
    (weight, MediaType::parse(&kept))
}

fn thousandths(quality: &str) -> Option<u16> {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let fraction: u16 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some((whole * 1000 + fraction).min(1000))
}

/// Splits at a separator that stands outside double quotes.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        if character == '"' {
            quoted = !quoted;
        }
        character == separator && !quoted
    })
}
