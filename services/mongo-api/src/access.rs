//! Who may see which documents of a collection.

use axum::extract::{FromRef, FromRequestParts};
use common::{
    error::ApiError,
    identity::{Caller, Role, TokenError, Verifier},
};
use http::request::Parts;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::document::OWNER;

/// With whom a collection is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// Everyone reads and writes their own documents.
    #[default]
    Private,
    /// Everyone reads all documents, signed in or not; users write their own.
    PublicRead,
    /// Signed-in users read and write all documents.
    App,
}

/// Who is calling, as far as documents are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// The public key, nobody signed in.
    Anonymous,
    /// A signed-in user.
    User(Uuid),
    /// The operator's own servers.
    Service,
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
}

/// The documents of a collection that one request can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Everything,
    Owner(Uuid),
}

impl Principal {
    /// What this caller can reach in a collection.
    pub(crate) fn scope(self, access: Access, action: Action) -> Result<Scope, TokenError> {
        match (self, access, action) {
            (Self::Service, _, _)
            | (_, Access::PublicRead, Action::Read)
            | (Self::User(_), Access::App, _) => Ok(Scope::Everything),
            (Self::User(id), _, _) => Ok(Scope::Owner(id)),
            (Self::Anonymous, _, _) => Err(TokenError::SignInRequired),
        }
    }

    /// Owner of the documents this caller creates.
    pub(crate) fn owner(self) -> Bson {
        match self {
            Self::User(id) => id.to_string().into(),
            Self::Anonymous | Self::Service => Bson::Null,
        }
    }
}

impl Scope {
    /// `query`, confined to this scope. The owner stands outside: nothing in `query` can undo it.
    pub(crate) fn around(self, query: Document) -> Document {
        match self {
            Self::Everything => query,
            Self::Owner(id) if query.is_empty() => doc! { OWNER: id.to_string() },
            Self::Owner(id) => doc! { OWNER: id.to_string(), "$and": [query] },
        }
    }
}

impl<S> FromRequestParts<S> for Principal
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        match (caller.role, caller.user_id) {
            (Role::ServiceRole, _) => Ok(Self::Service),
            (Role::Anon, _) => Ok(Self::Anonymous),
            (Role::Authenticated, Some(id)) => Ok(Self::User(id)),
            (Role::Authenticated, None) => Err(TokenError::SignInRequired.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Principal = Principal::User(Uuid::nil());
    const OWN: Scope = Scope::Owner(Uuid::nil());

    #[test]
    fn a_user_reaches_only_own_documents_unless_the_collection_is_shared() {
        let reach = |access, action| USER.scope(access, action).unwrap();
        assert_eq!(reach(Access::Private, Action::Read), OWN);
        assert_eq!(reach(Access::Private, Action::Write), OWN);
        assert_eq!(reach(Access::PublicRead, Action::Read), Scope::Everything);
        assert_eq!(reach(Access::PublicRead, Action::Write), OWN);
        assert_eq!(reach(Access::App, Action::Write), Scope::Everything);
    }

    #[test]
    fn nobody_signed_in_reads_public_collections_and_nothing_else() {
        let scope = |access, action| Principal::Anonymous.scope(access, action);
        assert_eq!(
            scope(Access::PublicRead, Action::Read),
            Ok(Scope::Everything)
        );
        for (access, action) in [
            (Access::Private, Action::Read),
            (Access::PublicRead, Action::Write),
            (Access::App, Action::Read),
        ] {
            assert_eq!(scope(access, action), Err(TokenError::SignInRequired));
        }
    }

    #[test]
    fn the_owner_stands_outside_whatever_is_asked() {
        let asked = doc! { "owner_id": "another", "$or": [{}] };
        assert_eq!(
            OWN.around(asked.clone()),
            doc! { "owner_id": Uuid::nil().to_string(), "$and": [asked] }
        );
    }
}
