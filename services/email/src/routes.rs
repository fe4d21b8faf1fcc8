//! HTTP: decode, call, encode.

mod contract;
mod inbox;
mod messages;
mod params;
mod send;
mod templates;

use axum::{Router, extract::DefaultBodyLimit};
use common::error::{method_not_allowed, route_not_found};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

pub(crate) use contract::contract;

/// Largest request, in bytes: text and attachments of a mail.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// The routes of every installation, each described where it is handled.
fn documented() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(send::send))
        .routes(routes!(messages::list))
        .routes(routes!(messages::get))
        .routes(routes!(messages::retry))
        .routes(routes!(templates::list))
        .routes(routes!(templates::get, templates::put, templates::delete))
        .routes(routes!(templates::preview))
}

/// The routes of the development inbox.
fn documented_inbox() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(inbox::page, inbox::clear))
        .routes(routes!(inbox::list))
}

/// All routes; those of the inbox only where there is one.
pub(crate) fn router(has_inbox: bool) -> Router<AppState> {
    let mut documented = documented();
    if has_inbox {
        documented = documented.merge(documented_inbox());
    }
    let (router, _) = documented.split_for_parts();
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
}
