//! Extractors for whoever sends an access token.

use axum::extract::FromRequestParts;
use common::context::RequestContext;
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use uuid::Uuid;

use crate::{
    AppState,
    error::{Error, Result, code},
    jwt::Claims,
    session::Session,
    store,
    user::User,
};

/// A genuine access token, whoever it belongs to.
#[derive(Clone, Debug)]
pub struct Bearer(pub Claims);

/// A user in person, whose token, session and account are all good at this moment.
///
/// An OAuth client has a token because the user let it in: it may read as one who is [`Represented`]
/// and changes nothing of the account, which would outlast what it was granted.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The session the token belongs to; tokens made elsewhere have none.
    pub session: Option<Session>,
    /// The token's claims.
    pub claims: Claims,
}

/// A user in person, or an OAuth client that they let in.
#[derive(Clone, Debug)]
pub struct Represented(pub SignedIn);

/// Somebody with an admin role.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The role.
    pub role: String,
}

impl FromRequestParts<AppState> for Bearer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            let message = "This endpoint requires a valid Bearer token";
            Error::unauthorized(code::NO_AUTHORIZATION, message)
        })?;
        let claims = state.keys().verify(token, state.now())?;
        if let Some(context) = RequestContext::current()
            && !claims.sub.is_empty()
        {
            context.set_user(&claims.sub);
        }
        Ok(Self(claims))
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Represented(signed_in) = Represented::from_request_parts(parts, state).await?;
        signed_in.check_in_person()?;
        Ok(signed_in)
    }
}

impl SignedIn {
    /// Fails when an OAuth client has the token.
    pub fn check_in_person(&self) -> Result<()> {
        let session = self.session.as_ref();
        let has_client = session.is_some_and(|session| session.oauth_client_id.is_some());
        if has_client || self.claims.client_id.is_some() {
            let message = "An OAuth client cannot do this in the name of its user";
            return Err(Error::forbidden(code::INSUFFICIENT_SCOPE, message));
        }
        Ok(())
    }
}

impl FromRequestParts<AppState> for Represented {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Bearer(claims) = Bearer::from_request_parts(parts, state).await?;
        let user_id = subject(&claims)?;
        let session_id = session_id(&claims)?;
        // What a client has is good with its session only; an ID token has none.
        if claims.client_id.is_some() && session_id.is_none() {
            let message = "invalid claim: missing session_id claim";
            return Err(Error::forbidden(code::BAD_JWT, message));
        }
        let mut connection = state.store().connection().await?;
        let user = store::users::by_id(&mut connection, user_id)
            .await?
            .filter(|user| user.deleted_at.is_none())
            .ok_or_else(|| {
                let message = "User from sub claim in JWT does not exist";
                Error::forbidden(code::USER_NOT_FOUND, message)
            })?;
        if user.is_banned(state.now()) {
            return Err(Error::forbidden(code::USER_BANNED, "User is banned"));
        }
        let session = match session_id {
            None => None,
            Some(id) => {
                let found = store::sessions::of_user(&mut connection, id, user.id).await?;
                Some(found.ok_or_else(no_session)?)
            }
        };
        Ok(Self(SignedIn {
            user,
            session,
            claims,
        }))
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Bearer(claims) = Bearer::from_request_parts(parts, state).await?;
        if is_admin(state, &claims) {
            Ok(Self { role: claims.role })
        } else {
            Err(Error::forbidden(code::NOT_ADMIN, "User not allowed"))
        }
    }
}

/// Whether the request carries an admin's token; no request is refused for want of one.
#[derive(Clone, Copy, Debug)]
pub struct ByAdmin(pub bool);

impl FromRequestParts<AppState> for ByAdmin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let admin = Admin::from_request_parts(parts, state).await;
        Ok(Self(admin.is_ok()))
    }
}

/// The refusal of an access token whose session has ended.
pub fn no_session() -> Error {
    let message = "Session from session_id claim in JWT does not exist";
    Error::forbidden(code::SESSION_NOT_FOUND, message)
}

/// Whether a token speaks for one of the admin roles. An OAuth client's never does, whatever its user
/// may do.
pub fn is_admin(state: &AppState, claims: &Claims) -> bool {
    claims.client_id.is_none() && state.config().jwt.admin_roles.contains(&claims.role)
}

fn subject(claims: &Claims) -> Result<Uuid> {
    if claims.sub.is_empty() {
        let message = "invalid claim: missing sub claim";
        return Err(Error::forbidden(code::BAD_JWT, message));
    }
    Uuid::try_parse(&claims.sub)
        .map_err(|_| Error::bad_request(code::BAD_JWT, "invalid claim: sub claim must be a UUID"))
}

fn session_id(claims: &Claims) -> Result<Option<Uuid>> {
    if claims.session_id.is_empty() {
        return Ok(None);
    }
    let id = Uuid::try_parse(&claims.session_id).map_err(|_| {
        Error::forbidden(
            code::BAD_JWT,
            "invalid claim: session_id claim must be a UUID",
        )
    })?;
    Ok((!id.is_nil()).then_some(id))
}

/// The token of a header that is `Bearer`, one blank and no other.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_one_word = !token.is_empty() && !token.contains(char::is_whitespace);
    (scheme.eq_ignore_ascii_case("bearer") && is_one_word).then_some(token)
}
