//! `/passkeys/authentication`: a sign-in with nothing but a passkey.

use axum::extract::State;
use common::extract::Json;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Answer, Enabled, PasskeyRequest, refused};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::ByAdmin,
    captcha::MetaSecurity,
    error::{Error, Result, code},
    grant::{self, Granted, Tokens},
    issuance::{Issuance, issue},
    limits::Limit,
    request::{Body, OptionalBody, Origin},
    store::{self, webauthn_challenges::Ceremony},
    user::User,
    webauthn::{self, Asked, Credential, Purpose, Rejection},
};

/// What somebody who wants to sign in says beside it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuthenticationRequest {
    gotrue_meta_security: MetaSecurity,
}

/// What a browser is to be asked for a passkey; it knows which ones there are.
#[utoipa::path(
    operation_id = "passkeys_authentication_options",
    post,
    path = "/passkeys/authentication/options",
    request_body = AuthenticationRequest,
    responses((status = 200, body = PasskeyRequest), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn options(
    State(state): State<AppState>,
    _: Enabled,
    origin: Origin,
    ByAdmin(by_admin): ByAdmin,
    OptionalBody(input): OptionalBody<AuthenticationRequest>,
) -> Result<Json<PasskeyRequest>> {
    let limits = state.limits();
    limits.check(Limit::Passkey, origin.ip, state.now())?;
    let security = &input.gotrue_meta_security;
    state.captcha().check(security, &origin, by_admin).await?;
    let challenge = webauthn::new_challenge();
    let asked = Asked {
        challenge: &challenge,
        purpose: Purpose::Passkey,
    };
    let options = state.config().webauthn.request_options(asked, None);
    PasskeyRequest::store(&state, Ceremony::Authentication, (&challenge, options)).await
}

/// Signs in whoever the passkey is of.
#[utoipa::path(
    operation_id = "passkeys_authentication_verify",
    post,
    path = "/passkeys/authentication/verify",
    request_body = Answer,
    responses((status = 200, body = Tokens), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn verify(
    State(state): State<AppState>,
    _: Enabled,
    origin: Origin,
    Body(answer): Body<Answer>,
) -> Result<Granted> {
    let now = state.now();
    state.limits().check(Limit::Passkey, origin.ip, now)?;
    let challenge = answer
        .take_challenge(&state, Ceremony::Authentication)
        .await?;
    let asked = Asked {
        challenge: challenge.text(),
        purpose: Purpose::Passkey,
    };
    issue(&state, |issuance| {
        sign_in(issuance, asked, &answer, &origin)
    })
    .await
}

/// Takes the answer for good, in one transaction.
async fn sign_in(
    issuance: Issuance<'_>,
    asked: Asked<'_>,
    answer: &Answer,
    origin: &Origin,
) -> Result<Granted> {
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    let (user, passkey, after) = prove(state, &mut tx, asked, answer).await?;
    check_may_sign_in(state, &user)?;
    store::passkeys::used(&mut tx, passkey, &after, now).await?;
    let traits = json!({ "passkey_id": passkey });
    let event = (origin, now);
    audit::record(&mut tx, Action::Login, Actor::User(&user), traits, event).await?;
    let granted = grant::begin(&issuance, &mut tx, &user, "passkey", origin).await?;
    tx.commit().await?;
    Ok(granted)
}

/// The user whose passkey gave the answer, which one, and the credential as it is after its use.
async fn prove(
    state: &AppState,
    connection: &mut PgConnection,
    asked: Asked<'_>,
    answer: &Answer,
) -> Result<(User, Uuid, Credential)> {
    let answer = &answer.credential;
    let (credential, user) = webauthn::claimed(answer).map_err(refused)?;
    let unknown = || refused(Rejection::Refused("the passkey is not known"));
    // Locks go from users to what they have.
    let user = store::users::lock(connection, user).await?;
    let user = user.ok_or_else(unknown)?;
    let passkey = store::passkeys::lock(connection, &credential).await?;
    let passkey = passkey.filter(|passkey| passkey.user_id == user.id);
    let passkey = passkey.ok_or_else(unknown)?;
    let id = passkey.id;
    let known = passkey.credential();
    let party = &state.config().webauthn;
    let after = party.authenticate(asked, (user.id, &known), answer);
    Ok((user, id, after.map_err(refused)?))
}

fn check_may_sign_in(state: &AppState, user: &User) -> Result<()> {
    let (code, message) = if !user.email().is_empty() && user.email_confirmed_at.is_none() {
        (code::EMAIL_NOT_CONFIRMED, "Email not confirmed")
    } else if !user.phone().is_empty() && user.phone_confirmed_at.is_none() {
        (code::PHONE_NOT_CONFIRMED, "Phone not confirmed")
    } else if user.is_banned(state.now()) {
        (code::USER_BANNED, "User is banned")
    } else {
        return Ok(());
    };
    Err(Error::forbidden(code, message))
}
