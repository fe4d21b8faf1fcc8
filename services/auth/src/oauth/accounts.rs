//! What a sign-in at a provider does to accounts, within a caller's transaction.

use std::future::Future;

use common::error::Problem;
use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{
    linking::{Decision, decide},
    profile::{Email, Profile},
};
use crate::{
    AppState,
    accounts::{self, Contact},
    audit::{self, Action, Actor},
    error::{Error, Result, code},
    frequency,
    hooks::points,
    mails::{self, Mail, Purpose, Return},
    request::Origin,
    routes::user::taken,
    store::{self, identities::NewIdentity},
    user::{Members, User, merge},
};

/// Somebody who signed in at a provider.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// Where.
    pub provider: &'a str,
    /// Whether a user from there may have no address.
    pub email_optional: bool,
    /// What the provider says about them.
    pub profile: &'a Profile,
    /// Id of the user, should they be nobody yet.
    pub new_user: Uuid,
    /// Where the request came from.
    pub origin: &'a Origin,
    /// Where links lead in the end.
    pub redirect_to: &'a str,
}

/// What came of it. Either way the transaction is to be committed.
#[derive(Debug)]
pub enum Outcome {
    /// The user is signed in.
    Welcome(Box<User>),
    /// The address must be confirmed first, by the mail if there is one to be sent.
    Refused(Error, Option<Box<Mail>>),
}

/// Signs in whoever arrived. `settle` is the transaction that does; it is run again for whoever was
/// overtaken. The hooks about new users are asked and told if it `may_make` one.
pub async fn admit<T, F>(
    state: &AppState,
    arrival: &Arrival<'_>,
    may_make: bool,
    settle: impl Fn() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let is_new = may_make && announce(state, arrival).await?;
    let settled = match settle().await {
        // Whoever was quicker has made what was in the way, and is found now.
        Err(error) if is_race(&error) => settle().await,
        settled => settled,
    };
    if is_new {
        tell(state, arrival).await?;
    }
    settled
}

/// Asks the hook about a user who is going to be made; tells whether one is.
async fn announce(state: &AppState, arrival: &Arrival<'_>) -> Result<bool> {
    let hooks = state.hooks().config();
    if hooks.before_user_created.is_none() && hooks.after_user_created.is_none() {
        return Ok(false);
    }
    let decision = {
        let mut connection = state.store().connection().await?;
        decide(
            &mut connection,
            arrival.provider,
            arrival.profile,
            arrival.audience(state),
        )
        .await?
    };
    match decision {
        Decision::Create(email) => {
            let draft = arrival.draft(state, email.as_ref());
            points::before_user_created(state, &draft, arrival.origin).await?;
            Ok(true)
        }
        Decision::Known(_) | Decision::Link(_) => Ok(false),
    }
}

/// Tells the hook that the user of this identity was made.
async fn tell(state: &AppState, arrival: &Arrival<'_>) -> Result<()> {
    let (name, subject) = (arrival.provider, &arrival.profile.subject);
    let user = {
        let mut connection = state.store().connection().await?;
        match store::identities::of_provider(&mut connection, name, subject).await? {
            Some(identity) => store::users::by_id(&mut connection, identity.user_id).await?,
            None => None,
        }
    };
    if let Some(user) = user {
        points::after_user_created(state, &user, arrival.origin).await;
    }
    Ok(())
}

/// Signs in whoever the identity belongs to, and makes an account for whoever has none.
pub async fn sign_in(
    state: &AppState,
    connection: &mut PgConnection,
    arrival: &Arrival<'_>,
) -> Result<Outcome> {
    let name = arrival.provider;
    let now = state.now();
    let data = arrival.profile.identity_data();
    let decision = decide(connection, name, arrival.profile, arrival.audience(state)).await?;
    let (mut user, identity) = arrival.follow(state, connection, &decision).await?;
    if user.is_banned(now) {
        return Err(Error::forbidden(code::USER_BANNED, "User is banned"));
    }
    // An identity that is known shows whose account it is; an address alone shows it only where
    // somebody has confirmed it.
    let is_known = matches!(decision, Decision::Known(_));
    let is_owned =
        user.email_confirmed_at.is_some() || (is_known && user.phone_confirmed_at.is_some());
    // Where there is no address, nobody else can have laid claim to the account by one.
    let is_undisputed = is_known && user.email().is_empty();
    if !is_owned && !is_undisputed {
        evict(connection, &mut user, identity, &data).await?;
    }
    user.raw_user_meta_data = Some(Json(merge(user.user_metadata(), data)));
    accounts::refresh_providers(connection, &mut user).await?;
    if is_owned {
        arrival
            .remember(state, connection, &user, Action::Login)
            .await?;
        return save(state, connection, &user).await;
    }
    let is_verified = arrival
        .profile
        .verified()
        .iter()
        .any(|email| email == user.email());
    let config = &state.config().mailer;
    if user.email().is_empty() {
        let is_welcome =
            arrival.email_optional || config.autoconfirm || config.allow_unverified_sign_ins;
        let action = if is_known {
            Action::Login
        } else {
            Action::UserSignedUp
        };
        return arrival
            .without_email(state, connection, user, is_welcome.then_some(action))
            .await;
    }
    if is_verified || config.autoconfirm {
        let contact = Contact::Email(user.email().to_owned());
        accounts::confirm(connection, &mut user, &contact, now).await?;
        arrival
            .remember(state, connection, &user, Action::UserSignedUp)
            .await?;
        return save(state, connection, &user).await;
    }
    let mail = arrival.confirmation(state, connection, &mut user).await?;
    let outcome = save(state, connection, &user).await?;
    if config.allow_unverified_sign_ins {
        return Ok(outcome);
    }
    Ok(Outcome::Refused(
        Error::unprocessable(
            code::PROVIDER_EMAIL_NEEDS_VERIFICATION,
            format!(
                "Unverified email with {name}. A confirmation email has been sent to your {name} \
                 email"
            ),
        ),
        Some(Box::new(mail)),
    ))
}

/// Adds the identity to a user who asked for it.
pub async fn link(
    state: &AppState,
    connection: &mut PgConnection,
    arrival: &Arrival<'_>,
    target: Uuid,
) -> Result<Outcome> {
    let name = arrival.provider;
    let subject = &arrival.profile.subject;
    let mut user = lock(connection, target).await?;
    if user.is_banned(state.now()) {
        return Err(Error::forbidden(code::USER_BANNED, "User is banned"));
    }
    if let Some(known) = store::identities::of_provider(connection, name, subject).await? {
        let message = if known.user_id == target {
            "Identity is already linked"
        } else {
            "Identity is already linked to another user"
        };
        return Err(Error::unprocessable(code::IDENTITY_ALREADY_EXISTS, message));
    }
    arrival.add_identity(state, connection, target).await?;
    accounts::refresh_providers(connection, &mut user).await?;
    arrival
        .remember(state, connection, &user, Action::IdentityLinked)
        .await?;
    let email = arrival.profile.email();
    let (Some(email), true) = (email, user.email().is_empty()) else {
        user.is_anonymous = false;
        return save(state, connection, &user).await;
    };
    user.email = Some(email.address.clone());
    if email.verified || state.config().mailer.autoconfirm {
        let contact = Contact::Email(email.address.clone());
        accounts::confirm(connection, &mut user, &contact, state.now()).await?;
        user.is_anonymous = false;
        return save(state, connection, &user).await;
    }
    // The address is to be free before a mail goes there.
    store::users::save(connection, &user, state.now())
        .await
        .map_err(taken)?;
    let mail = arrival.confirmation(state, connection, &mut user).await?;
    save(state, connection, &user).await?;
    let message = format!(
        "Unverified email with {name}. A confirmation email has been sent to your {name} email"
    );
    Ok(Outcome::Refused(
        Error::unprocessable(code::EMAIL_NOT_CONFIRMED, message),
        Some(Box::new(mail)),
    ))
}

/// Whether somebody else was quicker to make what was to be made.
pub fn is_race(error: &Error) -> bool {
    error.violates("identities_provider_id_provider_unique") || error.code() == code::EMAIL_EXISTS
}

impl Arrival<'_> {
    fn audience<'a>(&'a self, state: &'a AppState) -> &'a str {
        self.origin
            .audience
            .as_deref()
            .unwrap_or(&state.config().jwt.audience)
    }

    /// The user whom a decision names, and their identity; makes what is not there.
    async fn follow(
        &self,
        state: &AppState,
        connection: &mut PgConnection,
        decision: &Decision,
    ) -> Result<(User, Uuid)> {
        match decision {
            Decision::Known(identity) => {
                let user = lock(connection, identity.user_id).await?;
                let data = self.profile.identity_data();
                store::identities::signed_in(connection, identity.id, &data, state.now()).await?;
                Ok((user, identity.id))
            }
            Decision::Link(id) => {
                let user = lock(connection, *id).await?;
                let identity = self.add_identity(state, connection, *id).await?;
                Ok((user, identity))
            }
            Decision::Create(_) if state.config().disable_signup => {
                let message = "Signups not allowed for this instance";
                Err(Error::unprocessable(code::SIGNUP_DISABLED, message))
            }
            Decision::Create(email) => {
                let draft = self.draft(state, email.as_ref());
                let user = store::users::insert(connection, &draft).await;
                let user = user.map_err(taken)?;
                let identity = self.add_identity(state, connection, user.id).await?;
                Ok((user, identity))
            }
        }
    }

    /// The user to be made for somebody who has none.
    fn draft(&self, state: &AppState, email: Option<&Email>) -> User {
        let role = &state.config().jwt.default_role;
        let mut user = User::new(self.audience(state), role, state.now());
        user.id = self.new_user;
        user.email = email.map(|email| email.address.clone());
        user.raw_app_meta_data = Some(Json(accounts::providers(&[self.provider])));
        user.raw_user_meta_data = Some(Json(self.profile.identity_data()));
        user
    }

    pub(super) async fn add_identity(
        &self,
        state: &AppState,
        connection: &mut PgConnection,
        user_id: Uuid,
    ) -> Result<Uuid> {
        let new = NewIdentity {
            user_id,
            provider: self.provider,
            provider_id: &self.profile.subject,
            data: self.profile.identity_data(),
        };
        Ok(store::identities::insert(connection, new, state.now())
            .await?
            .id)
    }

    pub(super) async fn remember(
        &self,
        state: &AppState,
        connection: &mut PgConnection,
        user: &User,
        action: Action,
    ) -> Result<()> {
        let traits = json!({ "provider": self.provider });
        let event = (self.origin, state.now());
        audit::record(connection, action, Actor::User(user), traits, event).await?;
        Ok(())
    }

    async fn confirmation(
        &self,
        state: &AppState,
        connection: &mut PgConnection,
        user: &mut User,
    ) -> Result<Mail> {
        let contact = Contact::Email(user.email().to_owned());
        frequency::check(state, &contact, user.confirmation_sent_at)?;
        let event = (self.origin, state.now());
        let action = Action::UserConfirmationRequested;
        audit::record(connection, action, Actor::User(user), Value::Null, event).await?;
        let back = Return {
            redirect_to: self.redirect_to.to_owned(),
            pkce: false,
        };
        mails::confirmation(state, connection, user, Purpose::Signup, &back).await
    }

    async fn without_email(
        &self,
        state: &AppState,
        connection: &mut PgConnection,
        user: User,
        welcome: Option<Action>,
    ) -> Result<Outcome> {
        if let Some(action) = welcome {
            self.remember(state, connection, &user, action).await?;
            return save(state, connection, &user).await;
        }
        save(state, connection, &user).await?;
        let name = self.provider;
        let message = format!(
            "Unverified email with {name}. Verify the email with {name} in order to sign in"
        );
        Ok(Outcome::Refused(
            Error::unprocessable(code::PROVIDER_EMAIL_NEEDS_VERIFICATION, message),
            None,
        ))
    }
}

/// Takes an account from whoever made it without showing that its address is theirs: their password,
/// number, identities, factors, passkeys and sessions go, and so does what they said about
/// themselves.
pub(super) async fn evict(
    connection: &mut PgConnection,
    user: &mut User,
    keep: Uuid,
    data: &Members,
) -> Result<()> {
    accounts::revoke_one_time_tokens(connection, user).await?;
    user.encrypted_password = None;
    user.phone = None;
    user.phone_confirmed_at = None;
    user.phone_change = None;
    user.email_change = None;
    user.raw_user_meta_data = Some(Json(data.clone()));
    user.is_anonymous = false;
    store::identities::delete_others(connection, user.id, keep).await?;
    store::factors::delete_of_user(connection, user.id).await?;
    store::passkeys::delete_of_user(connection, user.id).await?;
    store::sessions::delete_of_user(connection, user.id, None).await?;
    Ok(())
}

async fn lock(connection: &mut PgConnection, id: Uuid) -> Result<User> {
    let user = store::users::lock(connection, id).await?;
    user.ok_or_else(|| Error::not_found(code::USER_NOT_FOUND, "User not found"))
}

pub(super) async fn save(
    state: &AppState,
    connection: &mut PgConnection,
    user: &User,
) -> Result<Outcome> {
    let user = store::users::save(connection, user, state.now())
        .await
        .map_err(taken)?;
    Ok(Outcome::Welcome(Box::new(user)))
}
