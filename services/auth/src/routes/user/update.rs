//! `PUT /user`: users change themselves.

use axum::extract::State;
use common::extract::Json;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, types};
use time::Duration;
use utoipa::ToSchema;

use super::{email_exists, phone_exists, taken};
use crate::{
    AppState,
    accounts::{self, Contact},
    address,
    audit::{self, Action, Actor},
    authentication::{SignedIn, is_admin},
    error::{Error, Result, code},
    factor::Factor,
    frequency,
    limits::Limit,
    mails::{self, Mail, Return},
    messages::Message,
    password::hash::Verdict,
    pkce::ChallengeInput,
    redirect::ReturnTo,
    request::{Body, Origin},
    routes::passwordless::{back, begin_flow},
    session::Session,
    store,
    texts::{self, Text},
    user::{Members, User, UserView, merge},
    verification,
};

/// How long a sign-in counts as a fresh proof of who the user is.
const FRESH: Duration = Duration::hours(24);

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
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    current_password: Option<SecretString>,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    channel: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    data: Option<Members>,
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    app_metadata: Option<Members>,
}

/// Changes the user the token belongs to.
#[utoipa::path(
    operation_id = "user_update",
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
    ReturnTo(redirect_to): ReturnTo,
    Body(mut input): Body<UserUpdate>,
) -> Result<Json<UserView>> {
    state
        .limits()
        .check(Limit::UpdateUser, origin.ip, state.now())?;
    if input.password.is_some() {
        // The answers tell whether a password or a code was the right one.
        let account = signed_in.user.id.to_string();
        state
            .limits()
            .check_account(Limit::UpdateUser, &account, state.now())?;
    }
    input.normalize()?;
    input.check_allowed(&state, &signed_in)?;
    check_second_factor(&state, &signed_in, &input).await?;
    let challenge = input.challenge.parse()?;
    check_current_password(&state, &signed_in, &input).await?;
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
        check_fresh(&state, &mut tx, &mut user, (&signed_in, &input.nonce)).await?;
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
    let mut messages = Vec::new();
    if !input.email.is_empty() && input.email != user.email() {
        let back = back(redirect_to, challenge.as_ref());
        let mails = change_email(&state, &mut tx, &mut user, input.email, &back).await?;
        if !mails.is_empty() {
            begin_flow(&state, &mut tx, &user, challenge.as_ref(), "email_change").await?;
            messages.push(Message::Mails(mails));
        }
    }
    if !input.phone.is_empty() && input.phone != user.phone() {
        let text = change_phone(&state, &mut tx, &mut user, input.phone).await?;
        messages.extend(text.map(Message::Text));
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
    for message in &messages {
        message.send(&state, &origin).await?;
    }
    Ok(Json(view))
}

impl UserUpdate {
    fn normalize(&mut self) -> Result<()> {
        if !self.email.is_empty() {
            self.email = address::email(&self.email)?;
        }
        if !self.phone.is_empty() {
            texts::check_channel(&self.channel)?;
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
    state
        .config()
        .password
        .requirements
        .check(&password)
        .await?;
    state.hasher().hash(password).await.map(Some)
}

/// Fails when the user has a second factor and wants to change how they sign in without it.
async fn check_second_factor(state: &AppState, by: &SignedIn, input: &UserUpdate) -> Result<()> {
    let is_aal2 = by.session.as_ref().is_some_and(Session::is_aal2);
    let changes_nothing =
        input.password.is_none() && input.email.is_empty() && input.phone.is_empty();
    if is_aal2 || changes_nothing {
        return Ok(());
    }
    let mut connection = state.store().connection().await?;
    let factors = store::factors::of_users(&mut connection, &[by.user.id]).await?;
    if factors.iter().any(Factor::is_verified) {
        return Err(Error::unauthorized(
            code::INSUFFICIENT_AAL,
            "AAL2 session is required to update email or password when MFA is enabled.",
        ));
    }
    Ok(())
}

/// Fails when the present password must be given and is not, or is wrong. Whoever came in because
/// it was lost need not know it.
async fn check_current_password(state: &AppState, by: &SignedIn, input: &UserUpdate) -> Result<()> {
    let recovering = by
        .claims
        .amr
        .iter()
        .any(|method| method.method == "recovery");
    if !state.config().password.update_requires_current
        || input.password.is_none()
        || !by.user.has_password()
        || recovering
    {
        return Ok(());
    }
    let message = "Current password required when setting new password.";
    let Some(current) = input.current_password.clone() else {
        return Err(Error::bad_request(code::CURRENT_PASSWORD_REQUIRED, message));
    };
    let hash = by.user.encrypted_password.as_deref();
    match state.hasher().verify(current, hash).await? {
        Verdict::Wrong => Err(Error::bad_request(code::CURRENT_PASSWORD_INVALID, message)),
        Verdict::Right | Verdict::Outdated => Ok(()),
    }
}

/// Fails when a change of password needs a proof fresher than the session.
async fn check_fresh(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    (by, nonce): (&SignedIn, &str),
) -> Result<()> {
    let began = by.session.as_ref().and_then(|session| session.created_at);
    let is_fresh = began.is_some_and(|began| state.now() <= began + FRESH);
    if !state.config().password.update_requires_reauthentication || is_fresh {
        return Ok(());
    }
    if nonce.is_empty() {
        return Err(Error::bad_request(
            code::REAUTHENTICATION_NEEDED,
            "Password update requires reauthentication",
        ));
    }
    verification::reauthenticate(state, connection, user, nonce).await
}

/// A permanent user confirms every change; an anonymous one becomes permanent at once where
/// nothing has to be confirmed.
async fn change_email(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    email: String,
    back: &Return,
) -> Result<Vec<Mail>> {
    if user.is_anonymous && state.config().mailer.autoconfirm {
        let contact = Contact::Email(email.clone());
        user.email = Some(email);
        become_permanent(state, connection, user, &contact).await?;
        return Ok(Vec::new());
    }
    let contact = Contact::Email(email.clone());
    frequency::check(state, &contact, user.email_change_sent_at)?;
    mails::email_change(state, connection, user, &email, back).await
}

/// A number is confirmed by a code, where numbers are confirmed.
async fn change_phone(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    phone: String,
) -> Result<Option<Text>> {
    let contact = Contact::Phone(phone.clone());
    if state.config().sms.autoconfirm {
        user.phone = Some(phone);
        become_permanent(state, connection, user, &contact).await?;
        return Ok(None);
    }
    texts::check_provider(state, &phone)?;
    frequency::check(state, &contact, user.phone_change_sent_at)?;
    let text = texts::phone_change(state, connection, user, &phone).await?;
    Ok(Some(text))
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
