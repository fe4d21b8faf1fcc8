//! One-time tokens made for a user, and the mails that carry them.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use crate::{
    AppState,
    error::{Error, Result, code},
    one_time,
    store::one_time_tokens::{self, Kind},
    user::User,
};

/// Asks a user to confirm their address. The caller saves the user.
pub async fn confirmation(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
) -> Result<()> {
    check_frequency(state, user.confirmation_sent_at)?;
    let now = state.now();
    let hash = new_hash(state, user.email());
    let token = (hash.as_str(), user.email());
    one_time_tokens::replace(connection, user.id, Kind::Confirmation, token, now).await?;
    user.confirmation_token = Some(hash);
    user.confirmation_sent_at = Some(now);
    Ok(())
}

/// Asks for confirmation of a new address, from the present one too where that is wanted. The
/// caller saves the user.
pub async fn email_change(
    state: &AppState,
    connection: &mut PgConnection,
    user: &mut User,
    new_email: &str,
) -> Result<()> {
    check_frequency(state, user.email_change_sent_at)?;
    let now = state.now();
    let hash = new_hash(state, new_email);
    let token = (hash.as_str(), new_email);
    one_time_tokens::replace(connection, user.id, Kind::EmailChangeNew, token, now).await?;
    user.email_change_token_new = Some(hash);
    user.email_change_token_current = None;
    if state.config().mailer.secure_email_change && !user.email().is_empty() {
        let hash = new_hash(state, user.email());
        let token = (hash.as_str(), user.email());
        one_time_tokens::replace(connection, user.id, Kind::EmailChangeCurrent, token, now).await?;
        user.email_change_token_current = Some(hash);
    }
    user.email_change = Some(new_email.to_owned());
    user.email_change_confirm_status = Some(0);
    user.email_change_sent_at = Some(now);
    Ok(())
}

fn new_hash(state: &AppState, address: &str) -> String {
    let code = one_time::new_code(state.config().mailer.otp_length);
    one_time::hash(address, &code)
}

/// Fails when the last mail of the kind went out a moment ago.
fn check_frequency(state: &AppState, last: Option<OffsetDateTime>) -> Result<()> {
    let Some(last) = last else { return Ok(()) };
    let wait = last + state.config().mailer.max_frequency - state.now();
    if wait <= Duration::ZERO {
        return Ok(());
    }
    let seconds = wait.whole_seconds().max(1);
    let message =
        format!("For security purposes, you can only request this after {seconds} seconds.");
    Err(Error::too_many(code::OVER_EMAIL_SEND_RATE_LIMIT, message))
}
