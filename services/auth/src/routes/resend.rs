//! `POST /resend`: a message once more, for whom the first did not reach.
//!
//! The answers do not tell whether an address or number is known.

use axum::extract::State;
use common::extract::Json;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    AppState,
    accounts::Contact,
    address,
    audit::{self, Action, Actor},
    captcha::MetaSecurity,
    error::{Error, Result, code},
    frequency,
    limits::Limit,
    mails::{self, Purpose},
    messages::Message,
    pkce::{Challenge, ChallengeInput},
    request::Origin,
    routes::passwordless::{back, begin_flow},
    store,
    stranger::{Stranger, Wish},
    texts,
    user::User,
};

/// Somebody whose message did not arrive.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ResendRequest {
    #[serde(rename = "type")]
    kind: String,
    email: String,
    phone: String,
    #[serde(flatten)]
    challenge: ChallengeInput,
    gotrue_meta_security: MetaSecurity,
}

impl Wish for ResendRequest {
    const LIMIT: Limit = Limit::Resend;

    fn security(&self) -> &MetaSecurity {
        &self.gotrue_meta_security
    }
}

/// What can be sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signup,
    EmailChange,
    Sms,
    PhoneChange,
}

/// Sends a message once more.
#[utoipa::path(
    post,
    path = "/resend",
    request_body = ResendRequest,
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn resend(
    State(state): State<AppState>,
    Stranger {
        origin,
        redirect_to,
        wish: input,
    }: Stranger<ResendRequest>,
) -> Result<Json<Value>> {
    let kind = input.kind()?;
    let contact = input.contact(&state)?;
    let challenge = input.challenge.parse()?;
    frequency::check_repeat(&state, Limit::Resend, &contact)?;
    let mut tx = state.store().begin().await?;
    let user = contact.lock(&mut tx, state.audience(&origin)).await?;
    let due = |user: &User| kind.is_due(&state, &contact, user);
    let Some(user) = user.filter(due) else {
        return Ok(Json(json!({})));
    };
    frequency::count(&state, &contact)?;
    match contact {
        Contact::Email(_) => {
            let how = (challenge.as_ref(), redirect_to);
            send_mails(&state, tx, (kind, user), how, &origin).await?;
        }
        Contact::Phone(_) => send_text(&state, tx, (kind, user), &origin).await?,
    }
    Ok(Json(json!({})))
}

async fn send_mails(
    state: &AppState,
    mut tx: sqlx::Transaction<'_, sqlx::Postgres>,
    (kind, mut user): (Kind, User),
    (challenge, redirect_to): (Option<&Challenge>, String),
    origin: &Origin,
) -> Result<()> {
    let now = state.now();
    let back = back(redirect_to, challenge);
    let (mails, method) = if kind == Kind::Signup {
        let action = Action::UserConfirmationRequested;
        let actor = Actor::User(&user);
        audit::record(&mut tx, action, actor, Value::Null, (origin, now)).await?;
        let purpose = Purpose::Signup;
        let mail = mails::confirmation(state, &mut tx, &mut user, purpose, &back).await?;
        (vec![mail], "email/signup")
    } else {
        let new = user.email_change.clone().unwrap_or_default();
        let mails = mails::email_change(state, &mut tx, &mut user, &new, &back).await?;
        (mails, "email_change")
    };
    begin_flow(state, &mut tx, &user, challenge, method).await?;
    store::users::save(&mut tx, &user, now).await?;
    tx.commit().await?;
    Message::Mails(mails).post(state, origin);
    Ok(())
}

async fn send_text(
    state: &AppState,
    mut tx: sqlx::Transaction<'_, sqlx::Postgres>,
    (kind, mut user): (Kind, User),
    origin: &Origin,
) -> Result<()> {
    let now = state.now();
    let text = if kind == Kind::Sms {
        let action = Action::UserRecoveryRequested;
        let actor = Actor::User(&user);
        audit::record(&mut tx, action, actor, Value::Null, (origin, now)).await?;
        texts::confirmation(state, &mut tx, &mut user).await?
    } else {
        let new = user.phone_change.clone().unwrap_or_default();
        texts::phone_change(state, &mut tx, &mut user, &new).await?
    };
    store::users::save(&mut tx, &user, now).await?;
    tx.commit().await?;
    Message::Text(text).post(state, origin);
    Ok(())
}

impl Kind {
    /// Whether the user waits for such a message, and got none a moment ago.
    fn is_due(self, state: &AppState, contact: &Contact, user: &User) -> bool {
        let is_some = |new: &Option<String>| new.as_deref().is_some_and(|new| !new.is_empty());
        let (waits, last): (bool, Option<OffsetDateTime>) = match self {
            Self::Signup => (user.email_confirmed_at.is_none(), user.confirmation_sent_at),
            Self::Sms => (user.phone_confirmed_at.is_none(), user.confirmation_sent_at),
            Self::EmailChange => (is_some(&user.email_change), user.email_change_sent_at),
            Self::PhoneChange => (is_some(&user.phone_change), user.phone_change_sent_at),
        };
        waits && !frequency::is_too_soon(state, contact, last)
    }
}

impl ResendRequest {
    fn kind(&self) -> Result<Kind> {
        let kind = match self.kind.as_str() {
            "signup" => Kind::Signup,
            "email_change" => Kind::EmailChange,
            "sms" => Kind::Sms,
            "phone_change" => Kind::PhoneChange,
            _ => {
                return Err(Error::invalid(
                    "Missing one of these types: signup, email_change, sms, phone_change",
                ));
            }
        };
        let needs_email = matches!(kind, Kind::Signup | Kind::EmailChange);
        let refusal = match (self.email.is_empty(), self.phone.is_empty(), needs_email) {
            (true, true, _) => "Missing email address or phone number",
            (true, false, true) => "Type provided requires an email address",
            (false, true, false) => "Type provided requires a phone number",
            (false, false, _) => "Only an email address or phone number should be provided.",
            _ => return Ok(kind),
        };
        Err(Error::invalid(refusal))
    }

    fn contact(&self, state: &AppState) -> Result<Contact> {
        if self.phone.is_empty() {
            return address::email(&self.email).map(Contact::Email);
        }
        if !state.config().external.phone {
            let message = "Unsupported phone provider";
            return Err(Error::bad_request(code::PHONE_PROVIDER_DISABLED, message));
        }
        let contact = Contact::Phone(address::phone(&self.phone)?);
        texts::check_provider(state, contact.address())?;
        Ok(contact)
    }
}
