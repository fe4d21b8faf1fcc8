//! The outermost layers of a request: how long it may take, and the form of a refusal.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE, header::RETRY_AFTER,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use common::{
    context::RequestContext,
    error::{Problem, log},
    extract::Json,
};
use serde::Serialize;
use serde_json::json;

use crate::{AppState, error::Error, password::Weakness};

/// Version of the API a client speaks: a date.
const API_VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");

/// The code of a refusal, whatever form the body has.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-sb-error-code");

/// First version with the newer form of errors.
const CODES_AS_TEXT: &str = "2024-01-01";

/// The older form of a refusal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Refusal {
    /// HTTP status.
    code: u16,
    /// What went wrong, for programs.
    error_code: &'static str,
    /// What went wrong, for people.
    msg: String,
    /// The request's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_id: Option<String>,
    /// Present for weak passwords only.
    #[serde(skip_serializing_if = "Option::is_none")]
    weak_password: Option<WeakPassword>,
}

/// The form of a refusal since 2024-01-01.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RefusalV2 {
    /// What went wrong, for programs.
    code: &'static str,
    /// What went wrong, for people.
    message: String,
    /// Present for weak passwords only.
    #[serde(skip_serializing_if = "Option::is_none")]
    weak_password: Option<WeakPassword>,
}

/// Which requirements a password fails.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WeakPassword {
    /// `length`, `characters`, `pwned`.
    reasons: Vec<&'static str>,
}

/// Ends requests that take too long and gives refusals their form.
pub async fn finish(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let newer = speaks_newer_api(request.headers());
    let limit = state.config().max_request_duration;
    let response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Error::TimedOut.into_response(),
    };
    match response.extensions().get::<Arc<Error>>() {
        Some(error) => render(error, newer),
        None => response,
    }
}

/// What GoTrue's router answers for a path it does not know.
pub async fn not_found() -> Response {
    let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::NOT_FOUND, kind, "404 page not found\n").into_response()
}

fn render(error: &Error, newer: bool) -> Response {
    log(error);
    if let Error::OAuth { error, description } = error {
        let body = json!({ "error": error, "error_description": description });
        return (StatusCode::BAD_REQUEST, Json(body)).into_response();
    }
    if !newer && let Some(response) = raised_by_a_trigger(error) {
        return response;
    }
    let weak_password = match error {
        Error::WeakPassword(weakness) => Some(weakness.into()),
        _ => None,
    };
    let is_weak_password = weak_password.is_some();
    let message = error.public_message().into_owned();
    let mut response = if newer {
        let body = RefusalV2 {
            code: error.code(),
            message,
            weak_password,
        };
        let version = [(API_VERSION, CODES_AS_TEXT)];
        (error.status(), version, Json(body)).into_response()
    } else {
        let body = Refusal {
            code: error.status().as_u16(),
            error_code: error.code(),
            msg: message,
            error_id: RequestContext::current().map(|context| context.id().to_owned()),
            weak_password,
        };
        (error.status(), Json(body)).into_response()
    };
    let headers = response.headers_mut();
    if !(newer && is_weak_password) {
        headers.insert(ERROR_CODE, HeaderValue::from_static(error.code()));
    }
    if matches!(error, Error::Busy) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// What a trigger of the user's own on our tables says reaches the client as it was raised; a
/// SQLSTATE `PTnnn` chooses the status.
fn raised_by_a_trigger(error: &Error) -> Option<Response> {
    let Error::Database(sqlx::Error::Database(answer)) = error else {
        return None;
    };
    let sqlstate = answer.code()?;
    let chosen = sqlstate.strip_prefix("PT").and_then(|n| n.parse().ok());
    if chosen.is_none() && sqlstate != "P0001" {
        return None;
    }
    let status = chosen
        .and_then(|number: u16| StatusCode::from_u16(number).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let details = answer.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    let body = json!({
        "code": sqlstate,
        "message": details.message(),
        "hint": details.hint().unwrap_or_default(),
        "detail": details.detail().unwrap_or_default(),
    });
    Some((status, Json(body)).into_response())
}

/// Dates in this form compare as texts.
fn speaks_newer_api(headers: &HeaderMap) -> bool {
    let is_date = |text: &&str| {
        text.len() == CODES_AS_TEXT.len()
            && text
                .bytes()
                .zip(CODES_AS_TEXT.bytes())
                .all(|(byte, model)| {
                    if model == b'-' {
                        byte == b'-'
                    } else {
                        byte.is_ascii_digit()
                    }
                })
    };
    headers
        .get(API_VERSION)
        .and_then(|value| value.to_str().ok())
        .filter(is_date)
        .is_some_and(|version| version >= CODES_AS_TEXT)
}

impl From<&Weakness> for WeakPassword {
    fn from(weakness: &Weakness) -> Self {
        Self {
            reasons: weakness.reasons(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_date_asks_for_the_newer_form() {
        for (version, newer) in [
            ("2024-01-01", true),
            ("2025-06-30", true),
            ("2023-12-31", false),
            ("newest", false),
            ("9999", false),
        ] {
            let headers = HeaderMap::from_iter([(API_VERSION, HeaderValue::from_static(version))]);
            assert_eq!(speaks_newer_api(&headers), newer, "{version}");
        }
        assert!(!speaks_newer_api(&HeaderMap::new()));
    }
}
