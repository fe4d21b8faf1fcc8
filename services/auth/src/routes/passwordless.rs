//! `POST /otp`, `/magiclink`, `/recover` and `/resend`: mails that let their reader in.
//!
//! The answers do not tell whether an address is known.

use axum::extract::State;
use common::extract::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    AppState,
    accounts::{self, Contact},
    address,
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    hooks::points,
    limits::Limit,
    mails::{self, Mail, Purpose, Return},
    pkce::{Challenge, ChallengeInput},
    redirect::ReturnTo,
    request::{Body, Origin},
    store,
    user::{Members, User},
};

/// Somebody who wants to get in without a password.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(default)]
pub struct OtpRequest {
    email: String,
    phone: String,
    create_user: bool,
    #[schema(value_type = Object)]
    data: Members,
    channel: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
}

/// Somebody who lost their password.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RecoveryRequest {
    email: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
}

/// Somebody whose mail did not arrive.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResendRequest {
    #[serde(rename = "type")]
    kind: String,
    email: String,
    phone: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
}

impl Default for OtpRequest {
    fn default() -> Self {
        Self {
            email: String::new(),
            phone: String::new(),
            create_user: true,
            data: Members::new(),
            channel: String::new(),
            challenge: ChallengeInput::default(),
        }
    }
}

/// Sends a link and code to an address; makes the account where that is wished.
#[utoipa::path(
    post,
    path = "/otp",
    request_body = OtpRequest,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn otp(
    State(state): State<AppState>,
    origin: Origin,
    ReturnTo(redirect_to): ReturnTo,
    Body(input): Body<OtpRequest>,
) -> Result<Json<Value>> {
    state.limits().check(Limit::Otp, origin.ip, state.now())?;
    match (input.email.is_empty(), input.phone.is_empty()) {
        (false, false) => Err(Error::invalid(
            "Only an email address or phone number should be provided",
        )),
        (true, true) => Err(Error::invalid("One of email or phone must be set")),
        (false, true) if !input.channel.is_empty() => Err(Error::invalid(
            "Channel should only be specified with Phone OTP",
        )),
        (true, false) => Err(Error::bad_request(
            code::PHONE_PROVIDER_DISABLED,
            "Unsupported phone provider",
        )),
        (false, true) => send_link(&state, input, redirect_to, &origin).await,
    }
}

/// The e-mail half of `/otp`.
#[utoipa::path(
    post,
    path = "/magiclink",
    request_body = OtpRequest,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn magic_link(
    State(state): State<AppState>,
    origin: Origin,
    ReturnTo(redirect_to): ReturnTo,
    Body(input): Body<OtpRequest>,
) -> Result<Json<Value>> {
    state.limits().check(Limit::Otp, origin.ip, state.now())?;
    if input.email.is_empty() {
        return Err(Error::unprocessable(
            code::VALIDATION_FAILED,
            "Password recovery requires an email",
        ));
    }
    send_link(&state, input, redirect_to, &origin).await
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
    origin: Origin,
    ReturnTo(redirect_to): ReturnTo,
    Body(input): Body<RecoveryRequest>,
) -> Result<Json<Value>> {
    state
        .limits()
        .check(Limit::Recover, origin.ip, state.now())?;
    if input.email.is_empty() {
        return Err(Error::invalid("Password recovery requires an email"));
    }
    let email = address::email(&input.email)?;
    let challenge = input.challenge.parse()?;
    let back = back(redirect_to, challenge.as_ref());
    let mut tx = state.store().begin().await?;
    let Some(mut user) = lock_by_email(&state, &mut tx, &email, &origin).await? else {
        return Ok(Json(json!({})));
    };
    mails::check_frequency(&state, user.recovery_sent_at)?;
    let event = (&origin, state.now());
    let actor = Actor::User(&user);
    audit::record(
        &mut tx,
        Action::UserRecoveryRequested,
        actor,
        Value::Null,
        event,
    )
    .await?;
    let purpose = Purpose::Recovery;
    let mail = mails::recovery(&state, &mut tx, &mut user, purpose, &back).await?;
    begin_flow(&state, &mut tx, &user, challenge.as_ref(), "recovery").await?;
    store::users::save(&mut tx, &user, state.now()).await?;
    tx.commit().await?;
    mails::send(&state, &[mail], &origin).await?;
    Ok(Json(json!({})))
}

/// Sends a confirmation once more.
#[utoipa::path(
    post,
    path = "/resend",
    request_body = ResendRequest,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn resend(
    State(state): State<AppState>,
    origin: Origin,
    ReturnTo(redirect_to): ReturnTo,
    Body(input): Body<ResendRequest>,
) -> Result<Json<Value>> {
    state
        .limits()
        .check(Limit::Resend, origin.ip, state.now())?;
    input.validate()?;
    if input.email.is_empty() {
        return Err(Error::bad_request(
            code::PHONE_PROVIDER_DISABLED,
            "Unsupported phone provider",
        ));
    }
    let email = address::email(&input.email)?;
    let challenge = input.challenge.parse()?;
    let back = back(redirect_to, challenge.as_ref());
    let mut tx = state.store().begin().await?;
    let Some(mut user) = lock_by_email(&state, &mut tx, &email, &origin).await? else {
        return Ok(Json(json!({})));
    };
    let (mails, method) = match input.kind.as_str() {
        "signup" if user.email_confirmed_at.is_none() => {
            mails::check_frequency(&state, user.confirmation_sent_at)?;
            let event = (&origin, state.now());
            let action = Action::UserConfirmationRequested;
            audit::record(&mut tx, action, Actor::User(&user), Value::Null, event).await?;
            let purpose = Purpose::Signup;
            let mail = mails::confirmation(&state, &mut tx, &mut user, purpose, &back).await?;
            (vec![mail], "email/signup")
        }
        "email_change"
            if user
                .email_change
                .as_deref()
                .is_some_and(|new| !new.is_empty()) =>
        {
            mails::check_frequency(&state, user.email_change_sent_at)?;
            let new = user.email_change.clone().unwrap_or_default();
            let mails = mails::email_change(&state, &mut tx, &mut user, &new, &back).await?;
            (mails, "email_change")
        }
        _ => return Ok(Json(json!({}))),
    };
    begin_flow(&state, &mut tx, &user, challenge.as_ref(), method).await?;
    store::users::save(&mut tx, &user, state.now()).await?;
    tx.commit().await?;
    mails::send(&state, &mails, &origin).await?;
    Ok(Json(json!({})))
}

async fn send_link(
    state: &AppState,
    input: OtpRequest,
    redirect_to: String,
    origin: &Origin,
) -> Result<Json<Value>> {
    let external = &state.config().external;
    if !external.email || !external.magic_link {
        let message = if external.email {
            "Login with magic link is disabled"
        } else {
            "Email logins are disabled"
        };
        return Err(Error::unprocessable(code::EMAIL_PROVIDER_DISABLED, message));
    }
    let email = address::email(&input.email)?;
    let challenge = input.challenge.parse()?;
    let back = back(redirect_to, challenge.as_ref());
    let now = state.now();
    let contact = Contact::Email(email.clone());
    let jwt = &state.config().jwt;
    let audience = origin.audience.as_deref().unwrap_or(&jwt.audience);
    let new = User::new(audience, &jwt.default_role, now);
    let draft = accounts::draft(new, &contact, input.data);
    if input.create_user && !state.config().disable_signup {
        points::before_contact_created(state, &draft, &contact, origin).await?;
    }
    let mut tx = state.store().begin().await?;
    let known = lock_by_email(state, &mut tx, &email, origin).await?;
    let mut user = match known {
        Some(user) => user,
        None if !input.create_user => {
            let message = "Signups not allowed for otp";
            return Err(Error::unprocessable(code::OTP_DISABLED, message));
        }
        None if state.config().disable_signup => {
            let message = "Signups not allowed for this instance";
            return Err(Error::unprocessable(code::SIGNUP_DISABLED, message));
        }
        None => accounts::create(&mut tx, &draft, &contact, now).await?,
    };
    if user.email_confirmed_at.is_none() && state.config().mailer.autoconfirm {
        accounts::confirm(&mut tx, &mut user, &contact, now).await?;
    }
    let (mail, method) = link_mail(state, &mut tx, &mut user, &back, origin).await?;
    begin_flow(state, &mut tx, &user, challenge.as_ref(), method).await?;
    store::users::save(&mut tx, &user, now).await?;
    tx.commit().await?;
    mails::send(state, &[mail], origin).await?;
    Ok(Json(json!({})))
}

/// A new user confirms their address; a confirmed one is let in.
async fn link_mail(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    back: &Return,
    origin: &Origin,
) -> Result<(Mail, &'static str)> {
    let event = (origin, state.now());
    if user.email_confirmed_at.is_none() {
        mails::check_frequency(state, user.confirmation_sent_at)?;
        let action = Action::UserConfirmationRequested;
        audit::record(connection, action, Actor::User(user), Value::Null, event).await?;
        let mail = mails::confirmation(state, connection, user, Purpose::Signup, back).await?;
        return Ok((mail, "email/signup"));
    }
    mails::check_frequency(state, user.recovery_sent_at)?;
    let action = Action::UserRecoveryRequested;
    audit::record(connection, action, Actor::User(user), Value::Null, event).await?;
    let mail = mails::recovery(state, connection, user, Purpose::MagicLink, back).await?;
    Ok((mail, "magiclink"))
}

/// Remembers what the code that this sign-in ends with will be checked against.
pub async fn begin_flow(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    challenge: Option<&Challenge>,
    method: &str,
) -> Result<()> {
    if let Some(challenge) = challenge {
        let way = ("email", method);
        store::flow_states::insert(connection, user.id, challenge, way, state.now()).await?;
    }
    Ok(())
}

/// How the reader of a mail comes back.
pub fn back(redirect_to: String, challenge: Option<&Challenge>) -> Return {
    Return {
        redirect_to,
        pkce: challenge.is_some(),
    }
}

async fn lock_by_email(
    state: &AppState,
    connection: &mut PgConnection,
    email: &str,
    origin: &Origin,
) -> Result<Option<User>> {
    let audience = origin
        .audience
        .as_deref()
        .unwrap_or(&state.config().jwt.audience);
    Ok(
        match store::users::by_email(connection, email, audience).await? {
            Some(user) => store::users::lock(connection, user.id).await?,
            None => None,
        },
    )
}

impl ResendRequest {
    fn validate(&self) -> Result<()> {
        let needs_email = match self.kind.as_str() {
            "signup" | "email_change" => true,
            "sms" | "phone_change" => false,
            _ => {
                return Err(Error::invalid(
                    "Missing one of these types: signup, email_change, sms, phone_change",
                ));
            }
        };
        let refusal = match (self.email.is_empty(), self.phone.is_empty(), needs_email) {
            (true, true, _) => "Missing email address or phone number",
            (true, false, true) => "Type provided requires an email address",
            (false, true, false) => "Type provided requires a phone number",
            (false, false, _) => "Only an email address or phone number should be provided.",
            _ => return Ok(()),
        };
        Err(Error::invalid(refusal))
    }
}
