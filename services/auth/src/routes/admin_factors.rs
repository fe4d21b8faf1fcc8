//! `/admin/users/{user_id}/factors`: second factors as admins manage them.

use axum::extract::State;
use common::extract::Json;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState, address,
    audit::{self, Action, Actor},
    authentication::Admin,
    error::{Error, Result, code},
    factor::{Factor, FactorView},
    request::{Body, FactorId, Origin, UserId},
    routes::user::known,
    store,
};

/// What an admin wants to change about a factor.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct FactorUpdate {
    friendly_name: String,
    phone: String,
}

/// The factors of a user.
#[utoipa::path(
    operation_id = "admin_factors_list",
    get,
    path = "/admin/users/{user_id}/factors",
    params(("user_id" = Uuid, Path)),
    responses((status = 200, body = [FactorView]), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    UserId(user): UserId,
) -> Result<Json<Vec<FactorView>>> {
    let mut connection = state.store().connection().await?;
    known(&mut connection, user).await?;
    let factors = store::factors::of_users(&mut connection, &[user]).await?;
    Ok(Json(factors.into_iter().map(Into::into).collect()))
}

/// Gives a factor another name or number.
#[utoipa::path(
    operation_id = "admin_factors_update",
    put,
    path = "/admin/users/{user_id}/factors/{factor_id}",
    params(("user_id" = Uuid, Path), ("factor_id" = Uuid, Path)),
    request_body = FactorUpdate,
    responses((status = 200, body = FactorView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    admin: Admin,
    UserId(user): UserId,
    FactorId(id): FactorId,
    origin: Origin,
    Body(input): Body<FactorUpdate>,
) -> Result<Json<FactorView>> {
    let mut tx = state.store().begin().await?;
    let mut factor = find(&mut tx, user, id).await?;
    if !input.friendly_name.is_empty() {
        factor.friendly_name = Some(input.friendly_name);
    }
    if !input.phone.is_empty() && factor.factor_type == "phone" {
        factor.phone = Some(address::phone(&input.phone)?);
    }
    factor.updated_at = state.now();
    store::factors::update(&mut tx, &factor)
        .await
        .map_err(taken)?;
    remember(
        &state,
        &mut tx,
        Action::FactorUpdated,
        &admin,
        (&factor, &origin),
    )
    .await?;
    tx.commit().await?;
    Ok(Json(factor.into()))
}

/// Takes a factor from a user, and from their sessions what it gave them.
#[utoipa::path(
    operation_id = "admin_factors_delete",
    delete,
    path = "/admin/users/{user_id}/factors/{factor_id}",
    params(("user_id" = Uuid, Path), ("factor_id" = Uuid, Path)),
    responses((status = 200, body = FactorView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    admin: Admin,
    UserId(user): UserId,
    FactorId(id): FactorId,
    origin: Origin,
) -> Result<Json<FactorView>> {
    let mut tx = state.store().begin().await?;
    let factor = find(&mut tx, user, id).await?;
    store::sessions::lower(&mut tx, id, state.now()).await?;
    store::factors::delete(&mut tx, id).await?;
    let action = Action::FactorDeleted;
    remember(&state, &mut tx, action, &admin, (&factor, &origin)).await?;
    take_lone_codes(&state, &mut tx, &admin, (user, &origin)).await?;
    tx.commit().await?;
    Ok(Json(factor.into()))
}

/// Takes recovery codes too when they are all that is left.
async fn take_lone_codes(
    state: &AppState,
    connection: &mut PgConnection,
    admin: &Admin,
    (user, origin): (Uuid, &Origin),
) -> Result<()> {
    let left = store::factors::of_users(connection, &[user]).await?;
    let is_other = |factor: &Factor| factor.is_verified() && !factor.is_recovery_codes();
    if left.iter().any(is_other) {
        return Ok(());
    }
    if let Some(codes) = left.into_iter().find(Factor::is_recovery_codes) {
        store::sessions::lower(connection, codes.id, state.now()).await?;
        store::factors::delete(connection, codes.id).await?;
        let action = Action::RecoveryCodesDeleted;
        remember(state, connection, action, admin, (&codes, origin)).await?;
    }
    Ok(())
}

async fn find(connection: &mut PgConnection, user: Uuid, id: Uuid) -> Result<Factor> {
    known(connection, user).await?;
    let factors = store::factors::of_users(connection, &[user]).await?;
    let factor = factors.into_iter().find(|factor| factor.id == id);
    factor.ok_or_else(|| Error::not_found(code::MFA_FACTOR_NOT_FOUND, "Factor not found"))
}

async fn remember(
    state: &AppState,
    connection: &mut PgConnection,
    action: Action,
    admin: &Admin,
    (factor, origin): (&Factor, &Origin),
) -> Result<()> {
    let traits = json!({
        "user_id": factor.user_id,
        "factor_id": factor.id,
        "factor_type": factor.factor_type,
    });
    let actor = Actor::Admin(&admin.role);
    audit::record(connection, action, actor, traits, (origin, state.now())).await?;
    Ok(())
}

/// The refusal of a name that another factor of the user has.
fn taken(error: sqlx::Error) -> Error {
    let error = Error::from(error);
    if error.violates("mfa_factors_user_friendly_name_unique") {
        let message = "A factor with this friendly name for this user already exists";
        Error::unprocessable(code::MFA_FACTOR_NAME_CONFLICT, message)
    } else {
        error
    }
}
