//! `GET /user` and `PUT /user`: users about themselves.

pub mod update;

use axum::extract::State;
use common::extract::Json;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    AppState,
    accounts::Contact,
    audit::{self, Action, Actor},
    authentication::{Represented, SignedIn},
    error::{Error, Result, code},
    frequency, mails,
    messages::Message,
    request::Origin,
    store, texts,
    user::{User, UserView},
};

/// The user the token belongs to.
#[utoipa::path(
    operation_id = "user_read",
    get,
    path = "/user",
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    Represented(SignedIn { user, claims, .. }): Represented,
    origin: Origin,
) -> Result<Json<UserView>> {
    if origin
        .audience
        .is_some_and(|audience| audience != claims.aud)
    {
        let message = "Token audience doesn't match request audience";
        return Err(Error::invalid(message));
    }
    let mut connection = state.store().connection().await?;
    Ok(Json(store::users::view(&mut connection, user).await?))
}

/// Sends a code that proves whoever holds the session to be its user.
#[utoipa::path(
    get,
    path = "/reauthenticate",
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn reauthenticate(
    State(state): State<AppState>,
    SignedIn { user, .. }: SignedIn,
    origin: Origin,
) -> Result<Json<Value>> {
    if user.email().is_empty() && user.phone().is_empty() {
        let message = "Reauthentication requires the user to have an email or a phone number";
        return Err(Error::invalid(message));
    }
    let contact = confirmed_contact(&user)?;
    let mut tx = state.store().begin().await?;
    let user = store::users::lock(&mut tx, user.id).await?;
    let mut user = user.ok_or_else(|| anyhow::anyhow!("the user is gone"))?;
    frequency::check(&state, &contact, user.reauthentication_sent_at)?;
    let actor = Actor::User(&user);
    let event = (&origin, state.now());
    let action = Action::UserReauthenticateRequested;
    audit::record(&mut tx, action, actor, Value::Null, event).await?;
    let message = match contact {
        Contact::Email(_) => {
            let mail = mails::reauthentication(&state, &mut tx, &mut user).await?;
            Message::Mails(vec![mail])
        }
        Contact::Phone(_) => {
            texts::check_provider(&state, user.phone())?;
            Message::Text(texts::reauthentication(&state, &mut tx, &mut user).await?)
        }
    };
    store::users::save(&mut tx, &user, state.now()).await?;
    tx.commit().await?;
    message.send(&state, &origin).await?;
    Ok(Json(json!({})))
}

/// The address or number that a code can be sent to.
fn confirmed_contact(user: &User) -> Result<Contact> {
    let (contact, code, message) = if user.email().is_empty() {
        let contact = Contact::Phone(user.phone().to_owned());
        let message = "Please verify your phone first.";
        (contact, code::PHONE_NOT_CONFIRMED, message)
    } else {
        let contact = Contact::Email(user.email().to_owned());
        let message = "Please verify your email first.";
        (contact, code::EMAIL_NOT_CONFIRMED, message)
    };
    if contact.is_confirmed_by(user) {
        Ok(contact)
    } else {
        Err(Error::unprocessable(code, message))
    }
}

/// The refusal of an address that another user has.
pub fn email_exists() -> Error {
    let message = "A user with this email address has already been registered";
    Error::unprocessable(code::EMAIL_EXISTS, message)
}

fn phone_exists() -> Error {
    let message = "A user with this phone number has already been registered";
    Error::unprocessable(code::PHONE_EXISTS, message)
}

/// The refusal of an address or number that another user got in the meantime.
pub fn taken(error: sqlx::Error) -> Error {
    let error = Error::from(error);
    if error.violates("users_email_partial_key") {
        email_exists()
    } else if error.violates("users_phone_key") {
        phone_exists()
    } else {
        error
    }
}

/// The user with this id, or 404.
pub async fn known(connection: &mut PgConnection, id: Uuid) -> Result<User> {
    store::users::by_id(connection, id)
        .await?
        .ok_or_else(|| Error::not_found(code::USER_NOT_FOUND, "User not found"))
}
