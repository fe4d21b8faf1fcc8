//! `GET /oauth/userinfo`: what an application may know about a user (OpenID Connect Core, 5.3).

use axum::extract::State;
use common::extract::Json;
use serde_json::Value;

use super::Enabled;
use crate::{
    AppState,
    authentication::Represented,
    oauth_server::{claims, scope::Scopes},
};

/// The user of an access token, as far as its scopes go.
#[utoipa::path(
    operation_id = "oauth_userinfo",
    get,
    path = "/oauth/userinfo",
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn userinfo(
    State(_): State<AppState>,
    _: Enabled,
    Represented(caller): Represented,
) -> Json<Value> {
    let scopes = caller.session.and_then(|session| session.scopes);
    let scopes = Scopes::stored(&scopes.unwrap_or_default());
    Json(Value::Object(claims::about(&caller.user, &scopes)))
}
