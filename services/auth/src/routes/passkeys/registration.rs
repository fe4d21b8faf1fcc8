//! `/passkeys/registration`: a new passkey of a user.

use axum::extract::State;
use common::extract::Json;
use serde_json::json;
use sqlx::PgConnection;

use super::{Answer, Enabled, PasskeyRequest, check_level, refused};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    limits::Limit,
    passkey::{self, Passkey, PasskeyView},
    request::{Body, Origin},
    routes::factors::refuse_anonymous,
    session::Session,
    store::{self, webauthn_challenges::Ceremony},
    user::User,
    webauthn::{self, Asked, Credential, Purpose},
};

/// What the browser of a user is to be asked for a new passkey.
#[utoipa::path(
    operation_id = "passkeys_registration_options",
    post,
    path = "/passkeys/registration/options",
    responses((status = 200, body = PasskeyRequest), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn options(
    State(state): State<AppState>,
    _: Enabled,
    SignedIn { user, session, .. }: SignedIn,
    origin: Origin,
) -> Result<Json<PasskeyRequest>> {
    let limits = state.limits();
    limits.check(Limit::Passkey, origin.ip, state.now())?;
    let known = {
        let mut connection = state.store().connection().await?;
        room_for_another(&state, &mut connection, &user, session.as_ref()).await?
    };
    let known: Vec<Credential> = known.into_iter().map(Passkey::credential).collect();
    let challenge = webauthn::new_challenge();
    let asked = Asked {
        challenge: &challenge,
        purpose: Purpose::Passkey,
    };
    let whose = (user.id, user.contact());
    let options = state
        .config()
        .webauthn
        .creation_options(asked, whose, &known);
    PasskeyRequest::store(
        &state,
        Ceremony::Registration(user.id),
        (&challenge, options),
    )
    .await
}

/// Takes a new passkey.
#[utoipa::path(
    operation_id = "passkeys_registration_verify",
    post,
    path = "/passkeys/registration/verify",
    request_body = Answer,
    responses((status = 200, body = PasskeyView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn verify(
    State(state): State<AppState>,
    _: Enabled,
    SignedIn { user, session, .. }: SignedIn,
    origin: Origin,
    Body(answer): Body<Answer>,
) -> Result<Json<PasskeyView>> {
    let now = state.now();
    state.limits().check(Limit::Passkey, origin.ip, now)?;
    let challenge = answer
        .take_challenge(&state, Ceremony::Registration(user.id))
        .await?;
    let asked = Asked {
        challenge: challenge.text(),
        purpose: Purpose::Passkey,
    };
    let party = &state.config().webauthn;
    let credential = party.register(asked, &answer.credential).map_err(refused)?;

    let mut tx = state.store().begin().await?;
    // Two passkeys made at once must see each other.
    store::users::lock(&mut tx, user.id).await?;
    room_for_another(&state, &mut tx, &user, session.as_ref()).await?;
    let new = (passkey::first_name(credential.aaguid), &credential);
    let made = store::passkeys::insert(&mut tx, user.id, new, now).await;
    let made = made.map_err(taken)?;
    let (action, traits) = (Action::PasskeyCreated, json!({ "passkey_id": made.id }));
    audit::record(&mut tx, action, Actor::User(&user), traits, (&origin, now)).await?;
    tx.commit().await?;
    Ok(Json(made.into()))
}

/// The passkeys of a user who may have one more.
async fn room_for_another(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    session: Option<&Session>,
) -> Result<Vec<Passkey>> {
    refuse_anonymous(user)?;
    if user.is_sso_user {
        return Err(Error::unprocessable(
            code::VALIDATION_FAILED,
            "SSO users cannot register passkeys",
        ));
    }
    check_level(connection, user, session).await?;
    let passkeys = store::passkeys::of_user(connection, user.id).await?;
    if passkeys.len() >= state.config().passkeys.max_per_user {
        let message = "Maximum number of passkeys reached";
        return Err(Error::unprocessable(code::TOO_MANY_PASSKEYS, message));
    }
    Ok(passkeys)
}

/// The refusal of a credential that is a passkey already.
fn taken(error: sqlx::Error) -> Error {
    let error = Error::from(error);
    if error.violates("webauthn_credentials_credential_id_key") {
        let message = "This credential is already registered";
        Error::unprocessable(code::WEBAUTHN_CREDENTIAL_EXISTS, message)
    } else {
        error
    }
}
