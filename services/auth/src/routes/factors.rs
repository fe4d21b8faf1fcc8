//! `/factors`: second factors of a user, by time-based codes.

use axum::extract::State;
use common::extract::Json;
use qrcode::{QrCode, render::svg};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    factor::Factor,
    grant::{self, Granted, Tokens},
    hooks::points,
    limits::Limit,
    request::{Body, FactorId, Origin},
    session::Session,
    store::{self, factors::NewFactor},
    totp,
    user::User,
};

/// A factor to be set up.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Enrollment {
    factor_type: String,
    friendly_name: String,
    issuer: String,
}

/// A factor that waits for its first code.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolled {
    id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    friendly_name: String,
    totp: TotpSetup,
}

/// What an authenticator needs.
#[derive(Serialize, ToSchema)]
pub struct TotpSetup {
    qr_code: String,
    secret: String,
    uri: String,
}

/// A challenge to be answered with a code.
#[derive(Debug, Serialize, ToSchema)]
pub struct Challenge {
    id: Uuid,
    #[serde(rename = "type")]
    kind: String,
    expires_at: i64,
}

/// The answer to a challenge.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Answer {
    challenge_id: String,
    code: String,
}

/// Sets a factor up; it counts once a code of it was given.
#[utoipa::path(
    post,
    path = "/factors",
    request_body = Enrollment,
    responses((status = 200, body = Enrolled), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn enroll(
    State(state): State<AppState>,
    signed_in: SignedIn,
    origin: Origin,
    Body(input): Body<Enrollment>,
) -> Result<Json<Enrolled>> {
    let (user, session) = permanent(signed_in)?;
    check_enabled(&state, &input.factor_type)?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    // Two enrollments of one user at once must see each other.
    store::users::lock(&mut tx, user.id).await?;
    store::factors::purge(&mut tx, user.id, now - state.config().mfa.factor_expiry).await?;
    let factors = store::factors::of_users(&mut tx, &[user.id]).await?;
    check_may_enroll(&state, &factors, &session, &input.friendly_name)?;

    let secret = totp::new_secret();
    let new = NewFactor {
        user_id: user.id,
        friendly_name: &input.friendly_name,
        secret: &secret,
    };
    let id = store::factors::insert(&mut tx, new, now).await?;
    let traits = json!({ "factor_id": id });
    let event = (&origin, now);
    audit::record(
        &mut tx,
        Action::FactorInProgress,
        Actor::User(&user),
        traits,
        event,
    )
    .await?;
    tx.commit().await?;

    let site = state.config().site_url.host_str().unwrap_or_default();
    let issuer = if input.issuer.is_empty() {
        site
    } else {
        &input.issuer
    };
    let uri = totp::uri(issuer, user.email(), &secret);
    Ok(Json(Enrolled {
        id,
        kind: "totp",
        friendly_name: input.friendly_name.clone(),
        totp: TotpSetup {
            qr_code: qr_code(&uri)?,
            secret,
            uri,
        },
    }))
}

/// Begins a proof of holding the factor.
#[utoipa::path(
    post,
    path = "/factors/{factor_id}/challenge",
    params(("factor_id" = Uuid, Path)),
    responses((status = 200, body = Challenge), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn challenge(
    State(state): State<AppState>,
    signed_in: SignedIn,
    FactorId(id): FactorId,
    origin: Origin,
) -> Result<Json<Challenge>> {
    state.limits().check(Limit::Mfa, origin.ip, state.now())?;
    let (user, _) = permanent(signed_in)?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    let factor = own(store::factors::of_users(&mut tx, &[user.id]).await?, id)?;
    let challenge = store::factors::challenge(&mut tx, id, &origin, now).await?;
    let traits = json!({ "factor_id": id, "factor_status": factor.status });
    let event = (&origin, now);
    audit::record(
        &mut tx,
        Action::ChallengeCreated,
        Actor::User(&user),
        traits,
        event,
    )
    .await?;
    tx.commit().await?;
    let expires_at = now + state.config().mfa.challenge_expiry;
    Ok(Json(Challenge {
        id: challenge,
        kind: factor.factor_type,
        expires_at: expires_at.unix_timestamp(),
    }))
}

/// Proves to hold the factor, which raises the session to `aal2`.
#[utoipa::path(
    operation_id = "factors_verify",
    post,
    path = "/factors/{factor_id}/verify",
    params(("factor_id" = Uuid, Path)),
    request_body = Answer,
    responses((status = 200, body = Tokens), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn verify(
    State(state): State<AppState>,
    signed_in: SignedIn,
    FactorId(id): FactorId,
    origin: Origin,
    Body(input): Body<Answer>,
) -> Result<Granted> {
    let now = state.now();
    state.limits().check(Limit::Mfa, origin.ip, now)?;
    let (user, session) = permanent(signed_in)?;
    state
        .limits()
        .check_account(Limit::Mfa, &user.id.to_string(), now)?;
    if input.code.is_empty() {
        return Err(Error::invalid("Code needs to be non-empty"));
    }
    report(&state, (&user, id), &input, &origin).await?;
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    let (_, valid) = attempt(&state, &mut tx, (&user, id), &input, &origin).await?;
    if !valid {
        let message = "Invalid TOTP code entered";
        return Err(Error::unprocessable(code::MFA_VERIFICATION_FAILED, message));
    }
    let challenge: Uuid = input.challenge_id.parse().map_err(|_| no_challenge())?;
    store::factors::answered(&mut tx, challenge, &input.code, now).await?;
    store::factors::verified(&mut tx, user.id, id, now).await?;
    let traits = json!({ "factor_id": id, "challenge_id": challenge });
    let event = (&origin, now);
    let action = Action::VerificationAttempted;
    audit::record(&mut tx, action, Actor::User(&user), traits, event).await?;
    let by = (id, "totp");
    let granted = grant::raise(&state, &mut tx, &user, &session, by, &origin).await?;
    tx.commit().await?;
    Ok(granted)
}

/// Gives a factor up.
#[utoipa::path(
    delete,
    path = "/factors/{factor_id}",
    params(("factor_id" = Uuid, Path)),
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn unenroll(
    State(state): State<AppState>,
    signed_in: SignedIn,
    FactorId(id): FactorId,
    origin: Origin,
) -> Result<Json<Value>> {
    let (user, session) = permanent(signed_in)?;
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    let factor = own(store::factors::of_users(&mut tx, &[user.id]).await?, id)?;
    if factor.is_verified() && !session.is_aal2() {
        let message = "AAL2 required to unenroll verified factor";
        return Err(Error::unprocessable(code::INSUFFICIENT_AAL, message));
    }
    store::sessions::lower(&mut tx, id, state.now()).await?;
    store::factors::delete(&mut tx, id).await?;
    let traits = json!({ "factor_id": id, "factor_status": factor.status });
    let event = (&origin, state.now());
    audit::record(
        &mut tx,
        Action::FactorUnenrolled,
        Actor::User(&user),
        traits,
        event,
    )
    .await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id })))
}

/// Tells the hook about the attempt, which may end it. Nothing is held while it is asked, and what
/// it stores stays whatever comes of the attempt.
async fn report(
    state: &AppState,
    whose: (&User, Uuid),
    input: &Answer,
    origin: &Origin,
) -> Result<()> {
    if state.hooks().config().mfa_verification_attempt.is_none() {
        return Ok(());
    }
    let (factor, valid) = {
        let mut connection = state.store().connection().await?;
        attempt(state, &mut connection, whose, input, origin).await?
    };
    points::mfa_verification_attempt(state, &factor, valid, origin).await
}

/// The factor and whether the code is right; fails when there is nothing to be answered.
async fn attempt(
    state: &AppState,
    connection: &mut sqlx::PgConnection,
    (user, id): (&User, Uuid),
    input: &Answer,
    origin: &Origin,
) -> Result<(Factor, bool)> {
    let now = state.now();
    let factors = store::factors::of_users(connection, &[user.id]).await?;
    let factor = own(factors, id)?;
    check_challenge(state, connection, id, &input.challenge_id, origin).await?;
    let secret = factor.secret.as_deref().unwrap_or_default();
    let is_replay = store::factors::was_used(connection, id, &input.code, now).await?;
    let valid = !is_replay && totp::is_current(secret, &input.code, now);
    Ok((factor, valid))
}

/// A user who may have factors, and the session they are used in.
fn permanent(signed_in: SignedIn) -> Result<(User, Session)> {
    if signed_in.user.is_anonymous {
        let message = "Anonymous user not allowed to perform these actions";
        return Err(Error::forbidden(code::NO_AUTHORIZATION, message));
    }
    let session = signed_in.session.ok_or_else(|| {
        let message = "Session from session_id claim in JWT does not exist";
        Error::forbidden(code::SESSION_NOT_FOUND, message)
    })?;
    Ok((signed_in.user, session))
}

fn check_enabled(state: &AppState, kind: &str) -> Result<()> {
    let (code, name) = match kind {
        "totp" if state.config().mfa.totp_enroll => return Ok(()),
        "totp" => (code::MFA_TOTP_ENROLL_NOT_ENABLED, "TOTP"),
        "phone" => (code::MFA_PHONE_ENROLL_NOT_ENABLED, "Phone"),
        "webauthn" => (code::MFA_WEBAUTHN_ENROLL_NOT_ENABLED, "WebAuthn"),
        _ => {
            let message = "factor_type needs to be totp, phone, or webauthn";
            return Err(Error::invalid(message));
        }
    };
    Err(Error::unprocessable(
        code,
        format!("MFA enroll is disabled for {name}"),
    ))
}

fn check_may_enroll(
    state: &AppState,
    factors: &[Factor],
    session: &Session,
    name: &str,
) -> Result<()> {
    let verified = factors.iter().filter(|factor| factor.is_verified()).count();
    let limits = &state.config().mfa;
    if factors.len() >= limits.max_enrolled || verified >= limits.max_verified {
        return Err(Error::unprocessable(
            code::TOO_MANY_ENROLLED_MFA_FACTORS,
            "Maximum number of verified factors reached, unenroll to continue",
        ));
    }
    if verified > 0 && !session.is_aal2() {
        let message = "AAL2 required to enroll a new factor";
        return Err(Error::forbidden(code::INSUFFICIENT_AAL, message));
    }
    let has_name = |factor: &Factor| factor.friendly_name.as_deref().unwrap_or_default() == name;
    if factors.iter().any(has_name) {
        let message =
            format!("A factor with the friendly name \"{name}\" for this user already exists");
        return Err(Error::unprocessable(
            code::MFA_FACTOR_NAME_CONFLICT,
            message,
        ));
    }
    Ok(())
}

/// Fails unless the challenge is of this factor and client, recent and unanswered.
async fn check_challenge(
    state: &AppState,
    connection: &mut sqlx::PgConnection,
    factor: Uuid,
    id: &str,
    origin: &Origin,
) -> Result<()> {
    let challenge = match id.parse() {
        Ok(id) => store::factors::find_challenge(connection, id, factor).await?,
        Err(_) => None,
    };
    let challenge = challenge.ok_or_else(no_challenge)?;
    if challenge.verified_at.is_some() || challenge.ip != store::factors::address(origin) {
        return Err(Error::unprocessable(
            code::MFA_IP_ADDRESS_MISMATCH,
            "Challenge and verify IP addresses mismatch.",
        ));
    }
    let end: OffsetDateTime = challenge.created_at + state.config().mfa.challenge_expiry;
    if state.now() > end {
        let message = format!(
            "MFA challenge {id} has expired, verify against another challenge or create a new \
             challenge."
        );
        return Err(Error::unprocessable(code::MFA_CHALLENGE_EXPIRED, message));
    }
    Ok(())
}

fn no_challenge() -> Error {
    Error::unprocessable(
        code::MFA_FACTOR_NOT_FOUND,
        "MFA factor with the provided challenge ID not found",
    )
}

fn own(factors: Vec<Factor>, id: Uuid) -> Result<Factor> {
    factors
        .into_iter()
        .find(|factor| factor.id == id)
        .ok_or_else(|| Error::not_found(code::MFA_FACTOR_NOT_FOUND, "Factor not found"))
}

fn qr_code(uri: &str) -> Result<String> {
    let code = QrCode::new(uri).map_err(|_| Error::invalid("The issuer is too long"))?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .build())
}

impl std::fmt::Debug for TotpSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpSetup")
    }
}
