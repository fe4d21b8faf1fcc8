//! `POST /otp` and `/magiclink`: codes and links that let their reader in.
//!
//! The answers do not tell whether an address is known, unless accounts are not to be made.

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
    captcha::MetaSecurity,
    error::{Error, Result, code},
    frequency,
    hooks::points,
    limits::Limit,
    mails::{self, Mail, Purpose, Return},
    messages::Message,
    pkce::{Challenge, ChallengeInput},
    request::Origin,
    store,
    stranger::{Stranger, Wish},
    texts,
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
    gotrue_meta_security: MetaSecurity,
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
            gotrue_meta_security: MetaSecurity::default(),
        }
    }
}

impl Wish for OtpRequest {
    const LIMIT: Limit = Limit::Otp;

    fn security(&self) -> &MetaSecurity {
        &self.gotrue_meta_security
    }
}

/// Sends a code to an address, with a link, or to a number; makes the account where that is wished.
#[utoipa::path(
    post,
    path = "/otp",
    request_body = OtpRequest,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn otp(
    State(state): State<AppState>,
    Stranger {
        origin,
        redirect_to,
        wish: input,
    }: Stranger<OtpRequest>,
) -> Result<Json<Value>> {
    match (input.email.is_empty(), input.phone.is_empty()) {
        (false, false) => Err(Error::invalid(
            "Only an email address or phone number should be provided",
        )),
        (true, true) => Err(Error::invalid("One of email or phone must be set")),
        (false, true) if !input.channel.is_empty() => Err(Error::invalid(
            "Channel should only be specified with Phone OTP",
        )),
        (true, false) => send_code(&state, input, &origin).await,
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
    Stranger {
        origin,
        redirect_to,
        wish: input,
    }: Stranger<OtpRequest>,
) -> Result<Json<Value>> {
    if input.email.is_empty() {
        return Err(Error::unprocessable(
            code::VALIDATION_FAILED,
            "Password recovery requires an email",
        ));
    }
    send_link(&state, input, redirect_to, &origin).await
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
    let contact = Contact::Email(address::email(&input.email)?);
    let challenge = input.challenge.parse()?;
    let back = back(redirect_to, challenge.as_ref());
    let draft = input.draft(state, &contact, origin).await?;
    frequency::check_repeat(state, Limit::Otp, &contact)?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let mut user = input.user(state, &mut tx, (&draft, &contact)).await?;
    if user.email_confirmed_at.is_none() && state.config().mailer.autoconfirm {
        accounts::confirm(&mut tx, &mut user, &contact, now).await?;
    }
    let last = if user.email_confirmed_at.is_some() {
        user.recovery_sent_at
    } else {
        user.confirmation_sent_at
    };
    if frequency::is_too_soon(state, &contact, last) {
        return Ok(Json(json!({})));
    }
    frequency::count(state, &contact)?;
    let (mail, method) = link_mail(state, &mut tx, &mut user, &back, origin).await?;
    begin_flow(state, &mut tx, &user, challenge.as_ref(), method).await?;
    store::users::save(&mut tx, &user, now).await?;
    tx.commit().await?;
    points::after_draft_created(state, &draft, user.id, origin).await;
    Message::Mails(vec![mail]).post(state, origin);
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
        let action = Action::UserConfirmationRequested;
        audit::record(connection, action, Actor::User(user), Value::Null, event).await?;
        let mail = mails::confirmation(state, connection, user, Purpose::Signup, back).await?;
        return Ok((mail, "email/signup"));
    }
    let action = Action::UserRecoveryRequested;
    audit::record(connection, action, Actor::User(user), Value::Null, event).await?;
    let mail = mails::recovery(state, connection, user, Purpose::MagicLink, back).await?;
    Ok((mail, "magiclink"))
}

async fn send_code(state: &AppState, input: OtpRequest, origin: &Origin) -> Result<Json<Value>> {
    if !state.config().external.phone {
        let message = "Unsupported phone provider";
        return Err(Error::bad_request(code::PHONE_PROVIDER_DISABLED, message));
    }
    texts::check_channel(&input.channel)?;
    let contact = Contact::Phone(address::phone(&input.phone)?);
    texts::check_provider(state, contact.address())?;
    let draft = input.draft(state, &contact, origin).await?;
    frequency::check_repeat(state, Limit::Otp, &contact)?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let mut user = input.user(state, &mut tx, (&draft, &contact)).await?;
    if user.phone_confirmed_at.is_none() && state.config().sms.autoconfirm {
        accounts::confirm(&mut tx, &mut user, &contact, now).await?;
    }
    if frequency::is_too_soon(state, &contact, user.confirmation_sent_at) {
        return Ok(Json(json!({})));
    }
    frequency::count(state, &contact)?;
    let traits =
        json!({ "channel": if input.channel.is_empty() { "sms" } else { &input.channel } });
    let action = Action::UserRecoveryRequested;
    audit::record(&mut tx, action, Actor::User(&user), traits, (origin, now)).await?;
    let text = texts::confirmation(state, &mut tx, &mut user).await?;
    store::users::save(&mut tx, &user, now).await?;
    tx.commit().await?;
    points::after_draft_created(state, &draft, user.id, origin).await;
    Message::Text(text).post(state, origin);
    Ok(Json(json!({})))
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

impl OtpRequest {
    /// The user to be made if there is none; the hook has had its say.
    async fn draft(&self, state: &AppState, contact: &Contact, origin: &Origin) -> Result<User> {
        let role = &state.config().jwt.default_role;
        let new = User::new(state.audience(origin), role, state.now());
        let draft = accounts::draft(new, contact, self.data.clone());
        if self.create_user && !state.config().disable_signup {
            points::before_contact_created(state, &draft, contact, origin).await?;
        }
        Ok(draft)
    }

    /// The locked user, made where that is wished.
    async fn user(
        &self,
        state: &AppState,
        connection: &mut PgConnection,
        (draft, contact): (&User, &Contact),
    ) -> Result<User> {
        match contact.lock(connection, draft.audience()).await? {
            Some(user) => Ok(user),
            None if !self.create_user => {
                let message = "Signups not allowed for otp";
                Err(Error::unprocessable(code::OTP_DISABLED, message))
            }
            None if state.config().disable_signup => {
                let message = "Signups not allowed for this instance";
                Err(Error::unprocessable(code::SIGNUP_DISABLED, message))
            }
            None => accounts::create(connection, draft, contact, state.now()).await,
        }
    }
}
