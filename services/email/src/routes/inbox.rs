//! `/inbox`: the mails that were caught, for development.

use std::sync::LazyLock;

use axum::{
    extract::State,
    response::{Html, IntoResponse},
};
use common::{
    error::ApiError,
    extract::{Query, Success, SuccessEnvelope},
};
use http::header::CONTENT_SECURITY_POLICY;
use minijinja::{Environment, context, value::Serde};
use serde::Serialize;
use utoipa::ToSchema;

use super::{contract::Failures, params::InboxQuery};
use crate::{
    AppState, Error,
    inbox::{CaughtMail, Inbox},
    sender::Onlooker,
};

/// Nothing comes from elsewhere, and what a mail brings along is not run.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'";

static PAGE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    let added = environment.add_template("inbox.html", include_str!("inbox.html"));
    debug_assert!(added.is_ok(), "{added:?}");
    environment
});

/// What was thrown away.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cleared {
    /// Always true.
    cleared: bool,
}

/// Shows the mails that were caught.
#[utoipa::path(
    get,
    path = "/inbox",
    tag = "inbox",
    params(InboxQuery),
    responses(
        (status = 200, description = "A page to look at", body = String, content_type = "text/html"),
        Failures,
    )
)]
pub(crate) async fn page(
    State(state): State<AppState>,
    _: Onlooker,
    Query(query): Query<InboxQuery>,
) -> Result<impl IntoResponse, ApiError> {
    let mails = mails(state.inbox.as_ref(), &query)?;
    let html = PAGE
        .get_template("inbox.html")
        .and_then(|page| page.render(context! { mails => Serde(mails) }))
        .map_err(|error| Error::Assembly(error.into()))?;
    Ok(([(CONTENT_SECURITY_POLICY, POLICY)], Html(html)))
}

/// Lists the mails that were caught, newest first.
#[utoipa::path(
    operation_id = "inbox_list",
    get,
    path = "/inbox.json",
    tag = "inbox",
    params(InboxQuery),
    responses(
        (status = 200, description = "The mails", body = SuccessEnvelope<Vec<CaughtMail>>),
        Failures,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    _: Onlooker,
    Query(query): Query<InboxQuery>,
) -> Result<Success<Vec<CaughtMail>>, ApiError> {
    Ok(Success::ok(mails(state.inbox.as_ref(), &query)?))
}

/// Throws the mails that were caught away.
#[utoipa::path(
    delete,
    path = "/inbox",
    tag = "inbox",
    responses(
        (status = 200, description = "Thrown away", body = SuccessEnvelope<Cleared>),
        Failures,
    )
)]
pub(crate) async fn clear(State(state): State<AppState>, _: Onlooker) -> Success<Cleared> {
    if let Some(inbox) = &state.inbox {
        inbox.clear();
    }
    Success::ok(Cleared { cleared: true })
}

fn mails(inbox: Option<&Inbox>, query: &InboxQuery) -> Result<Vec<CaughtMail>, Error> {
    let inbox = inbox.ok_or(Error::MessageNotFound)?;
    Ok(inbox.mails(query.to.as_deref()))
}
