//! Whose account an identity elsewhere is.
//!
//! The same subject at the same provider is the same user. A new identity goes to whoever holds one of
//! the addresses that its provider vouches for. An address that nobody vouches for proves nothing: it
//! never leads to an account that is there already.

use sqlx::PgConnection;
use uuid::Uuid;

use super::profile::{Email, Profile};
use crate::{
    error::{Error, Result, code},
    identity::Identity,
    store,
};

/// Where an identity belongs.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It is known.
    Known(Box<Identity>),
    /// To a user who is there.
    Link(Uuid),
    /// To a new user, with this address unless it is somebody's.
    Create(Option<Email>),
}

/// Where the identity of `profile` at `provider` belongs.
pub async fn decide(
    connection: &mut PgConnection,
    provider: &str,
    profile: &Profile,
    audience: &str,
) -> Result<Decision> {
    let subject = &profile.subject;
    if let Some(known) = store::identities::of_provider(connection, provider, subject).await? {
        return Ok(Decision::Known(Box::new(known)));
    }
    let verified = profile.verified();
    if let Some(user) = store::users::by_emails(connection, &verified, audience).await? {
        return Ok(Decision::Link(user));
    }
    let holders = store::identities::holders(connection, &verified, audience).await?;
    match holders.as_slice() {
        [] => {}
        [user] => return Ok(Decision::Link(*user)),
        _ => {
            let message = "Multiple accounts with the same email address in the same linking domain \
                           detected: default";
            return Err(Error::refused(
                http::StatusCode::CONFLICT,
                code::CONFLICT,
                message,
            ));
        }
    }
    let email = match profile.email().cloned() {
        Some(email) if !email.verified => {
            let address = &email.address;
            let holder = store::users::claiming_email(connection, address, audience).await?;
            holder.is_none().then_some(email)
        }
        email => email,
    };
    Ok(Decision::Create(email))
}
