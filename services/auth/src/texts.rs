//! One-time codes made for a number, and the messages that carry them.
//!
//! As with mails, making a code joins the caller's transaction and sending it comes after.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    AppState,
    error::{Error, Result, code},
    frequency,
    hooks::points::{self, Sms},
    one_time,
    request::Origin,
    store::one_time_tokens::{self, Kind},
    user::User,
};

/// A message that is ready to be sent.
#[derive(Clone)]
pub struct Text {
    /// Who it is about.
    pub user_id: Uuid,
    /// Number it goes to.
    pub phone: String,
    /// The code to type.
    pub code: String,
    /// What it is for, in the hook's words; empty for signing in.
    pub kind: &'static str,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text")
    }
}

/// Asks a user to confirm their number, or lets them in by it. The caller saves the user.
pub async fn confirmation(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
) -> Result<Text> {
    let phone = user.phone().to_owned();
    let (text, hash) = issue(state, connection, user, (Kind::Confirmation, &phone), "").await?;
    user.confirmation_token = Some(hash);
    user.confirmation_sent_at = Some(state.now());
    Ok(text)
}

/// Asks for confirmation of a new number. The caller saves the user.
pub async fn phone_change(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    phone: &str,
) -> Result<Text> {
    let token = (Kind::PhoneChange, phone);
    let (text, hash) = issue(state, connection, user, token, "phone_change").await?;
    user.phone_change = Some(phone.to_owned());
    user.phone_change_token = Some(hash);
    user.phone_change_sent_at = Some(state.now());
    Ok(text)
}

/// Asks for a code from whoever holds the session. The caller saves the user.
pub async fn reauthentication(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
) -> Result<Text> {
    let phone = user.phone().to_owned();
    let (text, hash) = issue(
        state,
        connection,
        user,
        (Kind::Reauthentication, &phone),
        "",
    )
    .await?;
    user.reauthentication_token = Some(hash);
    user.reauthentication_sent_at = Some(state.now());
    Ok(text)
}

/// Hands a message to the hook; numbers with a fixed code get none.
pub async fn send(state: &AppState, text: &Text, origin: &Origin) -> Result<()> {
    let sms = &state.config().sms;
    if sms.test_code(&text.phone, state.now()).is_some() {
        return Ok(());
    }
    let message = Sms {
        phone: &text.phone,
        otp: &text.code,
        kind: text.kind,
    };
    if points::send_sms(state, text.user_id, &message, origin).await? {
        Ok(())
    } else {
        Err(no_provider())
    }
}

/// Fails when no message could be sent there, whoever has the number.
pub fn check_provider(state: &AppState, phone: &str) -> Result<()> {
    let has_hook = state.hooks().config().send_sms.is_some();
    if has_hook || state.config().sms.test_code(phone, state.now()).is_some() {
        Ok(())
    } else {
        Err(no_provider())
    }
}

/// Fails unless messages are sent in this way.
pub fn check_channel(channel: &str) -> Result<()> {
    if ["", "sms", "whatsapp"].contains(&channel) {
        return Ok(());
    }
    Err(Error::invalid(
        "Invalid channel, supported values are 'sms' or 'whatsapp'. 'whatsapp' is only supported \
         if Twilio or Twilio Verify is used as the provider.",
    ))
}

/// Fails when the last message went out less than `interval` ago, or too many altogether.
pub fn check_interval(
    state: &AppState,
    last: Option<OffsetDateTime>,
    interval: Duration,
) -> Result<()> {
    frequency::check_last(last, interval, state.now())
        .map_err(|wait| frequency::too_soon(code::OVER_SMS_SEND_RATE_LIMIT, wait))?;
    state.limits().check_texts(state.now())
}

/// A code for a number: the fixed one it may have, or a new one.
pub fn new_code(state: &AppState, phone: &str, digits: usize) -> String {
    let fixed = state.config().sms.test_code(phone, state.now());
    fixed.map_or_else(|| one_time::new_code(digits), str::to_owned)
}

async fn issue(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
    (token, phone): (Kind, &str),
    kind: &'static str,
) -> Result<(Text, String)> {
    let code = new_code(state, phone, state.config().sms.otp_length);
    let hash = state.tokens().stored(phone, &code);
    let stored = (hash.as_str(), phone);
    one_time_tokens::replace(connection, user.id, token, stored, state.now()).await?;
    let text = Text {
        user_id: user.id,
        phone: phone.to_owned(),
        code,
        kind,
    };
    Ok((text, hash))
}

fn no_provider() -> Error {
    let message = "Unable to get SMS provider";
    Error::bad_request(code::PHONE_PROVIDER_DISABLED, message)
}
