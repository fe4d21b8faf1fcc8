//! Extractor for requests of people who need not be signed in: how often they may come, and whether
//! they are people at all, is seen to before a handler is.

use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::de::DeserializeOwned;

use crate::{
    AppState,
    authentication::ByAdmin,
    captcha::MetaSecurity,
    error::{Error, Result},
    limits::Limit,
    redirect::ReturnTo,
    request::{Body, Origin},
};

/// What a stranger can ask for.
pub trait Wish: DeserializeOwned + Send + Sync {
    /// What it is limited as.
    const LIMIT: Limit;

    /// What the client says beside it.
    fn security(&self) -> &MetaSecurity;
}

/// Somebody who came not too often, and is none of the programs that captchas keep out.
#[derive(Clone, Debug)]
pub struct Stranger<T> {
    /// Where the request came from.
    pub origin: Origin,
    /// Where they want to end up, among the allowed places.
    pub redirect_to: String,
    /// What they ask for.
    pub wish: T,
}

impl<T: Wish> FromRequest<AppState> for Stranger<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let origin = Origin::from_request_parts(&mut parts, state).await?;
        state.limits().check(T::LIMIT, origin.ip, state.now())?;
        let ReturnTo(redirect_to) = ReturnTo::from_request_parts(&mut parts, state).await?;
        let Ok(ByAdmin(by_admin)) = ByAdmin::from_request_parts(&mut parts, state).await;
        let request = Request::from_parts(parts, body);
        let Body(wish) = Body::<T>::from_request(request, state).await?;
        let security = wish.security();
        state.captcha().check(security, &origin, by_admin).await?;
        Ok(Self {
            origin,
            redirect_to,
            wish,
        })
    }
}
