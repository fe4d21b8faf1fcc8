//! `/user/identities`: more ways for a user to sign in, and fewer.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    AppState, accounts,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    identity::Identity,
    landing::redirect,
    redirect::ReturnTo,
    request::{IdentityId, Origin, Params},
    routes::{authorize::begin, user::taken},
    store,
    user::User,
};

/// Begins to link an identity at a provider.
#[utoipa::path(
    operation_id = "identities_authorize",
    get,
    path = "/user/identities/authorize",
    params(
        ("provider" = String, Query),
        ("redirect_to" = Option<String>, Query),
        ("scopes" = Option<String>, Query),
        ("code_challenge" = Option<String>, Query),
        ("code_challenge_method" = Option<String>, Query),
        ("skip_http_redirect" = Option<bool>, Query, description = "answers the URL instead"),
    ),
    responses(
        (status = 200, body = Object),
        (status = 302),
        (status = "4XX", body = crate::wire::RefusalV2),
    ),
    security(("access_token" = []))
)]
pub async fn authorize(
    State(state): State<AppState>,
    SignedIn { user, .. }: SignedIn,
    ReturnTo(redirect_to): ReturnTo,
    params: Params,
) -> Result<Response> {
    check_enabled(&state)?;
    let url = begin(&state, &params, &redirect_to, Some(user.id)).await?;
    if params.get("skip_http_redirect") == Some("true") {
        return Ok(Json(json!({ "url": url.as_str() })).into_response());
    }
    Ok(redirect(StatusCode::FOUND, url.into()))
}

/// Takes an identity from its user.
#[utoipa::path(
    operation_id = "identities_unlink",
    delete,
    path = "/user/identities/{identity_id}",
    params(("identity_id" = Uuid, Path)),
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn unlink(
    State(state): State<AppState>,
    SignedIn { user, .. }: SignedIn,
    IdentityId(id): IdentityId,
    origin: Origin,
) -> Result<Json<Value>> {
    check_enabled(&state)?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let user = store::users::lock(&mut tx, user.id).await?;
    let mut user = user.ok_or_else(|| anyhow::anyhow!("the user is gone"))?;
    let identities = store::identities::of_users(&mut tx, &[user.id]).await?;
    if identities.len() <= 1 {
        let message = "User must have at least 1 identity after unlinking";
        return Err(Error::unprocessable(
            code::SINGLE_IDENTITY_NOT_DELETABLE,
            message,
        ));
    }
    let (gone, left): (Vec<_>, Vec<_>) = identities.into_iter().partition(|known| known.id == id);
    let gone = gone
        .first()
        .ok_or_else(|| Error::unprocessable(code::IDENTITY_NOT_FOUND, "Identity doesn't exist"))?;
    let traits = json!({
        "identity_id": gone.id, "provider": gone.provider, "provider_id": gone.provider_id,
    });
    let event = (&origin, now);
    audit::record(
        &mut tx,
        Action::IdentityUnlinked,
        Actor::User(&user),
        traits,
        event,
    )
    .await?;
    store::identities::delete(&mut tx, id).await?;
    if gone.provider == "phone" {
        user.phone = None;
        user.phone_confirmed_at = None;
    } else {
        keep_address(&mut tx, &mut user, &left).await?;
    }
    accounts::refresh_providers(&mut tx, &mut user).await?;
    store::users::save(&mut tx, &user, now)
        .await
        .map_err(taken)?;
    tx.commit().await?;
    Ok(Json(json!({})))
}

/// Fails where users may not link identities themselves.
pub fn check_enabled(state: &AppState) -> Result<()> {
    if state.config().external.manual_linking {
        return Ok(());
    }
    let message = "Manual linking is disabled";
    Err(Error::not_found(code::MANUAL_LINKING_DISABLED, message))
}

/// The address of a user is one that an identity they keep has shown to be theirs; otherwise it would
/// count as confirmed without anybody having confirmed it.
async fn keep_address(
    connection: &mut PgConnection,
    user: &mut User,
    left: &[Identity],
) -> Result<()> {
    let address = |identity: &Identity| {
        let shown = identity.provider == "email"
            || identity.identity_data.get("email_verified") == Some(&json!(true));
        identity.email.clone().filter(|_| shown)
    };
    let mut addresses = left.iter().filter_map(address);
    if user.email().is_empty() {
        return Ok(());
    }
    let first = addresses.next();
    if first.as_deref() == Some(user.email()) || addresses.any(|email| email == user.email()) {
        return Ok(());
    }
    let conflict = || {
        Error::unprocessable(
            code::EMAIL_CONFLICT_IDENTITY_NOT_DELETABLE,
            "Unable to unlink identity due to email conflict",
        )
    };
    let email = first.ok_or_else(conflict)?;
    let holder = store::users::by_email(connection, &email, user.audience()).await?;
    if holder.is_some_and(|holder| holder.id != user.id) {
        return Err(conflict());
    }
    user.email = Some(email);
    Ok(())
}
