//! `/messages`: what became of mails.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Path, Query, Success, SuccessEnvelope},
};
use uuid::Uuid;

use super::{
    contract::{Failures, FailuresOfOne},
    params::{ListQuery, Page},
};
use crate::{
    AppState,
    sender::{Operator, Sender},
    store::{Message, MessageFilter},
};

/// Lists the caller's messages, newest first; to the operator's servers, everybody's.
#[utoipa::path(
    operation_id = "messages_list",
    get,
    path = "/messages",
    tag = "messages",
    security(("bearer" = []), ("service_token" = [])),
    params(ListQuery),
    responses(
        (status = 200, description = "A page of messages", body = SuccessEnvelope<Vec<Message>>),
        Failures,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    sender: Sender,
    Query(query): Query<ListQuery>,
) -> Result<Success<Vec<Message>>, ApiError> {
    let filter = MessageFilter {
        sender: sender.user_id(),
        status: query.status,
    };
    let page = Page::new(query.limit, query.offset);
    let (messages, total) = state
        .store
        .messages(filter, page.limit.into(), page.offset.into())
        .await?;
    Ok(Success::page(messages, page.pagination(total)))
}

/// Shows where a message is, to whoever sent it and to the operator's servers.
#[utoipa::path(
    operation_id = "messages_get",
    get,
    path = "/messages/{id}",
    tag = "messages",
    security(("bearer" = []), ("service_token" = [])),
    params(("id" = Uuid, Path, description = "What `POST /send` gave")),
    responses(
        (status = 200, description = "The message", body = SuccessEnvelope<Message>),
        FailuresOfOne,
    )
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    sender: Sender,
    Path(id): Path<Uuid>,
) -> Result<Success<Message>, ApiError> {
    let message = state.store.message(id, sender.user_id()).await?;
    Ok(Success::ok(message))
}

/// Sends a dead or unconfirmed message again, to everybody who did not get it for certain.
#[utoipa::path(
    post,
    path = "/messages/{id}/retry",
    tag = "messages",
    security(("bearer" = []), ("service_token" = [])),
    params(("id" = Uuid, Path, description = "What `POST /send` gave")),
    responses(
        (status = 200, description = "Queued again", body = SuccessEnvelope<Message>),
        FailuresOfOne,
    )
)]
pub(crate) async fn retry(
    State(state): State<AppState>,
    _: Operator,
    Path(id): Path<Uuid>,
) -> Result<Success<Message>, ApiError> {
    state.store.retry(id).await?;
    state.post.ring();
    Ok(Success::ok(state.store.message(id, None).await?))
}
