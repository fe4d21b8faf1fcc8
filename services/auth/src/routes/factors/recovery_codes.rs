//! `/factors/recovery-codes`: codes for those who have lost their second factor.

use axum::extract::State;
use common::extract::Json;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{check_may_enroll, permanent};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    factor::Factor,
    grant::{self, Granted, Tokens},
    hooks::points,
    issuance::{Issuance, issue},
    limits::Limit,
    password::hash::Verdict,
    recovery_code::{self, CodeSet, METHOD},
    request::{Body, OptionalBody, Origin},
    session::Session,
    store,
    user::User,
};

/// What codes are to be called.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RecoveryCodesRequest {
    friendly_name: String,
}

/// A code.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RecoveryCodeAnswer {
    code: String,
}

/// The codes of a user; themselves only in the answer to making them.
#[derive(Serialize, ToSchema)]
pub struct RecoveryCodes {
    id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    friendly_name: String,
    total: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<String>,
}

/// How many codes the user has, and how many of them were not used.
#[utoipa::path(
    operation_id = "recovery_codes_status",
    get,
    path = "/factors/recovery-codes",
    responses((status = 200, body = RecoveryCodes), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn status(
    State(state): State<AppState>,
    signed_in: SignedIn,
) -> Result<Json<RecoveryCodes>> {
    let (user, _) = permanent(signed_in)?;
    let mut connection = state.store().connection().await?;
    let set = known(&mut connection, &user).await?;
    let (total, remaining) = store::recovery_codes::count(&mut connection, set.id).await?;
    Ok(Json(RecoveryCodes {
        id: set.mfa_factor_id,
        kind: recovery_code::FACTOR_TYPE,
        friendly_name: String::new(),
        total,
        remaining: Some(remaining),
        codes: Vec::new(),
    }))
}

/// Makes codes for a user who has another factor, and shows them this once.
#[utoipa::path(
    operation_id = "recovery_codes_generate",
    post,
    path = "/factors/recovery-codes",
    request_body = RecoveryCodesRequest,
    responses((status = 200, body = RecoveryCodes), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn generate(
    State(state): State<AppState>,
    signed_in: SignedIn,
    origin: Origin,
    OptionalBody(input): OptionalBody<RecoveryCodesRequest>,
) -> Result<Json<RecoveryCodes>> {
    let (user, session) = permanent(signed_in)?;
    check_may_make(&state, &session, "AAL2 required to generate recovery codes")?;
    let now = state.now();
    let name = match input.friendly_name.trim() {
        "" => recovery_code::DEFAULT_NAME,
        name => name,
    };
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    if store::recovery_codes::of_user(&mut tx, user.id)
        .await?
        .is_some()
    {
        return Err(Error::unprocessable(
            code::MFA_VERIFIED_FACTOR_EXISTS,
            "Recovery codes are already enrolled for this user, use regenerate to rotate them",
        ));
    }
    let factors = store::factors::of_users(&mut tx, &[user.id]).await?;
    check_may_enroll(&state, &factors, &session, name)?;
    if !factors.iter().any(|factor| is_usable(&state, factor)) {
        return Err(Error::unprocessable(
            code::MFA_RECOVERY_CODES_SOLE_FACTOR,
            "At least one other verified factor is required to generate recovery codes",
        ));
    }
    let (codes, hashes) = new_codes(&state);
    let id = store::recovery_codes::insert(&mut tx, (user.id, name), &hashes, now).await?;
    let traits = json!({ "factor_id": id, "count": codes.len() });
    let (action, actor) = (Action::RecoveryCodesGenerated, Actor::User(&user));
    audit::record(&mut tx, action, actor, traits, (&origin, now)).await?;
    tx.commit().await?;
    Ok(Json(RecoveryCodes::new(id, name, codes)))
}

/// Makes other codes in the place of those there are, and shows them this once.
#[utoipa::path(
    operation_id = "recovery_codes_regenerate",
    post,
    path = "/factors/recovery-codes/regenerate",
    responses((status = 200, body = RecoveryCodes), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn regenerate(
    State(state): State<AppState>,
    signed_in: SignedIn,
    origin: Origin,
) -> Result<Json<RecoveryCodes>> {
    let (user, session) = permanent(signed_in)?;
    check_may_make(
        &state,
        &session,
        "AAL2 required to regenerate recovery codes",
    )?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    let set = known(&mut tx, &user).await?;
    let factor = super::own(&mut tx, &user, set.mfa_factor_id).await?;
    let (codes, hashes) = new_codes(&state);
    store::recovery_codes::replace(&mut tx, set.id, &hashes, now).await?;
    let traits = json!({ "factor_id": factor.id, "count": codes.len() });
    let (action, actor) = (Action::RecoveryCodesRegenerated, Actor::User(&user));
    audit::record(&mut tx, action, actor, traits, (&origin, now)).await?;
    tx.commit().await?;
    let name = factor.friendly_name.unwrap_or_default();
    Ok(Json(RecoveryCodes::new(factor.id, &name, codes)))
}

/// Raises the session by a code, which is used up.
#[utoipa::path(
    operation_id = "recovery_codes_verify",
    post,
    path = "/factors/recovery-codes/verify",
    request_body = RecoveryCodeAnswer,
    responses((status = 200, body = Tokens), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn verify(
    State(state): State<AppState>,
    signed_in: SignedIn,
    origin: Origin,
    Body(input): Body<RecoveryCodeAnswer>,
) -> Result<Granted> {
    let now = state.now();
    state.limits().check(Limit::Mfa, origin.ip, now)?;
    let (user, session) = permanent(signed_in)?;
    let config = &state.config().mfa.recovery_codes;
    if !config.allowed.verify {
        return Err(Error::unprocessable(
            code::MFA_RECOVERY_CODES_VERIFY_NOT_ENABLED,
            "MFA verification is disabled for recovery codes",
        ));
    }
    let code = recovery_code::normalized(&input.code);
    if code.is_empty() {
        return Err(Error::invalid("Code needs to be non-empty"));
    }
    let account = user.id.to_string();
    state.limits().check_account(Limit::Mfa, &account, now)?;
    let found = find(&state, &user, &code, &origin).await?;
    let whose = (&user, &session);
    issue(&state, |issuance| raise(issuance, whose, found, &origin)).await
}

/// Uses the code up if it is one, in one transaction.
async fn raise(
    issuance: Issuance<'_>,
    (user, session): (&User, &Session),
    found: Option<Uuid>,
    origin: &Origin,
) -> Result<Granted> {
    let (state, now) = (issuance.state(), issuance.at());
    let config = &state.config().mfa.recovery_codes;
    let mut tx = state.store().begin().await?;
    // Two uses of one code at once must see each other.
    store::users::lock(&mut tx, user.id).await?;
    let set = open(state, &mut tx, user).await?;
    let is_used = match found {
        Some(found) => store::recovery_codes::consume(&mut tx, found, now).await?,
        None => false,
    };
    if !is_used {
        let failures = set.after_failure(config, now);
        store::recovery_codes::count_failures(&mut tx, set.id, failures, now).await?;
        tx.commit().await?;
        return Err(failed());
    }
    store::recovery_codes::count_failures(&mut tx, set.id, (0, None), now).await?;
    let (_, remaining) = store::recovery_codes::count(&mut tx, set.id).await?;
    let traits = json!({ "factor_id": set.mfa_factor_id, "remaining": remaining });
    let (action, actor) = (Action::RecoveryCodesVerified, Actor::User(user));
    audit::record(&mut tx, action, actor, traits, (origin, now)).await?;
    let by = (set.mfa_factor_id, METHOD);
    let granted = grant::raise(&issuance, &mut tx, user, session, by, origin).await?;
    tx.commit().await?;
    Ok(granted)
}

/// Gives all codes up.
#[utoipa::path(
    operation_id = "recovery_codes_delete",
    delete,
    path = "/factors/recovery-codes",
    responses((status = 200, body = Object), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    signed_in: SignedIn,
    origin: Origin,
) -> Result<Json<Value>> {
    let (user, session) = permanent(signed_in)?;
    check_level(&session, "AAL2 required to delete recovery codes")?;
    let now = state.now();
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    let id = known(&mut tx, &user).await?.mfa_factor_id;
    store::sessions::lower(&mut tx, id, now).await?;
    store::factors::delete(&mut tx, id).await?;
    let traits = json!({ "factor_id": id });
    let (action, actor) = (Action::RecoveryCodesDeleted, Actor::User(&user));
    audit::record(&mut tx, action, actor, traits, (&origin, now)).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id })))
}

/// The stored code that was given, if there is one; nothing is held while it is looked for.
async fn find(state: &AppState, user: &User, code: &str, origin: &Origin) -> Result<Option<Uuid>> {
    let (factor, stored) = {
        let mut connection = state.store().connection().await?;
        let set = open(state, &mut connection, user).await?;
        let stored = store::recovery_codes::unused(&mut connection, set.id).await?;
        (
            super::own(&mut connection, user, set.mfa_factor_id).await?,
            stored,
        )
    };
    let hash = recovery_code::hash(code);
    let mut found = None;
    for stored in stored {
        let is_it = if stored.code_hash.starts_with('$') {
            // A code made by GoTrue.
            let code = SecretString::from(code);
            let verdict = state.hasher().verify(code, Some(&stored.code_hash)).await?;
            verdict != Verdict::Wrong
        } else {
            stored.code_hash.as_bytes().ct_eq(hash.as_bytes()).into()
        };
        if is_it {
            found = Some(stored.id);
        }
    }
    points::mfa_verification_attempt(state, &factor, found.is_some(), origin).await?;
    Ok(found)
}

/// The user's codes, if one may be tried now.
async fn open(state: &AppState, connection: &mut PgConnection, user: &User) -> Result<CodeSet> {
    let set = store::recovery_codes::of_user(connection, user.id).await?;
    let set = set.ok_or_else(failed)?;
    if set.is_locked(state.now()) {
        return Err(Error::too_many(
            code::MFA_RECOVERY_CODES_LOCKED,
            "Too many failed verification attempts, try again later",
        ));
    }
    Ok(set)
}

async fn known(connection: &mut PgConnection, user: &User) -> Result<CodeSet> {
    let set = store::recovery_codes::of_user(connection, user.id).await?;
    set.ok_or_else(|| {
        let message = "The user has not enrolled recovery codes";
        Error::not_found(code::MFA_FACTOR_NOT_FOUND, message)
    })
}

/// Whether a factor lets its user in where there are no codes.
pub(crate) fn is_usable(state: &AppState, factor: &Factor) -> bool {
    let kind = factor.kind();
    factor.is_verified() && kind.is_some_and(|kind| state.config().mfa.allowed(kind).verify)
}

fn check_may_make(state: &AppState, session: &Session, message: &'static str) -> Result<()> {
    if !state.config().mfa.recovery_codes.allowed.enroll {
        return Err(Error::unprocessable(
            code::MFA_RECOVERY_CODES_ENROLL_NOT_ENABLED,
            "MFA enroll is disabled for recovery codes",
        ));
    }
    check_level(session, message)
}

fn check_level(session: &Session, message: &'static str) -> Result<()> {
    if session.is_aal2() {
        return Ok(());
    }
    Err(Error::forbidden(code::INSUFFICIENT_AAL, message))
}

/// New codes, and what is stored of them.
fn new_codes(state: &AppState) -> (Vec<String>, Vec<String>) {
    let codes = recovery_code::new_codes(&state.config().mfa.recovery_codes);
    let hashes = codes.iter().map(|code| recovery_code::hash(code)).collect();
    (codes, hashes)
}

fn failed() -> Error {
    let message = "Invalid recovery code entered";
    Error::unprocessable(code::MFA_VERIFICATION_FAILED, message)
}

impl RecoveryCodes {
    fn new(id: Uuid, name: &str, codes: Vec<String>) -> Self {
        Self {
            id,
            kind: recovery_code::FACTOR_TYPE,
            friendly_name: name.to_owned(),
            total: i64::try_from(codes.len()).unwrap_or(i64::MAX),
            remaining: None,
            codes,
        }
    }
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCodes")
    }
}

impl std::fmt::Debug for RecoveryCodeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCodeAnswer")
    }
}
