//! `POST /logout`

use axum::{extract::State, http::StatusCode};
use serde_json::Value;

use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::{Represented, SignedIn},
    error::{Error, Result},
    request::{Origin, Params},
    store,
};

/// Ends all sessions of the user, this one, or all others, as `scope` says. An OAuth client ends its
/// own alone.
#[utoipa::path(
    post,
    path = "/logout",
    params(("scope" = Option<String>, Query, description = "`global`, `local` or `others`")),
    responses((status = 204), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn log_out(
    State(state): State<AppState>,
    Represented(caller): Represented,
    origin: Origin,
    params: Params,
) -> Result<StatusCode> {
    let scope = params.get("scope").unwrap_or("global");
    if !["global", "local", "others"].contains(&scope) {
        return Err(Error::invalid(format!(
            "Unsupported logout scope {scope:?}"
        )));
    }
    if scope != "local" {
        caller.check_in_person()?;
    }
    let SignedIn { user, session, .. } = caller;
    let mut tx = state.store().begin().await?;
    let event = (&origin, state.now());
    audit::record(
        &mut tx,
        Action::Logout,
        Actor::User(&user),
        Value::Null,
        event,
    )
    .await?;
    match (scope, session) {
        ("local", Some(session)) => store::sessions::delete(&mut tx, session.id).await?,
        ("others", Some(session)) => {
            store::sessions::delete_of_user(&mut tx, user.id, Some(session.id)).await?;
        }
        _ => store::sessions::delete_of_user(&mut tx, user.id, None).await?,
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
