//! `GET /oauth/authorize`: an application sends a browser that is to bring back a code.

use axum::{extract::State, response::Response};
use http::StatusCode;

use super::Enabled;
use crate::{
    AppState,
    error::{Error, Result, code},
    landing::{redirect, with_query},
    limits::Limit,
    oauth_server::{
        self,
        authorization::{Wish, refused},
    },
    request::{Origin, Params},
    store::{self, oauth_authorizations::NewAuthorization},
};

/// Leads a browser to the place where its user is asked for consent.
///
/// Until client and redirect URI are known to belong together, nobody is led anywhere.
#[utoipa::path(
    operation_id = "oauth_authorize",
    get,
    path = "/oauth/authorize",
    params(
        ("client_id" = String, Query),
        ("redirect_uri" = String, Query),
        ("response_type" = Option<String>, Query),
        ("scope" = Option<String>, Query),
        ("state" = Option<String>, Query),
        ("code_challenge" = String, Query),
        ("code_challenge_method" = String, Query),
        ("resource" = Option<String>, Query),
        ("nonce" = Option<String>, Query),
    ),
    responses((status = 302), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn authorize(
    State(state): State<AppState>,
    _: Enabled,
    origin: Origin,
    params: Params,
) -> Result<Response> {
    let now = state.now();
    state.limits().check(Limit::Authorization, origin.ip, now)?;
    let needed = |name| {
        let value = params.get(name);
        value.ok_or_else(|| Error::invalid(format!("{name} is required")))
    };
    let (client_id, redirect_uri) = (needed("client_id")?, needed("redirect_uri")?);
    let unknown = |message| Error::bad_request(code::OAUTH_CLIENT_NOT_FOUND, message);
    let client_id = client_id
        .parse()
        .map_err(|_| unknown("invalid client_id format"))?;
    let mut connection = state.store().connection().await?;
    let client = store::oauth_clients::find(&mut connection, client_id).await?;
    let client = client.ok_or_else(|| unknown("invalid client_id"))?;
    if !client.may_return_to(redirect_uri) {
        return Err(Error::invalid("invalid redirect_uri"));
    }

    let config = &state.config().oauth_server;
    let wish = match Wish::parse(&params, &config.default_scope) {
        Ok(wish) => wish,
        Err(problem) => {
            let why = ("invalid_request", problem.as_str());
            let location = refused(redirect_uri, why, params.get("state"))?;
            return Ok(redirect(StatusCode::FOUND, location));
        }
    };
    let authorization_id = oauth_server::new_secret();
    let new = NewAuthorization {
        authorization_id: &authorization_id,
        client_id,
        redirect_uri,
        state: params.get("state"),
        wish: &wish,
    };
    let life = (now, now + config.authorization_ttl);
    store::oauth_authorizations::delete_expired(&mut connection, now).await?;
    store::oauth_authorizations::insert(&mut connection, new, life).await?;
    let site = state.destinations().site_text();
    let path = config.authorization_path.trim_start_matches('/');
    let page = format!("{}/{path}", site.trim_end_matches('/'));
    let location = with_query(&page, &[("authorization_id", &authorization_id)])?;
    Ok(redirect(StatusCode::FOUND, location))
}
