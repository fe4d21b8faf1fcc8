//! Invitations that are accepted by signing in at a provider.

use sqlx::{PgConnection, types::Json};

use super::accounts::{Arrival, Outcome, evict, save};
use crate::{
    AppState,
    accounts::{self, Contact},
    audit::Action,
    error::{Error, Result, code},
    one_time,
    store::{
        self,
        one_time_tokens::{Found, Kind},
    },
    user::{User, merge},
};

/// Accepts an invitation by signing in at a provider that knows the invited address.
pub async fn accept(
    state: &AppState,
    connection: &mut PgConnection,
    arrival: &Arrival<'_>,
    invite: &str,
) -> Result<Outcome> {
    let not_found = || Error::not_found(code::INVITE_NOT_FOUND, "Invite not found");
    let invited = invited(state, connection, invite).await?;
    let (mut user, token) = invited.ok_or_else(not_found)?;
    // Somebody else may have used it up while we waited for the user.
    if !store::one_time_tokens::take(connection, &token).await? {
        return Err(not_found());
    }
    if !arrival
        .profile
        .emails
        .iter()
        .any(|email| email.address == user.email())
    {
        let message = "Invited email does not match emails from external provider";
        return Err(Error::invalid(message));
    }
    let data = arrival.profile.identity_data();
    let identity = arrival.add_identity(state, connection, user.id).await?;
    evict(connection, &mut user, identity, &data).await?;
    user.raw_user_meta_data = Some(Json(merge(user.user_metadata(), data)));
    accounts::refresh_providers(connection, &mut user).await?;
    let contact = Contact::Email(user.email().to_owned());
    accounts::confirm(connection, &mut user, &contact, state.now()).await?;
    arrival
        .remember(state, connection, &user, Action::InviteAccepted)
        .await?;
    save(state, connection, &user).await
}

/// Whoever an invitation that is still good was sent to, and its token.
pub async fn invited(
    state: &AppState,
    connection: &mut PgConnection,
    invite: &str,
) -> Result<Option<(User, Found)>> {
    let hashes = [one_time::stored(invite)];
    let kinds = [Kind::Confirmation];
    let found = store::one_time_tokens::find(connection, &hashes, &kinds).await?;
    let Some(found) = found else { return Ok(None) };
    let user = store::users::lock(connection, found.user_id).await?;
    let is_good = |user: &User| {
        let sent = user.confirmation_sent_at;
        sent.is_some_and(|sent| state.now() <= sent + state.config().mailer.otp_expiry)
    };
    Ok(user.filter(is_good).map(|user| (user, found)))
}
