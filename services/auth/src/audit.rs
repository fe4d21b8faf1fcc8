//! What of a request is remembered: who did what, from where.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    request::Origin,
    store,
    user::{Members, User},
};

/// Something worth remembering, in GoTrue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A sign-in.
    Login,
    /// An invitation was accepted.
    InviteAccepted,
    /// A sign-out.
    Logout,
    /// A new user.
    UserSignedUp,
    /// A user was invited.
    UserInvited,
    /// A user was removed.
    UserDeleted,
    /// A user was changed.
    UserModified,
    /// A new user was asked to confirm.
    UserConfirmationRequested,
    /// Somebody signed up with a user's address.
    UserRepeatedSignup,
    /// A user wants to get in without a password.
    UserRecoveryRequested,
    /// A user was asked to prove to be there.
    UserReauthenticateRequested,
    /// A password was changed.
    UserUpdatedPassword,
    /// A way to sign in was added.
    IdentityLinked,
    /// A way to sign in was taken away.
    IdentityUnlinked,
    /// A factor was set up.
    FactorInProgress,
    /// An admin changed a factor.
    FactorUpdated,
    /// An admin took a factor away.
    FactorDeleted,
    /// A factor was given up.
    FactorUnenrolled,
    /// A factor was challenged.
    ChallengeCreated,
    /// A challenge was answered.
    VerificationAttempted,
    /// Recovery codes were made.
    RecoveryCodesGenerated,
    /// Recovery codes were replaced.
    RecoveryCodesRegenerated,
    /// A recovery code was used.
    RecoveryCodesVerified,
    /// Recovery codes were given up or taken away.
    RecoveryCodesDeleted,
    /// A passkey was made.
    PasskeyCreated,
    /// A passkey was given another name.
    PasskeyUpdated,
    /// A passkey was given up or taken away.
    PasskeyDeleted,
    /// A refresh token was used up.
    TokenRevoked,
    /// A session was refreshed.
    TokenRefreshed,
}

/// Who did it.
#[derive(Clone, Debug)]
pub enum Actor<'a> {
    /// A user.
    User(&'a User),
    /// The holder of an admin role's key.
    Admin(&'a str),
}

impl Action {
    /// The action and the kind of log it belongs to.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Login => ("login", "account"),
            Self::Logout => ("logout", "account"),
            Self::InviteAccepted => ("invite_accepted", "account"),
            Self::UserInvited => ("user_invited", "team"),
            Self::UserRecoveryRequested => ("user_recovery_requested", "user"),
            Self::UserReauthenticateRequested => ("user_reauthenticate_requested", "user"),
            Self::UserSignedUp => ("user_signedup", "team"),
            Self::UserDeleted => ("user_deleted", "team"),
            Self::UserModified => ("user_modified", "user"),
            Self::UserConfirmationRequested => ("user_confirmation_requested", "user"),
            Self::UserRepeatedSignup => ("user_repeated_signup", "user"),
            Self::UserUpdatedPassword => ("user_updated_password", "user"),
            Self::IdentityLinked => ("identity_linked", "user"),
            Self::IdentityUnlinked => ("identity_unlinked", "user"),
            Self::FactorInProgress => ("factor_in_progress", "factor"),
            Self::FactorUpdated => ("factor_updated", "factor"),
            Self::FactorDeleted => ("factor_deleted", "factor"),
            Self::FactorUnenrolled => ("factor_unenrolled", "factor"),
            Self::ChallengeCreated => ("challenge_created", "factor"),
            Self::VerificationAttempted => ("verification_attempted", "factor"),
            Self::RecoveryCodesGenerated => ("recovery_codes_generated", "factor"),
            Self::RecoveryCodesRegenerated => ("recovery_codes_regenerated", "factor"),
            Self::RecoveryCodesVerified => ("recovery_codes_verified", "factor"),
            Self::RecoveryCodesDeleted => ("recovery_codes_deleted", "factor"),
            Self::PasskeyCreated => ("passkey_created", "user"),
            Self::PasskeyUpdated => ("passkey_updated", "user"),
            Self::PasskeyDeleted => ("passkey_deleted", "user"),
            Self::TokenRevoked => ("token_revoked", "token"),
            Self::TokenRefreshed => ("token_refreshed", "token"),
        }
    }
}

/// Remembers that `actor` did something; `traits` tell more about it.
pub async fn record(
    connection: &mut PgConnection,
    action: Action,
    actor: Actor<'_>,
    traits: Value,
    (origin, now): (&Origin, OffsetDateTime),
) -> sqlx::Result<()> {
    let ip = origin.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let payload = payload(action, &actor, traits);
    store::audit::insert(connection, Value::Object(payload), &ip, now).await
}

fn payload(action: Action, actor: &Actor<'_>, traits: Value) -> Members {
    let (name, log_type) = action.names();
    let mut payload = Map::new();
    let (id, username, via_sso) = match actor {
        Actor::User(user) => (user.id, user.contact(), user.is_sso_user),
        Actor::Admin(role) => (Uuid::nil(), *role, false),
    };
    payload.insert("actor_id".to_owned(), json!(id));
    payload.insert("actor_username".to_owned(), json!(username));
    payload.insert("actor_via_sso".to_owned(), json!(via_sso));
    payload.insert("log_type".to_owned(), json!(log_type));
    payload.insert("action".to_owned(), json!(name));
    if let Actor::User(user) = actor
        && let Some(full_name) = user.user_metadata().get("full_name")
    {
        payload.insert("actor_name".to_owned(), full_name.clone());
    }
    if traits.as_object().is_some_and(|traits| !traits.is_empty()) {
        payload.insert("traits".to_owned(), traits);
    }
    payload
}
