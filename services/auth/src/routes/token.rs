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
    issuance::{Issuance, issue},
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
            let granted = issue(&state, |issuance| by_code(issuance, &input, &origin)).await?;
            Ok(granted.into_response())
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
    // A password that is changed or hashed anew in between is compared once more.
    for _ in 0..2 {
        let (user, is_outdated) = proven(state, &contact, &password, origin).await?;
        let requirements = &state.config().password.requirements;
        let weakness = requirements.weakness(&password).await?;
        let hash = if is_outdated {
            Some(state.hasher().hash(password.clone()).await?)
        } else {
            None
        };
        let proof = (&user, hash.as_deref());
        let granted = issue(state, |issuance| sign_in(issuance, proof, &contact, origin)).await?;
        if let Some(granted) = granted {
            return Ok(granted.with_weakness(weakness.as_ref()));
        }
    }
    Err(wrong())
}

/// Whose password it is, and whether its hash is one to be replaced. Nothing is held while hashing,
/// and an unknown user costs what a known one does.
async fn proven(
    state: &AppState,
    contact: &Contact,
    password: &SecretString,
    origin: &Origin,
) -> Result<(User, bool)> {
    let user = {
        let mut connection = state.store().connection().await?;
        contact
            .user(&mut connection, state.audience(origin))
            .await?
    };
    let hash = user
        .as_ref()
        .and_then(|user| user.encrypted_password.as_deref());
    let verdict = state.hasher().verify(password.clone(), hash).await?;
    if let Some(user) = &user {
        let valid = verdict != Verdict::Wrong;
        points::password_verification_attempt(state, user.id, valid, origin).await?;
    }
    let (Some(user), Verdict::Right | Verdict::Outdated) = (user, verdict) else {
        return Err(wrong());
    };
    check_may_sign_in(state, &user, contact)?;
    Ok((user, verdict == Verdict::Outdated))
}

/// Signs a user in who proved to know the password, in one transaction; none when it is not the
/// user's any more.
async fn sign_in(
    issuance: Issuance<'_>,
    (proven, hash): (&User, Option<&str>),
    contact: &Contact,
    origin: &Origin,
) -> Result<Option<Granted>> {
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    let user = store::users::lock(&mut tx, proven.id).await?;
    let Some(user) = user.filter(|user| user.encrypted_password == proven.encrypted_password)
    else {
        return Ok(None);
    };
    check_may_sign_in(state, &user, contact)?;
    if let Some(hash) = hash {
        store::users::upgrade_hash(&mut tx, user.id, hash).await?;
    }
    let traits = json!({ "provider": contact.provider() });
    let event = (origin, now);
    audit::record(&mut tx, Action::Login, Actor::User(&user), traits, event).await?;
    let granted = grant::begin(&issuance, &mut tx, &user, "password", origin).await?;
    tx.commit().await?;
    Ok(Some(granted))
}

fn wrong() -> Error {
    Error::bad_request(code::INVALID_CREDENTIALS, "Invalid login credentials")
}

async fn by_code(issuance: Issuance<'_>, input: &CodeGrant, origin: &Origin) -> Result<Granted> {
    if input.auth_code.is_empty() || input.code_verifier.is_empty() {
        return Err(Error::invalid(
            "invalid request: both auth code and code verifier should be non-empty",
        ));
    }
    let (state, now) = (issuance.state(), issuance.at());
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
    let granted = grant::begin(&issuance, &mut tx, &user, method, origin).await?;
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
