//! `/send`: a mail is accepted.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Json, Success, SuccessEnvelope},
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::contract::FailuresOfOne;
use crate::{AppState, request::SendMail, sender::Sender};

/// A mail that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Give it to `GET /messages/{id}`.
    id: Uuid,
}

/// Accepts a mail: it is stored, and will be sent.
#[utoipa::path(
    post,
    path = "/send",
    tag = "messages",
    security(("bearer" = []), ("service_token" = [])),
    request_body = SendMail,
    responses(
        (status = 202, description = "Stored, to be sent", body = SuccessEnvelope<Accepted>),
        FailuresOfOne,
    )
)]
pub(crate) async fn send(
    State(state): State<AppState>,
    sender: Sender,
    Json(request): Json<SendMail>,
) -> Result<Success<Accepted>, ApiError> {
    let id = state.post.accept(&sender, request).await?;
    Ok(Success::with_status(StatusCode::ACCEPTED, Accepted { id }))
}
