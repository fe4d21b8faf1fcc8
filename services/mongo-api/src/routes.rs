//! HTTP: decode, call, encode.

mod admin;
mod aggregate;
mod contract;
mod document;
mod documents;
mod indexes;
mod many;
mod params;
mod validator;

use axum::{Router, extract::DefaultBodyLimit};
use common::error::{method_not_allowed, route_not_found};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

pub(crate) use contract::contract;

/// All routes, each described where it is handled.
fn documented() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            documents::create,
            documents::list,
            many::update,
            many::delete
        ))
        .routes(routes!(many::insert))
        .routes(routes!(
            document::get,
            document::patch,
            document::replace,
            document::delete
        ))
        .routes(routes!(aggregate::run))
        .routes(routes!(admin::list, admin::create))
        .routes(routes!(admin::get, admin::update, admin::delete))
        .routes(routes!(validator::get, validator::put, validator::delete))
        .routes(routes!(indexes::list, indexes::create))
        .routes(routes!(indexes::delete))
}

/// All routes, with bodies of at most `body_bytes`.
pub(crate) fn router(body_bytes: usize) -> Router<AppState> {
    let (router, _) = documented().split_for_parts();
    router
        .layer(DefaultBodyLimit::max(body_bytes))
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
}
