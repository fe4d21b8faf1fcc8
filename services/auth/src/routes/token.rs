//! `POST /token`: grants by password and by refresh token.

use axum::{
    extract::{FromRequest, Request, State},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    AppState,
    accounts::Contact,
    address,
    audit::{self, Action, Actor},
    authentication::ByAdmin,
    captcha::MetaSecurity,
    error::{Error, Result, code},
    grant::{self, Granted, Tokens},
    hooks::points,
    limits::Limit,
    password::hash::Verdict,
    pkce,
    request::{Body, Origin, Params},
    routes::{
        id_token::{self, IdTokenGrant},
        web3::{self, Web3Grant},
    },
    store,
    user::User,
    verification::no_flow,
};

/// A password and whose it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PasswordGrant {
    #[serde(default)]
    email: String,
    #[serde(default)]
    phone: String,
    #[schema(value_type = String)]
    #[serde(default)]
    password: Option<SecretString>,
    #[serde(default)]
    gotrue_meta_security: MetaSecurity,
}

/// A refresh token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RefreshGrant {
    refresh_token: String,
}

/// A code, and what proves that it is the requester who presents it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct CodeGrant {
    auth_code: String,
    code_verifier: String,
}

/// Exchanges a proof of who the client is for tokens.
#[utoipa::path(
    post,
    path = "/token",
    params(("grant_type" = String, Query, description = "`password`, `refresh_token`, `pkce`, `id_token` or `web3`")),
    request_body = PasswordGrant,
    responses((status = 200, body = Tokens), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn token(
    State(state): State<AppState>,
    origin: Origin,
    params: Params,
    ByAdmin(by_admin): ByAdmin,
    request: Request,
) -> Result<Response> {
    state.limits().check(Limit::Token, origin.ip, state.now())?;
    match params.get("grant_type").unwrap_or_default() {
        "password" => {
            let Body(input) = Body::<PasswordGrant>::from_request(request, &state).await?;
            let security = &input.gotrue_meta_security;
            state.captcha().check(security, &origin, by_admin).await?;
            let granted = by_password(&state, input, &origin).await?;
            Ok(granted.into_response())
        }
        "refresh_token" => {
            let Body(input) = Body::<RefreshGrant>::from_request(request, &state).await?;
            let granted = grant::refresh(&state, &input.refresh_token, None, &origin).await?;
            Ok(granted.into_response())
        }
        "id_token" => {
            let (mut parts, body) = request.into_parts();
            let request = Request::from_parts(parts.clone(), body);
            let Body(input) = Body::<IdTokenGrant>::from_request(request, &state).await?;
            let granted = id_token::exchange(&state, &input, &mut parts, &origin).await?;
            Ok(granted.into_response())
        }
        "web3" => {
            let Body(input) = Body::<Web3Grant>::from_request(request, &state).await?;
            let security = &input.gotrue_meta_security;
            state.captcha().check(security, &origin, by_admin).await?;
            let granted = web3::exchange(&state, &input, &origin).await?;
            Ok(granted.into_response())
        }
        "pkce" => {
            let Body(input) = Body::<CodeGrant>::from_request(request, &state).await?;
            Ok(by_code(&state, &input, &origin).await?.into_response())
        }
        _ => Err(Error::bad_request(
            code::INVALID_CREDENTIALS,
            "unsupported_grant_type",
        )),
    }
}

async fn by_password(state: &AppState, input: PasswordGrant, origin: &Origin) -> Result<Granted> {
    let contact = input.contact(state)?;
    let password = input.password.unwrap_or_default();
    state
        .limits()
        .check_account(Limit::Token, contact.address(), state.now())?;
    let user = {
        let mut connection = state.store().connection().await?;
        contact
            .user(&mut connection, state.audience(origin))
            .await?
    };
    // Nothing is held while hashing, and an unknown user costs what a known one does.
    let hash = user
        .as_ref()
        .and_then(|user| user.encrypted_password.clone());
    let verdict = state
        .hasher()
        .verify(password.clone(), hash.as_deref())
        .await?;
    if let Some(user) = &user {
        let valid = verdict != Verdict::Wrong;
        points::password_verification_attempt(state, user.id, valid, origin).await?;
    }
    let (Some(user), Verdict::Right | Verdict::Outdated) = (user, verdict) else {
        let message = "Invalid login credentials";
        return Err(Error::bad_request(code::INVALID_CREDENTIALS, message));
    };
    check_may_sign_in(state, &user, &contact)?;

    let weakness = state
        .config()
        .password
        .requirements
        .weakness(&password)
        .await?;
    let upgraded = match (verdict, hash) {
        (Verdict::Outdated, Some(old)) => Some((old, state.hasher().hash(password).await?)),
        _ => None,
    };
    let mut tx = state.store().begin().await?;
    if let Some((old, new)) = upgraded {
        store::users::upgrade_hash(&mut tx, user.id, &old, &new).await?;
    }
    let event = (origin, state.now());
    let traits = json!({ "provider": contact.provider() });
    audit::record(&mut tx, Action::Login, Actor::User(&user), traits, event).await?;
    let granted = grant::begin(state, &mut tx, &user, "password", origin).await?;
    tx.commit().await?;
    Ok(granted.with_weakness(weakness.as_ref()))
}

async fn by_code(state: &AppState, input: &CodeGrant, origin: &Origin) -> Result<Granted> {
    if input.auth_code.is_empty() || input.code_verifier.is_empty() {
        return Err(Error::invalid(
            "invalid request: both auth code and code verifier should be non-empty",
        ));
    }
    let now = state.now();
    // A refusal rolls back, so a wrong verifier does not use the code up.
    let mut tx = state.store().begin().await?;
    let flow = store::flow_states::take(&mut tx, &input.auth_code).await?;
    let flow = flow.ok_or_else(no_flow)?;
    let since = flow.auth_code_issued_at.ok_or_else(no_flow)?;
    if now > since + state.config().external.flow_state_expiry {
        return Err(Error::unprocessable(
            code::FLOW_STATE_EXPIRED,
            "invalid flow state, flow state has expired",
        ));
    }
    let challenge = flow.code_challenge.unwrap_or_default();
    let method = flow.code_challenge_method.unwrap_or_default();
    pkce::check(&challenge, &method, &input.code_verifier)?;
    let user = match flow.user_id {
        Some(id) => store::users::by_id(&mut tx, id).await?,
        None => None,
    };
    let user = user.ok_or_else(no_flow)?;
    if user.is_banned(now) {
        return Err(Error::bad_request(code::USER_BANNED, "User is banned"));
    }
    let traits = json!({ "provider_type": flow.provider_type });
    audit::record(
        &mut tx,
        Action::Login,
        Actor::User(&user),
        traits,
        (origin, now),
    )
    .await?;
    let method = flow.authentication_method.as_str();
    let granted = grant::begin(state, &mut tx, &user, method, origin).await?;
    granted.end_at(&mut tx, flow.session_not_after).await?;
    tx.commit().await?;
    Ok(granted.with_provider_tokens(flow.provider_access_token, flow.provider_refresh_token))
}

fn check_may_sign_in(state: &AppState, user: &User, contact: &Contact) -> Result<()> {
    if user.is_banned(state.now()) {
        return Err(Error::bad_request(code::USER_BANNED, "User is banned"));
    }
    if contact.is_confirmed_by(user) {
        return Ok(());
    }
    match contact {
        Contact::Email(_) if state.config().mailer.allow_unverified_sign_ins => Ok(()),
        Contact::Email(_) => Err(Error::bad_request(
            code::EMAIL_NOT_CONFIRMED,
            "Email not confirmed",
        )),
        Contact::Phone(_) => Err(Error::bad_request(
            code::PHONE_NOT_CONFIRMED,
            "Phone not confirmed",
        )),
    }
}

impl PasswordGrant {
    fn contact(&self, state: &AppState) -> Result<Contact> {
        let external = &state.config().external;
        match (self.email.is_empty(), self.phone.is_empty()) {
            (false, false) => Err(Error::invalid(
                "Only an email address or phone number should be provided on login.",
            )),
            (true, true) => Err(Error::invalid("missing email or phone")),
            (false, true) if !external.email => Err(Error::unprocessable(
                code::EMAIL_PROVIDER_DISABLED,
                "Email logins are disabled",
            )),
            (true, false) if !external.phone => Err(Error::unprocessable(
                code::PHONE_PROVIDER_DISABLED,
                "Phone logins are disabled",
            )),
            (false, true) => Ok(Contact::Email(self.email.to_lowercase())),
            (true, false) => Ok(Contact::Phone(address::stored_phone(&self.phone))),
        }
    }
}
