//! `GET /user` and `PUT /user`: users about themselves.

use axum::extract::State;
use common::extract::Json;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, types};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    accounts::{self, Contact},
    address,
    audit::{self, Action, Actor},
    authentication::{SignedIn, is_admin},
    error::{Error, Result, code},
    mails,
    password::Verdict,
    request::{Body, Origin},
    store,
    user::{Members, User, UserView, merge},
};

/// What a user wants to change about themselves.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct UserUpdate {
    #[serde(default)]
    email: String,
    #[serde(default)]
    phone: String,
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    password: Option<SecretString>,
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    data: Option<Members>,
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    app_metadata: Option<Members>,
}

/// The user the token belongs to.
#[utoipa::path(
    get,
    path = "/user",
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn read(
    State(state): State<AppState>,
    SignedIn { user, claims, .. }: SignedIn,
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

/// Changes the user the token belongs to.
#[utoipa::path(
    put,
    path = "/user",
    request_body = UserUpdate,
    responses((status = 200, body = UserView), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    signed_in: SignedIn,
    origin: Origin,
    Body(mut input): Body<UserUpdate>,
) -> Result<Json<UserView>> {
    input.normalize()?;
    input.check_allowed(&state, &signed_in)?;
    let hash = new_hash(&state, &signed_in.user, input.password.clone()).await?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let user = store::users::lock(&mut tx, signed_in.user.id).await?;
    let mut user = user.ok_or_else(|| {
        let message = "User from sub claim in JWT does not exist";
        Error::forbidden(code::USER_NOT_FOUND, message)
    })?;
    input.check_free(&mut tx, &user).await?;
    if let Some(hash) = hash {
        user.encrypted_password = Some(hash);
        accounts::revoke_one_time_tokens(&mut tx, &mut user).await?;
        let current = signed_in.session.map(|session| session.id);
        store::sessions::delete_of_user(&mut tx, user.id, current).await?;
        let actor = Actor::User(&user);
        let event = (&origin, now);
        audit::record(
            &mut tx,
            Action::UserUpdatedPassword,
            actor,
            Value::Null,
            event,
        )
        .await?;
    }
    if let Some(data) = input.data {
        user.raw_user_meta_data = Some(types::Json(merge(user.user_metadata(), data)));
    }
    if let Some(data) = input.app_metadata {
        user.raw_app_meta_data = Some(types::Json(merge(user.app_metadata(), data)));
    }
    if !input.email.is_empty() && input.email != user.email() {
        change_email(&state, &mut tx, &mut user, input.email).await?;
    }
    if !input.phone.is_empty() && input.phone != user.phone() {
        change_phone(&state, &mut tx, &mut user, input.phone).await?;
    }
    let actor = Actor::User(&user);
    audit::record(
        &mut tx,
        Action::UserModified,
        actor,
        Value::Null,
        (&origin, now),
    )
    .await?;
    let user = store::users::save(&mut tx, &user, now)
        .await
        .map_err(taken)?;
    let view = store::users::view(&mut tx, user).await?;
    tx.commit().await?;
    Ok(Json(view))
}

impl UserUpdate {
    fn normalize(&mut self) -> Result<()> {
        if !self.email.is_empty() {
            self.email = address::email(&self.email)?;
        }
        if !self.phone.is_empty() {
            self.phone = address::phone(&self.phone)?;
        }
        Ok(())
    }

    /// Fails when this user may not change this about themselves.
    fn check_allowed(&self, state: &AppState, by: &SignedIn) -> Result<()> {
        if self.app_metadata.is_some() && !is_admin(state, &by.claims) {
            let message = "Updating app_metadata requires admin privileges";
            return Err(Error::forbidden(code::NOT_ADMIN, message));
        }
        let user = &by.user;
        let changes_address = (!self.email.is_empty() && self.email != user.email())
            || (!self.phone.is_empty() && self.phone != user.phone());
        if user.is_anonymous
            && self.password.is_some()
            && self.email.is_empty()
            && self.phone.is_empty()
        {
            return Err(Error::unprocessable(
                code::VALIDATION_FAILED,
                "Updating password of an anonymous user without an email or phone is not allowed",
            ));
        }
        if user.is_sso_user && (self.password.is_some() || changes_address) {
            return Err(Error::unprocessable(
                code::USER_SSO_MANAGED,
                "Updating email, phone, password of a SSO account only possible via SSO",
            ));
        }
        Ok(())
    }

    /// Fails when another user has the new address or number.
    async fn check_free(&self, connection: &mut PgConnection, user: &User) -> Result<()> {
        for (text, contact, refusal) in [
            (
                &self.email,
                Contact::Email(self.email.clone()),
                email_exists as fn() -> Error,
            ),
            (
                &self.phone,
                Contact::Phone(self.phone.clone()),
                phone_exists,
            ),
        ] {
            if text.is_empty() || contact.address() == address_of(user, &contact) {
                continue;
            }
            let holder = contact.holder(connection, user.audience()).await?;
            if holder.is_some_and(|holder| holder.id != user.id) {
                return Err(refusal());
            }
        }
        Ok(())
    }
}

fn address_of<'a>(user: &'a User, contact: &Contact) -> &'a str {
    match contact {
        Contact::Email(_) => user.email(),
        Contact::Phone(_) => user.phone(),
    }
}

/// The hash of a new password, which must be strong and not the old one.
async fn new_hash(
    state: &AppState,
    user: &User,
    password: Option<SecretString>,
) -> Result<Option<String>> {
    let Some(password) = password else {
        return Ok(None);
    };
    if user.has_password() && !password.expose_secret().is_empty() {
        let hash = user.encrypted_password.as_deref();
        let verdict = state.hasher().verify(password.clone(), hash).await?;
        if verdict != Verdict::Wrong {
            return Err(Error::unprocessable(
                code::SAME_PASSWORD,
                "New password should be different from the old password.",
            ));
        }
    }
    state.config().password.requirements.check(&password)?;
    state.hasher().hash(password).await.map(Some)
}

/// A permanent user confirms every change; an anonymous one becomes permanent at once where
/// nothing has to be confirmed.
async fn change_email(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    email: String,
) -> Result<()> {
    if user.is_anonymous && state.config().mailer.autoconfirm {
        let contact = Contact::Email(email.clone());
        user.email = Some(email);
        return become_permanent(state, connection, user, &contact).await;
    }
    mails::email_change(state, connection, user, &email).await
}

async fn change_phone(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    phone: String,
) -> Result<()> {
    if !state.config().sms.autoconfirm {
        let message = "Unable to get SMS provider";
        return Err(Error::bad_request(code::PHONE_PROVIDER_DISABLED, message));
    }
    let contact = Contact::Phone(phone.clone());
    user.phone = Some(phone);
    become_permanent(state, connection, user, &contact).await
}

/// Takes over an address or number that needs no confirmation.
async fn become_permanent(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    contact: &Contact,
) -> Result<()> {
    let now = state.now();
    let data = accounts::identity_data(user.id, contact);
    accounts::set_identity(connection, user.id, contact, data, now).await?;
    accounts::confirm(connection, user, contact, now).await?;
    accounts::refresh_providers(connection, user).await?;
    user.is_anonymous = false;
    Ok(())
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
