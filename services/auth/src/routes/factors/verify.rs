//! `POST /factors/{factor_id}/verify`: the end of a proof, which raises the session to `aal2`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{own, permanent, usable_kind};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::{Error, Result, code},
    factor::{Factor, Kind},
    grant::{self, Granted, Tokens},
    hooks::points,
    issuance::{Issuance, issue},
    limits::Limit,
    request::{Body, FactorId, Origin},
    session::Session,
    store::{self, factors::Challenge},
    totp,
    user::User,
    webauthn::{Asked, Credential, Purpose, Rejection},
};

/// The answer to a challenge.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Answer {
    challenge_id: String,
    code: String,
    webauthn: Option<BrowserAnswer>,
}

/// What a browser answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BrowserAnswer {
    /// `create` or `request`.
    #[serde(rename = "type")]
    ceremony: String,
    #[schema(value_type = Object)]
    credential_response: Value,
}

/// What a right answer leaves behind.
#[derive(Debug)]
enum Proof {
    /// Nothing but the code, which is used up.
    Code(String),
    /// The credential as it is after its use.
    Credential(Box<Credential>),
}

/// An answer to a challenge that could be answered.
#[derive(Debug)]
struct Attempt {
    factor: Factor,
    kind: Kind,
    challenge: Uuid,
    proof: Result<Proof>,
}

/// Proves to hold the factor.
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
    report(&state, (&user, id), &input, &origin).await?;
    let whose = (&user, &session, id);
    issue(&state, |issuance| raise(issuance, whose, &input, &origin)).await
}

/// Uses the answer up, in one transaction.
async fn raise(
    issuance: Issuance<'_>,
    (user, session, id): (&User, &Session, Uuid),
    input: &Answer,
    origin: &Origin,
) -> Result<Granted> {
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    let Attempt {
        factor,
        kind,
        challenge,
        proof,
    } = attempt(state, &mut tx, (user, id), input, origin).await?;
    match proof? {
        Proof::Code(code) => {
            store::factors::answered(&mut tx, challenge, Some(&code), now).await?;
        }
        Proof::Credential(credential) => {
            store::factors::answered(&mut tx, challenge, None, now).await?;
            let last = input.webauthn.as_ref().map(BrowserAnswer::remembered);
            store::factors::set_credential(&mut tx, factor.id, &credential, last).await?;
        }
    }
    store::factors::verified(&mut tx, user.id, (id, kind), now).await?;
    let traits = json!({ "factor_id": id, "challenge_id": challenge, "factor_type": kind.name() });
    let action = Action::VerificationAttempted;
    audit::record(&mut tx, action, Actor::User(user), traits, (origin, now)).await?;
    let by = (id, kind.method());
    let granted = grant::raise(&issuance, &mut tx, user, session, by, origin).await?;
    tx.commit().await?;
    Ok(granted)
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
    let attempt = {
        let mut connection = state.store().connection().await?;
        attempt(state, &mut connection, whose, input, origin).await?
    };
    let valid = attempt.proof.is_ok();
    points::mfa_verification_attempt(state, &attempt.factor, valid, origin).await
}

/// Looks at an answer; fails when there is nothing to be answered.
async fn attempt(
    state: &AppState,
    connection: &mut PgConnection,
    (user, id): (&User, Uuid),
    input: &Answer,
    origin: &Origin,
) -> Result<Attempt> {
    let factor = own(connection, user, id).await?;
    let kind = usable_kind(state, &factor)?;
    input.check(kind)?;
    let challenge = open_challenge(state, connection, id, &input.challenge_id, origin).await?;
    let proof = match kind {
        Kind::Totp => by_totp(state, connection, &factor, &input.code).await?,
        Kind::Phone => by_phone(state, &factor, &challenge, &input.code),
        Kind::WebAuthn => {
            let answer = input.webauthn.as_ref().ok_or_else(no_config)?;
            by_credential(state, &factor, &challenge, answer)
        }
    };
    Ok(Attempt {
        factor,
        kind,
        challenge: challenge.id,
        proof,
    })
}

async fn by_totp(
    state: &AppState,
    connection: &mut PgConnection,
    factor: &Factor,
    code: &str,
) -> Result<Result<Proof>> {
    let now = state.now();
    let secret = factor.secret.as_deref().unwrap_or_default();
    let is_replay = store::factors::was_used(connection, factor.id, code, now).await?;
    Ok(if !is_replay && totp::is_current(secret, code, now) {
        Ok(Proof::Code(code.to_owned()))
    } else {
        Err(failed("Invalid TOTP code entered"))
    })
}

fn by_phone(state: &AppState, factor: &Factor, challenge: &Challenge, code: &str) -> Result<Proof> {
    let phone = factor.phone.as_deref().unwrap_or_default();
    let made = state.tokens().stored(phone, code);
    let sent = challenge.otp_code.as_deref().unwrap_or_default();
    if bool::from(made.as_bytes().ct_eq(sent.as_bytes())) {
        Ok(Proof::Code(made))
    } else {
        Err(failed("Invalid MFA Phone code entered"))
    }
}

/// A factor that has a credential is proven with it alone: a new one proves nothing about it.
fn by_credential(
    state: &AppState,
    factor: &Factor,
    challenge: &Challenge,
    answer: &BrowserAnswer,
) -> Result<Proof> {
    let party = &state.config().webauthn;
    let asked = Asked {
        challenge: challenge.browser_challenge().unwrap_or_default(),
        purpose: Purpose::SecondFactor,
    };
    let known = factor.credential().filter(|_| factor.is_verified());
    let response = &answer.credential_response;
    let result = match (&known, answer.ceremony.as_str()) {
        (None, "create") => party.register(asked, response),
        (Some(credential), "request") => {
            party.authenticate(asked, (factor.user_id, credential), response)
        }
        _ => Err(Rejection::Malformed),
    };
    match result {
        Ok(credential) => Ok(Proof::Credential(Box::new(credential))),
        Err(Rejection::Malformed) => Err(Error::invalid("Invalid credential_response")),
        Err(Rejection::Refused(reason)) => {
            tracing::info!(reason, "an answer of an authenticator was refused");
            Err(failed("Failed to validate WebAuthn MFA response"))
        }
    }
}

/// The challenge, if it is of this factor and client, recent and unanswered.
async fn open_challenge(
    state: &AppState,
    connection: &mut PgConnection,
    factor: Uuid,
    id: &str,
    origin: &Origin,
) -> Result<Challenge> {
    let challenge = match id.parse() {
        Ok(id) => store::factors::find_challenge(connection, id, factor).await?,
        Err(_) => None,
    };
    let challenge = challenge.ok_or_else(|| {
        Error::unprocessable(
            code::MFA_FACTOR_NOT_FOUND,
            "MFA factor with the provided challenge ID not found",
        )
    })?;
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
    Ok(challenge)
}

impl Answer {
    /// Fails when what a factor of this kind needs was not given.
    fn check(&self, kind: Kind) -> Result<()> {
        if kind != Kind::WebAuthn {
            return if self.code.is_empty() {
                Err(Error::invalid("Code needs to be non-empty"))
            } else {
                Ok(())
            };
        }
        let answer = self.webauthn.as_ref().ok_or_else(no_config)?;
        if !["create", "request"].contains(&answer.ceremony.as_str()) {
            return Err(Error::invalid("WebAuthn type must be create or request"));
        }
        if answer.credential_response.is_null() {
            return Err(Error::invalid("credential_response required"));
        }
        Ok(())
    }
}

impl BrowserAnswer {
    /// What is kept of it for the user to look at.
    fn remembered(&self) -> Value {
        json!({ "type": self.ceremony, "credential_response": self.credential_response })
    }
}

fn no_config() -> Error {
    Error::invalid("WebAuthn config required")
}

fn failed(message: &'static str) -> Error {
    Error::unprocessable(code::MFA_VERIFICATION_FAILED, message)
}
