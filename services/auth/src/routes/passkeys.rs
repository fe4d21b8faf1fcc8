//! `/passkeys`: a user's passkeys, and what making and using them share.

pub mod authentication;
pub mod registration;

use axum::extract::{FromRequestParts, State};
use common::extract::Json;
use http::{StatusCode, request::Parts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    factor::Factor,
    passkey::{self, PasskeyView},
    request::{Body, Origin, PasskeyId},
    session::Session,
    store::{
        self,
        webauthn_challenges::{Ceremony, Challenge},
    },
    user::User,
    webauthn::Rejection,
};

/// Proof that there are passkeys here.
#[derive(Clone, Copy, Debug)]
pub struct Enabled;

/// What a browser is to be asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasskeyRequest {
    challenge_id: Uuid,
    #[schema(value_type = Object)]
    options: Value,
    expires_at: i64,
}

/// What a browser answered.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Answer {
    challenge_id: String,
    #[schema(value_type = Object)]
    credential: Value,
}

/// What a user wants to change about a passkey.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct PasskeyUpdate {
    friendly_name: String,
}

/// The passkeys of the user.
#[utoipa::path(
    operation_id = "passkeys_list",
    get,
    path = "/passkeys",
    responses((status = 200, body = [PasskeyView]), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Enabled,
    signed_in: SignedIn,
) -> Result<Json<Vec<PasskeyView>>> {
    let mut connection = state.store().connection().await?;
    let passkeys = store::passkeys::of_user(&mut connection, signed_in.user.id).await?;
    Ok(Json(passkeys.into_iter().map(Into::into).collect()))
}

/// Gives a passkey another name.
#[utoipa::path(
    operation_id = "passkeys_update",
    patch,
    path = "/passkeys/{passkey_id}",
    params(("passkey_id" = Uuid, Path)),
    request_body = PasskeyUpdate,
    responses((status = 200, body = PasskeyView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    _: Enabled,
    signed_in: SignedIn,
    PasskeyId(id): PasskeyId,
    origin: Origin,
    Body(input): Body<PasskeyUpdate>,
) -> Result<Json<PasskeyView>> {
    passkey::check_name(&input.friendly_name)?;
    let (user, now) = (signed_in.user, state.now());
    let mut tx = state.store().begin().await?;
    let renamed =
        store::passkeys::rename(&mut tx, (user.id, id), &input.friendly_name, now).await?;
    let renamed = renamed.ok_or_else(passkey::not_found)?;
    let (action, traits) = (Action::PasskeyUpdated, json!({ "passkey_id": id }));
    audit::record(&mut tx, action, Actor::User(&user), traits, (&origin, now)).await?;
    tx.commit().await?;
    Ok(Json(renamed.into()))
}

/// Gives a passkey up.
#[utoipa::path(
    operation_id = "passkeys_delete",
    delete,
    path = "/passkeys/{passkey_id}",
    params(("passkey_id" = Uuid, Path)),
    responses((status = 204), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    _: Enabled,
    SignedIn { user, session, .. }: SignedIn,
    PasskeyId(id): PasskeyId,
    origin: Origin,
) -> Result<StatusCode> {
    let mut tx = state.store().begin().await?;
    check_level(&mut tx, &user, session.as_ref()).await?;
    if !store::passkeys::delete(&mut tx, (user.id, id)).await? {
        return Err(passkey::not_found());
    }
    let traits = json!({ "passkey_id": id });
    let event = (&origin, state.now());
    let action = Action::PasskeyDeleted;
    audit::record(&mut tx, action, Actor::User(&user), traits, event).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl FromRequestParts<AppState> for Enabled {
    type Rejection = Error;

    async fn from_request_parts(_: &mut Parts, state: &AppState) -> Result<Self> {
        if state.config().passkeys.enabled {
            return Ok(Self);
        }
        let message = "Passkeys are disabled";
        Err(Error::not_found(code::PASSKEY_DISABLED, message))
    }
}

impl Answer {
    /// Takes the challenge that is answered: whatever comes of the answer, there is no other one.
    async fn take_challenge(&self, state: &AppState, ceremony: Ceremony) -> Result<Challenge> {
        if self.challenge_id.is_empty() {
            return Err(Error::invalid("challenge_id is required"));
        }
        if self.credential.is_null() {
            return Err(Error::invalid("credential is required"));
        }
        let id = Uuid::try_parse(&self.challenge_id)
            .map_err(|_| Error::invalid("challenge_id must be a valid UUID"))?;
        let mut connection = state.store().connection().await?;
        let challenge = store::webauthn_challenges::take(&mut connection, id, ceremony).await?;
        let challenge = challenge.ok_or_else(|| {
            let message = "Challenge not found or already used";
            Error::bad_request(code::WEBAUTHN_CHALLENGE_NOT_FOUND, message)
        })?;
        if state.now() > challenge.expires_at {
            let message = "Challenge has expired";
            return Err(Error::bad_request(
                code::WEBAUTHN_CHALLENGE_EXPIRED,
                message,
            ));
        }
        Ok(challenge)
    }
}

impl PasskeyRequest {
    /// Remembers what a browser is asked.
    async fn store(
        state: &AppState,
        ceremony: Ceremony,
        (challenge, options): (&str, Value),
    ) -> Result<Json<Self>> {
        let now = state.now();
        let expires_at = now + state.config().passkeys.challenge_expiry;
        let mut connection = state.store().connection().await?;
        let times = (now, expires_at);
        let challenge_id =
            store::webauthn_challenges::insert(&mut connection, ceremony, challenge, times).await?;
        Ok(Json(Self {
            challenge_id,
            options,
            expires_at: expires_at.unix_timestamp(),
        }))
    }
}

/// Fails when the user has a second factor that this session has not shown.
async fn check_level(
    connection: &mut PgConnection,
    user: &User,
    session: Option<&Session>,
) -> Result<()> {
    let factors = store::factors::of_users(connection, &[user.id]).await?;
    if factors.iter().any(Factor::is_verified) && !session.is_some_and(Session::is_aal2) {
        let message = "AAL2 session is required to manage passkeys when MFA is enabled";
        return Err(Error::forbidden(code::INSUFFICIENT_AAL, message));
    }
    Ok(())
}

/// The refusal of an answer; why is nobody's business but the operator's.
fn refused(rejection: Rejection) -> Error {
    let message = match rejection {
        Rejection::Malformed => "Invalid credential response",
        Rejection::Refused(reason) => {
            tracing::info!(reason, "an answer of an authenticator was refused");
            "Credential verification failed"
        }
    };
    Error::bad_request(code::WEBAUTHN_VERIFICATION_FAILED, message)
}
