//! `GET /authorize`, `GET` and `POST /callback`: a sign-in that leads through a provider.

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::{
    AppState,
    error::{Error, Result, code},
    grant,
    issuance::{Issuance, issue},
    landing::{self, redirect},
    mails,
    oauth::{
        self,
        accounts::{self, Arrival, Outcome},
        invited,
        profile::Profile,
        provider::{Provider, Tokens, new_verifier},
    },
    pkce::ChallengeInput,
    redirect::ReturnTo,
    request::{self, Origin, Params},
    store::{
        self,
        oauth_flows::{Flow, NewFlow},
    },
};

/// Sends a browser to a provider.
#[utoipa::path(
    get,
    path = "/authorize",
    params(
        ("provider" = String, Query),
        ("redirect_to" = Option<String>, Query),
        ("scopes" = Option<String>, Query),
        ("code_challenge" = Option<String>, Query),
        ("code_challenge_method" = Option<String>, Query),
        ("invite_token" = Option<String>, Query),
    ),
    responses((status = 302), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn authorize(
    State(state): State<AppState>,
    ReturnTo(redirect_to): ReturnTo,
    params: Params,
) -> Result<Response> {
    let url = begin(&state, &params, &redirect_to, None).await?;
    Ok(redirect(StatusCode::FOUND, url.into()))
}

/// Takes a browser back that was at a provider, and leads it on with tokens, a code or an error.
#[utoipa::path(
    get,
    path = "/callback",
    params(("state" = String, Query), ("code" = Option<String>, Query)),
    responses((status = 302), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn callback(
    State(state): State<AppState>,
    origin: Origin,
    params: Params,
    request: Request,
) -> Result<Response> {
    let params = if request.method() == Method::POST {
        request::form(request).await?
    } else {
        params
    };
    let location = match claim(&state, &params).await {
        Err(error) => landing::failed(&state.destinations().site_text(), &error, true)?,
        Ok(flow) => {
            let target = flow.referrer.clone().unwrap_or_default();
            let target = state.destinations().allowed_or_site(&target);
            match complete(&state, &flow, &params, (&origin, &target)).await {
                Ok(location) => location,
                Err(error) => landing::failed(&target, &error, true)?,
            }
        }
    };
    Ok(redirect(StatusCode::FOUND, location))
}

/// `POST /callback`, for providers that answer with a form.
#[utoipa::path(
    post,
    path = "/callback",
    responses((status = 302), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn callback_form(
    state: State<AppState>,
    origin: Origin,
    params: Params,
    request: Request,
) -> Result<Response> {
    callback(state, origin, params, request).await
}

/// Begins a sign-in, or the linking of an identity to `target`; where the browser is to be sent.
pub async fn begin(
    state: &AppState,
    params: &Params,
    redirect_to: &str,
    target: Option<Uuid>,
) -> Result<Url> {
    let provider = oauth::find(state, params.get("provider").unwrap_or_default()).await?;
    let text = |name| params.get(name).unwrap_or_default();
    let challenge = ChallengeInput::new(text("code_challenge"), text("code_challenge_method"));
    let challenge = challenge.parse()?;
    let invite_token = params.get("invite_token");
    let verifier = new_verifier();
    let now = state.now();
    let flow = {
        let mut tx = state.store().begin().await?;
        if let Some(token) = invite_token
            && invited::invited(state, &mut tx, token).await?.is_none()
        {
            let message = "User identified by token not found";
            return Err(Error::not_found(code::USER_NOT_FOUND, message));
        }
        let new = NewFlow {
            provider: &provider.name,
            challenge: challenge.as_ref(),
            referrer: redirect_to,
            invite_token,
            linking_target: target,
            verifier: &verifier,
        };
        let flow = store::oauth_flows::begin(&mut tx, new, now).await?;
        tx.commit().await?;
        flow.to_string()
    };
    let from = (flow.as_str(), verifier.as_str());
    let url = provider
        .authorize_url(state.oauth(), from, params, now)
        .await;
    url.map_err(|error| broken(&provider, &error, "Error reaching external provider"))
}

/// The sign-in that a browser comes back from; it can do so once.
async fn claim(state: &AppState, params: &Params) -> Result<Flow> {
    let Some(id) = params.get("state") else {
        let message = "OAuth state parameter missing";
        return Err(Error::bad_request(code::BAD_OAUTH_CALLBACK, message));
    };
    let bad = |message: &'static str| Error::bad_request(code::BAD_OAUTH_STATE, message);
    let id = Uuid::try_parse(id).map_err(|_| bad("OAuth state parameter is invalid"))?;
    let flow = {
        let mut connection = state.store().connection().await?;
        store::oauth_flows::claim(&mut connection, id).await?
    };
    let flow = flow.ok_or_else(|| bad("OAuth state not found or expired"))?;
    if flow.code_verifier.is_none() {
        let message = "OAuth state has already been used";
        return Err(Error::bad_request(code::FLOW_STATE_ALREADY_USED, message));
    }
    let expiry = state.config().external.flow_state_expiry;
    if flow
        .created_at
        .is_none_or(|began| state.now() > began + expiry)
    {
        return Err(bad("OAuth state has expired"));
    }
    Ok(flow)
}

/// Finds out who came back, signs them in, and where the browser is to be led.
async fn complete(
    state: &AppState,
    flow: &Flow,
    params: &Params,
    (origin, target): (&Origin, &str),
) -> Result<String> {
    if let Some(error) = params.get("error") {
        let description = params.get("error_description").unwrap_or_default();
        return Err(Error::oauth(error.to_owned(), description.to_owned()));
    }
    let provider = oauth::find(state, &flow.provider_type).await?;
    let (profile, tokens) = ask(state, &provider, flow, params).await?;
    let arrival = Arrival {
        provider: &provider.name,
        email_optional: provider.email_optional,
        profile: &profile,
        new_user: Uuid::new_v4(),
        origin,
        redirect_to: target,
    };
    let is_plain = flow.linking_target_id.is_none() && flow.invite_token.is_none();
    accounts::admit(state, &arrival, is_plain, || {
        issue(state, |issuance| settle(issuance, flow, &arrival, &tokens))
    })
    .await
}

/// Signs in whoever came back, in one transaction; where the browser is to be led.
async fn settle(
    issuance: Issuance<'_>,
    flow: &Flow,
    arrival: &Arrival<'_>,
    tokens: &Tokens,
) -> Result<String> {
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    let outcome = match (flow.linking_target_id, &flow.invite_token) {
        (Some(target), _) => accounts::link(state, &mut tx, arrival, target).await?,
        (None, Some(invite)) => invited::accept(state, &mut tx, arrival, invite).await?,
        (None, None) => accounts::sign_in(state, &mut tx, arrival).await?,
    };
    let user = match outcome {
        Outcome::Welcome(user) => user,
        Outcome::Refused(error, mail) => {
            store::oauth_flows::end(&mut tx, flow.id).await?;
            tx.commit().await?;
            send(state, mail, arrival.origin).await?;
            return Err(error);
        }
    };
    let location = if flow.is_pkce {
        let refresh = tokens.refresh_token.as_deref();
        let theirs = (tokens.access_token.as_str(), refresh);
        let issued = store::oauth_flows::issue_code(&mut tx, flow.id, user.id, theirs, now);
        let code = issued.await?.ok_or_else(crate::verification::no_flow)?;
        landing::with_query(arrival.redirect_to, &[("code", &code)])?
    } else {
        store::oauth_flows::end(&mut tx, flow.id).await?;
        let granted = grant::begin(&issuance, &mut tx, &user, "oauth", arrival.origin).await?;
        let theirs = [
            ("provider_token", Some(tokens.access_token.clone())),
            ("provider_refresh_token", tokens.refresh_token.clone()),
        ];
        landing::with_fragment(arrival.redirect_to, granted.fragment(theirs))?
    };
    tx.commit().await?;
    Ok(location)
}

/// Sends what must be confirmed first, if there is something.
pub async fn send(state: &AppState, mail: Option<Box<mails::Mail>>, origin: &Origin) -> Result<()> {
    match mail {
        Some(mail) => mails::send(state, &[*mail], origin).await,
        None => Ok(()),
    }
}

/// Nothing of ours is held while the provider is asked.
async fn ask(
    state: &AppState,
    provider: &Provider,
    flow: &Flow,
    params: &Params,
) -> Result<(Profile, Tokens)> {
    let code = params.get("code").ok_or_else(|| {
        let message = "OAuth callback with missing authorization code missing";
        Error::bad_request(code::BAD_OAUTH_CALLBACK, message)
    })?;
    let verifier = flow.code_verifier.as_deref().unwrap_or_default();
    let (oauth, now) = (state.oauth(), state.now());
    let tokens = provider.exchange(oauth, (code, verifier), now).await;
    let tokens =
        tokens.map_err(|error| broken(provider, &error, "Unable to exchange external code"))?;
    let profile = provider.profile(oauth, &tokens, verifier, now).await;
    let mut profile = profile.map_err(|error| {
        let message = "Error getting user profile from external provider";
        broken(provider, &error, message)
    })?;
    // Apple tells the name once, beside the code.
    if let Some(user) = params
        .get("user")
        .and_then(|text| serde_json::from_str(text).ok())
    {
        let user: Value = user;
        let name = oauth::template::text("{name.firstName} {name.lastName}", &user);
        if let (Some(name), false) = (name, profile.claims.contains_key("name")) {
            profile
                .claims
                .insert("name".to_owned(), Value::String(name));
        }
    }
    if profile.emails.is_empty() && !provider.email_optional && flow.linking_target_id.is_none() {
        let message = "Error getting user email from external provider";
        return Err(failure(message));
    }
    Ok((profile, tokens))
}

/// What is wrong with a provider is for our log; the browser learns that it is.
pub fn broken(provider: &Provider, error: &anyhow::Error, message: &'static str) -> Error {
    tracing::warn!(
        provider = provider.name,
        error = format!("{error:#}"),
        "{message}"
    );
    failure(message)
}

fn failure(message: &'static str) -> Error {
    Error::refused(
        StatusCode::INTERNAL_SERVER_ERROR,
        code::UNEXPECTED_FAILURE,
        message,
    )
}
