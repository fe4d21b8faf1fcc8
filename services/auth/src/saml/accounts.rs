//! What a single sign-on does to accounts, within a caller's transaction.
//!
//! The same subject of the same identity provider is the same user. An address leads nowhere: whoever
//! runs an identity provider can claim any address, so its users are apart from all others.

use serde_json::json;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{assertion::Subject, provider::SsoProvider};
use crate::{
    AppState, accounts,
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    hooks::points,
    request::Origin,
    store::{self, identities::NewIdentity},
    user::{User, merge},
};

/// Somebody whom an identity provider sent.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// From where.
    pub provider: &'a SsoProvider,
    /// Who they are there.
    pub subject: &'a Subject,
    /// Id of the user, should they be nobody yet.
    pub new_user: Uuid,
    /// Where the request came from.
    pub origin: &'a Origin,
}

impl Arrival<'_> {
    /// Asks the hook about a user who is going to be made.
    pub async fn announce(&self, state: &AppState) -> Result<()> {
        if state.hooks().config().before_user_created.is_none() {
            return Ok(());
        }
        let known = {
            let mut connection = state.store().connection().await?;
            let name = self.provider.name();
            store::identities::of_provider(&mut connection, &name, &self.subject.id).await?
        };
        match known {
            Some(_) => Ok(()),
            None => points::before_user_created(state, &self.draft(state), self.origin).await,
        }
    }

    /// Signs in the user of this identity, and makes one if there is none.
    pub async fn sign_in(&self, state: &AppState, connection: &mut PgConnection) -> Result<User> {
        let now = state.now();
        let name = self.provider.name();
        let data = self.subject.data.clone();
        let known = store::identities::of_provider(connection, &name, &self.subject.id).await?;
        let (user, action) = match known {
            Some(identity) => {
                let user = store::users::lock(connection, identity.user_id).await?;
                let mut user =
                    user.ok_or_else(|| Error::not_found(code::USER_NOT_FOUND, "User not found"))?;
                if user.is_banned(now) {
                    return Err(Error::forbidden(code::USER_BANNED, "User is banned"));
                }
                store::identities::signed_in(connection, identity.id, &data, now).await?;
                user.raw_user_meta_data = Some(Json(merge(user.user_metadata(), data)));
                accounts::refresh_providers(connection, &mut user).await?;
                (
                    store::users::save(connection, &user, now).await?,
                    Action::Login,
                )
            }
            None if state.config().disable_signup => {
                let message = "Signups not allowed for this instance";
                return Err(Error::unprocessable(code::SIGNUP_DISABLED, message));
            }
            None => {
                let user = store::users::insert(connection, &self.draft(state)).await?;
                let new = NewIdentity {
                    user_id: user.id,
                    provider: &name,
                    provider_id: &self.subject.id,
                    data,
                };
                store::identities::insert(connection, new, now).await?;
                (user, Action::UserSignedUp)
            }
        };
        let traits = json!({ "provider": name });
        audit::record(
            connection,
            action,
            Actor::User(&user),
            traits,
            (self.origin, now),
        )
        .await?;
        Ok(user)
    }

    /// The user to be made: nobody else's, and with an address that needs no confirmation.
    fn draft(&self, state: &AppState) -> User {
        let role = &state.config().jwt.default_role;
        let mut user = User::new(&state.config().jwt.audience, role, state.now());
        user.id = self.new_user;
        user.email = Some(self.subject.email.clone());
        user.email_confirmed_at = Some(state.now());
        user.is_sso_user = true;
        user.raw_app_meta_data = Some(Json(accounts::providers(&[&self.provider.name()])));
        user.raw_user_meta_data = Some(Json(self.subject.data.clone()));
        user
    }
}
