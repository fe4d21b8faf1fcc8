//! What the claims of a token promise, and whether that holds.

use serde_json::{Map, Value};

use crate::error::JwtError;

/// How far the clocks of issuers may be off.
const ALLOWED_SKEW_SECONDS: i64 = 30;

/// Checks when and for whom a token is good.
pub(super) fn check(
    claims: &Map<String, Value>,
    now: i64,
    audience: Option<&str>,
) -> Result<(), JwtError> {
    let latest = now.saturating_add(ALLOWED_SKEW_SECONDS);
    if has_expired(seconds(claims, "exp")?, now) {
        return Err(JwtError::Expired);
    }
    if seconds(claims, "nbf")?.is_some_and(|start| latest < start) {
        return Err(JwtError::NotYetValid);
    }
    if seconds(claims, "iat")?.is_some_and(|issued| latest < issued) {
        return Err(JwtError::IssuedInFuture);
    }
    check_audience(claims.get("aud"), audience)
}

/// Whether a token that ends then is over.
pub(super) fn has_expired(expires: Option<i64>, now: i64) -> bool {
    expires.is_some_and(|end| now.saturating_sub(ALLOWED_SKEW_SECONDS) > end)
}

/// A claim that is a point in time, in seconds since 1970; fractions count as the beginning of time.
pub(super) fn seconds(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<i64>, JwtError> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(Some(whole(number))),
        Some(_) => Err(JwtError::NotANumber(name)),
    }
}

/// A whole number, however it is written; zero when it is none.
fn whole(number: &serde_json::Number) -> i64 {
    let from_decimal = || number.as_f64().filter(|number| number.fract() == 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the number is whole, and one out of bounds becomes the nearest bound"
    )]
    let whole = |number| number as i64;
    number
        .as_i64()
        .or_else(|| from_decimal().map(whole))
        .unwrap_or_default()
}

fn check_audience(claim: Option<&Value>, expected: Option<&str>) -> Result<(), JwtError> {
    let fits = |text: &str| expected.is_none_or(|expected| expected == text);
    let holds = match claim {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => fits(text),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let texts = texts.ok_or(JwtError::Audience)?;
            texts.is_empty() || texts.into_iter().any(fits)
        }
        Some(_) => return Err(JwtError::Audience),
    };
    if holds {
        Ok(())
    } else {
        Err(JwtError::NotInAudience)
    }
}
