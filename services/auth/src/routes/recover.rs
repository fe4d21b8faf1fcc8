//! `POST /recover`: a way in for who lost their password.
//!
//! The answers do not tell whether an address is known.

use axum::extract::State;
use common::extract::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    AppState,
    accounts::Contact,
    address,
    audit::{self, Action, Actor},
    captcha::MetaSecurity,
    error::{Error, Result},
    frequency,
    limits::Limit,
    mails::{self, Purpose},
    messages::Message,
    pkce::ChallengeInput,
    routes::passwordless::{back, begin_flow},
    store,
    stranger::{Stranger, Wish},
};

/// Somebody who lost their password.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RecoveryRequest {
    email: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
    gotrue_meta_security: MetaSecurity,
}

impl Wish for RecoveryRequest {
    const LIMIT: Limit = Limit::Recover;

    fn security(&self) -> &MetaSecurity {
        &self.gotrue_meta_security
    }
}

/// Sends a link that lets a user in to choose a new password.
#[utoipa::path(
    post,
    path = "/recover",
    request_body = RecoveryRequest,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn recover(
    State(state): State<AppState>,
    Stranger {
        origin,
        redirect_to,
        wish: input,
    }: Stranger<RecoveryRequest>,
) -> Result<Json<Value>> {
    let now = state.now();
    if input.email.is_empty() {
        return Err(Error::invalid("Password recovery requires an email"));
    }
    let contact = Contact::Email(address::email(&input.email)?);
    let challenge = input.challenge.parse()?;
    let back = back(redirect_to, challenge.as_ref());
    frequency::check_repeat(&state, Limit::Recover, &contact)?;
    let mut tx = state.store().begin().await?;
    let user = contact.lock(&mut tx, state.audience(&origin)).await?;
    let reachable = |user: &_| !is_too_soon(&state, &contact, user);
    let Some(mut user) = user.filter(reachable) else {
        return Ok(Json(json!({})));
    };
    frequency::count(&state, &contact)?;
    let action = Action::UserRecoveryRequested;
    let actor = Actor::User(&user);
    audit::record(&mut tx, action, actor, Value::Null, (&origin, now)).await?;
    let purpose = Purpose::Recovery;
    let mail = mails::recovery(&state, &mut tx, &mut user, purpose, &back).await?;
    begin_flow(&state, &mut tx, &user, challenge.as_ref(), "recovery").await?;
    store::users::save(&mut tx, &user, now).await?;
    tx.commit().await?;
    Message::Mails(vec![mail]).post(&state, &origin);
    Ok(Json(json!({})))
}

fn is_too_soon(state: &AppState, contact: &Contact, user: &crate::user::User) -> bool {
    frequency::is_too_soon(state, contact, user.recovery_sent_at)
}
