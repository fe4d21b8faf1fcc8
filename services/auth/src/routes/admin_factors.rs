//! `/admin/users/{user_id}/factors`: second factors as admins manage them.

use axum::extract::State;
use common::extract::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState, address,
    audit::{self, Action, Actor},
    authentication::Admin,
    error::Result,
    factor::{FactorView, Kind},
    request::{Body, FactorId, Origin, UserId},
    routes::{factors::own, user::known},
    store,
    user::User,
};

/// What an admin changes about a factor.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct FactorUpdate {
    friendly_name: String,
    phone: String,
}

/// Factors of a user.
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
    UserId(id): UserId,
) -> Result<Json<Vec<FactorView>>> {
    let mut connection = state.store().connection().await?;
    let user = known(&mut connection, id).await?;
    let factors = store::factors::of_users(&mut connection, &[user.id]).await?;
    Ok(Json(factors.into_iter().map(FactorView::from).collect()))
}

/// Renames a factor, or gives it another number.
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
    UserId(user_id): UserId,
    FactorId(id): FactorId,
    origin: Origin,
    Body(input): Body<FactorUpdate>,
) -> Result<Json<FactorView>> {
    let mut tx = state.store().begin().await?;
    let user = known(&mut tx, user_id).await?;
    let factor = own(&mut tx, &user, id).await?;
    let name = Some(input.friendly_name).filter(|name| !name.is_empty());
    let phone = match factor.kind() {
        Some(Kind::Phone) if !input.phone.is_empty() => Some(address::phone(&input.phone)?),
        _ => None,
    };
    let named = (name.as_deref(), phone.as_deref());
    store::factors::update(&mut tx, id, named, state.now()).await?;
    let event = (&state, &origin);
    remember(&mut tx, Action::FactorUpdated, &admin, (&user, id), event).await?;
    let factor = own(&mut tx, &user, id).await?;
    tx.commit().await?;
    Ok(Json(factor.into()))
}

/// Takes a factor from a user, for instance because it was lost.
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
    UserId(user_id): UserId,
    FactorId(id): FactorId,
    origin: Origin,
) -> Result<Json<FactorView>> {
    let mut tx = state.store().begin().await?;
    let user = known(&mut tx, user_id).await?;
    let factor = own(&mut tx, &user, id).await?;
    store::sessions::lower(&mut tx, id, state.now()).await?;
    store::factors::delete(&mut tx, id).await?;
    let event = (&state, &origin);
    remember(&mut tx, Action::FactorDeleted, &admin, (&user, id), event).await?;
    tx.commit().await?;
    Ok(Json(factor.into()))
}

async fn remember(
    connection: &mut PgConnection,
    action: Action,
    admin: &Admin,
    (user, factor): (&User, Uuid),
    (state, origin): (&AppState, &Origin),
) -> Result<()> {
    let traits: Value = json!({ "user_id": user.id, "factor_id": factor });
    let actor = Actor::Admin(&admin.role);
    audit::record(connection, action, actor, traits, (origin, state.now())).await?;
    Ok(())
}
