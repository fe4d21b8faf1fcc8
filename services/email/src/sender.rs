//! Who sends, and what users among them may do.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use axum::extract::{FromRef, FromRequestParts};
use common::{
    error::ApiError,
    identity::{Caller, Role, TokenError, Verifier},
    operations::is_direct,
    token::{InternalCall, SERVICE_TOKEN, ServiceToken},
};
use http::request::Parts;
use uuid::Uuid;

use crate::{Error, mail::normalized};

/// Extractor: whoever may send. A service presents its token, everybody else a JWT.
#[derive(Clone, Debug)]
pub(crate) enum Sender {
    /// The operator's own servers: the service token, or the service role.
    Service,
    /// A signed-in user.
    User {
        /// The user's id.
        id: Uuid,
        /// The user's own address.
        email: Option<String>,
    },
}

/// Extractor: the operator's own servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator;

/// Extractor: whoever may look into the development inbox. That is who reaches this service
/// directly; the gateway lets in everybody who knows the public key, so of its requests only those
/// of the operator's own servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Onlooker;

/// To whom users may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserPolicy {
    /// To nobody.
    Off,
    /// To their own address.
    Themselves,
    /// To the listed addresses, and to all addresses of the listed domains.
    Listed(BTreeSet<Allowed>),
}

/// One entry of the allow list: `ada@example.com`, or `@example.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Allowed {
    Address(String),
    Domain(String),
}

/// How much a user may send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) per_hour: u32,
    pub(crate) per_day: u32,
}

impl Sender {
    /// The user's id; none for the operator's servers.
    pub(crate) fn user_id(&self) -> Option<Uuid> {
        match self {
            Self::Service => None,
            Self::User { id, .. } => Some(*id),
        }
    }
}

impl UserPolicy {
    /// Whether `sender` may send to all of `recipients`.
    pub(crate) fn permit(&self, sender: &Sender, recipients: &[&str]) -> Result<(), Error> {
        let Sender::User { email, .. } = sender else {
            return Ok(());
        };
        let is_permitted = |recipient: &&str| match self {
            Self::Off => false,
            Self::Themselves => email
                .as_ref()
                .is_some_and(|own| normalized(own) == normalized(recipient)),
            Self::Listed(allowed) => allowed.iter().any(|entry| entry.covers(recipient)),
        };
        match self {
            Self::Off => Err(Error::SendingDisabled),
            _ if recipients.iter().all(is_permitted) => Ok(()),
            _ => Err(Error::RecipientNotAllowed),
        }
    }
}

impl Allowed {
    fn covers(&self, recipient: &str) -> bool {
        let recipient = normalized(recipient);
        match self {
            Self::Address(address) => *address == recipient,
            Self::Domain(domain) => recipient
                .rsplit_once('@')
                .is_some_and(|(_, of_recipient)| of_recipient == domain),
        }
    }
}

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some(domain) if !domain.is_empty() && !domain.contains('@') => {
                Ok(Self::Domain(normalized(domain)))
            }
            None if text.parse::<lettre::Address>().is_ok() => Ok(Self::Address(normalized(text))),
            _ => Err(format!("{text} is neither an address nor an @domain")),
        }
    }
}

impl Quota {
    /// The windows that are counted, and how many mails each admits.
    pub(crate) fn windows(self) -> [(Duration, u32); 2] {
        const HOUR: Duration = Duration::from_hours(1);
        [(HOUR, self.per_hour), (HOUR * 24, self.per_day)]
    }
}

impl<S> FromRequestParts<S> for Sender
where
    S: Send + Sync,
    Verifier: FromRef<S>,
    ServiceToken: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.headers.contains_key(SERVICE_TOKEN) {
            InternalCall::from_request_parts(parts, state).await?;
            return Ok(Self::Service);
        }
        let caller = Caller::from_request_parts(parts, state).await?;
        match (caller.role, caller.user_id) {
            (Role::ServiceRole, _) => Ok(Self::Service),
            (Role::Authenticated, Some(id)) => Ok(Self::User {
                id,
                email: caller.claims.email.filter(|email| !email.is_empty()),
            }),
            _ => Err(TokenError::SignInRequired.into()),
        }
    }
}

impl<S> FromRequestParts<S> for Operator
where
    S: Send + Sync,
    Verifier: FromRef<S>,
    ServiceToken: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Sender::from_request_parts(parts, state).await? {
            Sender::Service => Ok(Self),
            Sender::User { .. } => Err(TokenError::ServiceRoleRequired.into()),
        }
    }
}

impl<S> FromRequestParts<S> for Onlooker
where
    S: Send + Sync,
    Verifier: FromRef<S>,
    ServiceToken: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if !is_direct(&parts.headers) {
            Operator::from_request_parts(parts, state).await?;
        }
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Sender {
        Sender::User {
            id: Uuid::nil(),
            email: Some("Ada@example.com".to_owned()),
        }
    }

    fn is_permitted(policy: &UserPolicy, sender: &Sender, recipients: &[&str]) -> bool {
        policy.permit(sender, recipients).is_ok()
    }

    #[test]
    fn a_service_may_send_to_everybody() {
        assert!(is_permitted(
            &UserPolicy::Off,
            &Sender::Service,
            &["x@example.org"]
        ));
    }

    #[test]
    fn a_user_may_send_to_nobody_when_it_is_off() {
        assert!(!is_permitted(
            &UserPolicy::Off,
            &ada(),
            &["ada@example.com"]
        ));
    }

    #[test]
    fn a_user_may_send_to_their_own_address_alone() {
        let policy = UserPolicy::Themselves;
        assert!(is_permitted(&policy, &ada(), &["ada@EXAMPLE.com"]));
        assert!(!is_permitted(
            &policy,
            &ada(),
            &["ada@example.com", "eve@example.com"]
        ));
        let nameless = Sender::User {
            id: Uuid::nil(),
            email: None,
        };
        assert!(!is_permitted(&policy, &nameless, &["ada@example.com"]));
    }

    #[test]
    fn a_user_may_send_to_listed_addresses_and_domains() {
        let entries = ["bob@example.org", "@example.net"].map(|entry| entry.parse().unwrap());
        let policy = UserPolicy::Listed(BTreeSet::from(entries));
        assert!(is_permitted(
            &policy,
            &ada(),
            &["Bob@example.org", "x@EXAMPLE.net"]
        ));
        for foreign in [
            "eve@example.org",
            "x@sub.example.net",
            "x@evilexample.net",
            "ada@example.com",
        ] {
            assert!(!is_permitted(&policy, &ada(), &[foreign]), "{foreign}");
        }
    }
}
