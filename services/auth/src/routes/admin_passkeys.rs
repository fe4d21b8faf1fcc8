//! `/admin/users/{user_id}/passkeys`: passkeys as admins manage them.

use axum::extract::State;
use common::extract::Json;
use http::StatusCode;
use serde_json::json;

use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::Admin,
    error::Result,
    passkey::{self, PasskeyView},
    request::{Origin, PasskeyId, UserId},
    routes::{passkeys::Enabled, user::known},
    store,
};

/// The passkeys of a user.
#[utoipa::path(
    operation_id = "admin_passkeys_list",
    get,
    path = "/admin/users/{user_id}/passkeys",
    params(("user_id" = Uuid, Path)),
    responses((status = 200, body = [PasskeyView]), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Enabled,
    _: Admin,
    UserId(user): UserId,
) -> Result<Json<Vec<PasskeyView>>> {
    let mut connection = state.store().connection().await?;
    known(&mut connection, user).await?;
    let passkeys = store::passkeys::of_user(&mut connection, user).await?;
    Ok(Json(passkeys.into_iter().map(Into::into).collect()))
}

/// Takes a passkey from a user.
#[utoipa::path(
    operation_id = "admin_passkeys_delete",
    delete,
    path = "/admin/users/{user_id}/passkeys/{passkey_id}",
    params(("user_id" = Uuid, Path), ("passkey_id" = Uuid, Path)),
    responses((status = 204), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    _: Enabled,
    admin: Admin,
    UserId(user): UserId,
    PasskeyId(id): PasskeyId,
    origin: Origin,
) -> Result<StatusCode> {
    let mut tx = state.store().begin().await?;
    known(&mut tx, user).await?;
    if !store::passkeys::delete(&mut tx, (user, id)).await? {
        return Err(passkey::not_found());
    }
    let traits = json!({ "user_id": user, "passkey_id": id });
    let (action, actor) = (Action::PasskeyDeleted, Actor::Admin(&admin.role));
    audit::record(&mut tx, action, actor, traits, (&origin, state.now())).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
