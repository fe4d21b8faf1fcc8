//! `POST /factors/{factor_id}/challenge`: the beginning of a proof.

use axum::extract::State;
use common::extract::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{own, permanent, usable_kind};
use crate::{
    AppState,
    audit::{self, Action, Actor},
    authentication::SignedIn,
    error::Result,
    factor::{Factor, Kind},
    limits::Limit,
    request::{FactorId, OptionalBody, Origin},
    store::{self, factors::NewChallenge},
    texts::{self, Text},
    user::User,
    webauthn::{self, Asked, Credential, Purpose},
};

/// How a code is to be sent.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ChallengeRequest {
    channel: String,
}

/// A challenge to be answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Challenge {
    id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    webauthn: Option<BrowserRequest>,
}

/// What a browser is to be asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct BrowserRequest {
    /// `create` or `request`.
    #[serde(rename = "type")]
    ceremony: &'static str,
    #[schema(value_type = Object)]
    credential_options: Value,
}

/// Begins a proof of holding the factor.
#[utoipa::path(
    operation_id = "factors_challenge",
    post,
    path = "/factors/{factor_id}/challenge",
    params(("factor_id" = Uuid, Path)),
    request_body = ChallengeRequest,
    responses((status = 200, body = Challenge), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn challenge(
    State(state): State<AppState>,
    signed_in: SignedIn,
    FactorId(id): FactorId,
    origin: Origin,
    OptionalBody(input): OptionalBody<ChallengeRequest>,
) -> Result<Json<Challenge>> {
    let now = state.now();
    state.limits().check(Limit::Mfa, origin.ip, now)?;
    let (user, _) = permanent(signed_in)?;
    let mut tx = state.store().begin().await?;
    store::users::lock(&mut tx, user.id).await?;
    let factor = own(&mut tx, &user, id).await?;
    let kind = usable_kind(&state, &factor)?;

    let mut new = NewChallenge::default();
    let mut text = None;
    let mut browser = None;
    match kind {
        Kind::Totp => {}
        Kind::Phone => {
            texts::check_channel(&input.channel)?;
            let made = code_for(&state, &factor)?;
            new.code_hash = Some(state.tokens().stored(&made.phone, &made.code));
            text = Some(made);
        }
        Kind::WebAuthn => {
            let challenge = webauthn::new_challenge();
            browser = Some(request_for(&state, &mut tx, (&user, &factor), &challenge).await?);
            let party = &state.config().webauthn.id;
            new.session = Some(json!({ "challenge": challenge, "rpId": party }));
        }
    }
    let challenge = store::factors::challenge(&mut tx, id, new, (&origin, now)).await?;
    let traits = json!({ "factor_id": id, "factor_status": factor.status });
    let action = Action::ChallengeCreated;
    audit::record(&mut tx, action, Actor::User(&user), traits, (&origin, now)).await?;
    tx.commit().await?;
    if let Some(text) = text {
        texts::send(&state, &text, &origin).await?;
    }
    let expires_at = now + state.config().mfa.challenge_expiry;
    Ok(Json(Challenge {
        id: challenge,
        kind: kind.name(),
        expires_at: expires_at.unix_timestamp(),
        webauthn: browser,
    }))
}

/// A code for the factor's number.
fn code_for(state: &AppState, factor: &Factor) -> Result<Text> {
    let config = &state.config().mfa;
    texts::check_interval(state, factor.last_challenged_at, config.phone_max_frequency)?;
    let phone = factor.phone.clone().unwrap_or_default();
    let code = texts::new_code(state, &phone, config.phone_otp_length);
    Ok(Text {
        user_id: factor.user_id,
        phone,
        code,
        kind: "mfa",
    })
}

/// What a browser is asked: to make a credential for a factor that has none, to use it otherwise.
async fn request_for(
    state: &AppState,
    connection: &mut PgConnection,
    (user, factor): (&User, &Factor),
    challenge: &str,
) -> Result<BrowserRequest> {
    let party = &state.config().webauthn;
    let asked = Asked {
        challenge,
        purpose: Purpose::SecondFactor,
    };
    if let Some(credential) = factor.credential().filter(|_| factor.is_verified()) {
        return Ok(BrowserRequest {
            ceremony: "request",
            credential_options: json!({
                "publicKey": party.request_options(asked, Some(&credential)),
            }),
        });
    }
    let factors = store::factors::of_users(connection, &[user.id]).await?;
    let known: Vec<Credential> = factors.iter().filter_map(Factor::credential).collect();
    let creation = party.creation_options(asked, (user.id, user.contact()), &known);
    Ok(BrowserRequest {
        ceremony: "create",
        credential_options: json!({ "publicKey": creation }),
    })
}
