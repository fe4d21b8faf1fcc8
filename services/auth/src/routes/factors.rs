//! `/factors`: second factors of a user, set up and given up.

pub mod challenge;
pub mod recovery_codes;
pub mod verify;

use axum::extract::State;
use common::extract::Json;
use qrcode::{QrCode, render::svg};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState, address,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    factor::{Factor, Kind},
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
    phone: String,
}

/// A factor that waits for its first proof.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolled {
    id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    friendly_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<TotpSetup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// What an authenticator needs.
#[derive(Serialize, ToSchema)]
pub struct TotpSetup {
    qr_code: String,
    secret: String,
    uri: String,
}

/// Sets a factor up; it counts once a proof of holding it was given.
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
    let kind = input.kind(&state)?;
    let phone = input.phone(kind)?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    // Two enrollments of one user at once must see each other.
    store::users::lock(&mut tx, user.id).await?;
    store::factors::purge(&mut tx, user.id, now - state.config().mfa.factor_expiry).await?;
    if let Some(phone) = &phone {
        take_over_number(&mut tx, user.id, phone).await?;
    }
    let factors = store::factors::of_users(&mut tx, &[user.id]).await?;
    check_may_enroll(&state, &factors, &session, &input.friendly_name)?;

    let secret = (kind == Kind::Totp).then(totp::new_secret);
    let id = Uuid::new_v4();
    let encryption = &state.config().encryption;
    let stored = secret.as_deref().map(|secret| encryption.seal(id, secret));
    let stored = stored.transpose()?;
    let new = NewFactor {
        id,
        user_id: user.id,
        kind,
        friendly_name: &input.friendly_name,
        secret: stored.as_deref(),
        phone: phone.as_deref(),
    };
    store::factors::insert(&mut tx, new, now).await?;
    let traits = json!({ "factor_id": id, "factor_type": kind.name() });
    let action = Action::FactorInProgress;
    audit::record(&mut tx, action, Actor::User(&user), traits, (&origin, now)).await?;
    tx.commit().await?;

    let setup = secret.map(|secret| TotpSetup::new(&state, &input.issuer, &user, secret));
    Ok(Json(Enrolled {
        id,
        kind: kind.name(),
        friendly_name: input.friendly_name,
        totp: setup.transpose()?,
        phone: phone.map(|_| input.phone),
    }))
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
    let factor = own(&mut tx, &user, id).await?;
    if factor.is_recovery_codes() {
        let message = "Recovery codes cannot be unenrolled with this endpoint, use DELETE \
                       /factors/recovery-codes";
        return Err(Error::unprocessable(code::VALIDATION_FAILED, message));
    }
    if factor.is_verified() && !session.is_aal2() {
        let message = "AAL2 required to unenroll verified factor";
        return Err(Error::unprocessable(code::INSUFFICIENT_AAL, message));
    }
    if factor.is_verified() {
        leave_more_than_codes(&state, &mut tx, &factor).await?;
    }
    store::sessions::lower(&mut tx, id, state.now()).await?;
    store::factors::delete(&mut tx, id).await?;
    let traits = json!({ "factor_id": id, "factor_status": factor.status });
    let event = (&origin, state.now());
    let action = Action::FactorUnenrolled;
    audit::record(&mut tx, action, Actor::User(&user), traits, event).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id })))
}

impl Enrollment {
    /// The kind of factor, if it can be set up here.
    fn kind(&self, state: &AppState) -> Result<Kind> {
        let kind = Kind::parse(&self.factor_type).ok_or_else(unknown_kind)?;
        let code = match kind {
            _ if state.config().mfa.allowed(kind).enroll => return Ok(kind),
            Kind::Totp => code::MFA_TOTP_ENROLL_NOT_ENABLED,
            Kind::Phone => code::MFA_PHONE_ENROLL_NOT_ENABLED,
            Kind::WebAuthn => code::MFA_WEBAUTHN_ENROLL_NOT_ENABLED,
        };
        let message = format!("MFA enroll is disabled for {}", kind.title());
        Err(Error::unprocessable(code, message))
    }

    /// The number of a phone factor.
    fn phone(&self, kind: Kind) -> Result<Option<String>> {
        match kind {
            Kind::Phone if self.phone.is_empty() => {
                let message = "Phone number required to enroll Phone factor";
                Err(Error::invalid(message))
            }
            Kind::Phone => address::phone(&self.phone).map(Some),
            Kind::Totp | Kind::WebAuthn => Ok(None),
        }
    }
}

impl TotpSetup {
    fn new(state: &AppState, issuer: &str, user: &User, secret: String) -> Result<Self> {
        let site = state.config().site_url.host_str().unwrap_or_default();
        let issuer = if issuer.is_empty() { site } else { issuer };
        let uri = totp::uri(issuer, user.contact(), &secret);
        Ok(Self {
            qr_code: qr_code(&uri)?,
            secret,
            uri,
        })
    }
}

/// A user who may have factors, and the session they are used in.
fn permanent(signed_in: SignedIn) -> Result<(User, Session)> {
    refuse_anonymous(&signed_in.user)?;
    let session = signed_in.session.ok_or_else(|| {
        let message = "Session from session_id claim in JWT does not exist";
        Error::forbidden(code::SESSION_NOT_FOUND, message)
    })?;
    Ok((signed_in.user, session))
}

/// Fails when the user has nothing to come back with.
pub(super) fn refuse_anonymous(user: &User) -> Result<()> {
    if user.is_anonymous {
        let message = "Anonymous user not allowed to perform these actions";
        return Err(Error::forbidden(code::NO_AUTHORIZATION, message));
    }
    Ok(())
}

/// Makes way for a factor with this number: an unfinished one goes, a finished one stays.
async fn take_over_number(connection: &mut PgConnection, user: Uuid, phone: &str) -> Result<()> {
    for factor in store::factors::of_users(connection, &[user]).await? {
        if factor.phone.as_deref() != Some(phone) {
            continue;
        }
        if factor.is_verified() {
            return Err(Error::unprocessable(
                code::MFA_VERIFIED_FACTOR_EXISTS,
                "A verified phone factor already exists, unenroll the existing factor to continue",
            ));
        }
        store::factors::delete(connection, factor.id).await?;
    }
    Ok(())
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

/// Fails when nothing but recovery codes would be left without the factor.
async fn leave_more_than_codes(
    state: &AppState,
    connection: &mut PgConnection,
    gone: &Factor,
) -> Result<()> {
    let factors = store::factors::of_users(connection, &[gone.user_id]).await?;
    let mut others = factors.iter().filter(|factor| factor.id != gone.id);
    let has_codes = factors.iter().any(Factor::is_recovery_codes);
    if has_codes && !others.any(|factor| recovery_codes::is_usable(state, factor)) {
        return Err(Error::unprocessable(
            code::MFA_RECOVERY_CODES_SOLE_FACTOR,
            "Recovery codes cannot be the only verified factor. Please enroll another factor \
             before unenrolling this one or delete your recovery codes.",
        ));
    }
    Ok(())
}

/// The user's factor with this id.
async fn own(connection: &mut PgConnection, user: &User, id: Uuid) -> Result<Factor> {
    store::factors::of_users(connection, &[user.id])
        .await?
        .into_iter()
        .find(|factor| factor.id == id)
        .ok_or_else(|| Error::not_found(code::MFA_FACTOR_NOT_FOUND, "Factor not found"))
}

/// The factor's kind, if factors of it can be proven here.
fn usable_kind(state: &AppState, factor: &Factor) -> Result<Kind> {
    let kind = factor.kind().ok_or_else(unknown_kind)?;
    let code = match kind {
        _ if state.config().mfa.allowed(kind).verify => return Ok(kind),
        Kind::Totp => code::MFA_TOTP_VERIFY_NOT_ENABLED,
        Kind::Phone => code::MFA_PHONE_VERIFY_NOT_ENABLED,
        Kind::WebAuthn => code::MFA_WEBAUTHN_VERIFY_NOT_ENABLED,
    };
    let message = format!("MFA verification is disabled for {}", kind.title());
    Err(Error::unprocessable(code, message))
}

fn unknown_kind() -> Error {
    Error::invalid("factor_type needs to be totp, phone, or webauthn")
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
