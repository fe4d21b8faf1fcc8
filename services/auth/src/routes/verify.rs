//! `GET /verify` for browsers that follow a link, `POST /verify` for applications.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use common::{error::Problem, extract::Json};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    AppState,
    address::{self, stored_phone},
    error::{Error, Result, code},
    grant::Tokens,
    landing::{failed, redirect, with_fragment, with_query},
    limits::Limit,
    one_time, pkce,
    request::{Body, Origin, Params},
    verification::{self, Type, Verified},
};

/// Said after the first of two confirmations.
const HALF_WAY: &str =
    "Confirmation link accepted. Please proceed to confirm link sent to the other email";

/// A one-time token, or a code and where it was sent.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Verification {
    #[serde(rename = "type")]
    kind: String,
    token: String,
    token_hash: String,
    email: String,
    phone: String,
}

/// Uses a link up and leads the browser on, with tokens, a code or an error.
#[utoipa::path(
    get,
    path = "/verify",
    params(
        ("token" = String, Query),
        ("type" = String, Query),
        ("redirect_to" = Option<String>, Query),
    ),
    responses((status = 303), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn follow(
    State(state): State<AppState>,
    origin: Origin,
    params: Params,
    headers: HeaderMap,
) -> Result<Response> {
    state
        .limits()
        .check(Limit::Verify, origin.ip, state.now())?;
    let Some(kind) = params.get("type") else {
        return Err(Error::invalid("Verify requires a verification type"));
    };
    let Some(token) = params.get("token").or_else(|| params.get("token_hash")) else {
        return Err(Error::invalid("Verify requires a token or a token hash"));
    };
    let target = state.destinations().choose(&headers, &params);
    let verified = match Type::parse(kind) {
        None => Err(Error::invalid("Unsupported verification type")),
        Some(verification) if verification.is_by_phone() => {
            Err(Error::invalid("Unsupported verification type"))
        }
        Some(verification) => {
            let hashes = [one_time::stored(token)];
            verification::verify(&state, verification, &hashes, true, &origin).await
        }
    };
    let location = match verified {
        Ok(Verified::Tokens(granted)) => {
            with_fragment(&target, granted.fragment([("type", Some(kind.to_owned()))]))?
        }
        Ok(Verified::Code(code)) => with_query(&target, &[("code", &code)])?,
        Ok(Verified::HalfWay) => with_fragment(
            &target,
            vec![("message", HALF_WAY.to_owned()), ("sb", String::new())],
        )?,
        Err(error) => failed(&target, &error, token.starts_with(pkce::PREFIX))?,
    };
    Ok(redirect(StatusCode::SEE_OTHER, location))
}

/// Uses a token or code up and answers tokens.
#[utoipa::path(
    operation_id = "verify_verify",
    post,
    path = "/verify",
    request_body = Verification,
    responses((status = 200, body = Tokens), (status = "4XX", body = crate::wire::RefusalV2))
)]
pub async fn verify(
    State(state): State<AppState>,
    origin: Origin,
    Body(input): Body<Verification>,
) -> Result<Response> {
    state
        .limits()
        .check(Limit::Verify, origin.ip, state.now())?;
    let (verification, hashes) = input.parse(state.tokens())?;
    for address in [&input.email, &input.phone] {
        if !address.is_empty() {
            // A code has few digits: wherever the guesses come from, they count for its address.
            state
                .limits()
                .check_account(Limit::Verify, &stored_phone(address), state.now())?;
        }
    }
    let by_hash = !input.token_hash.is_empty();
    match verification::verify(&state, verification, &hashes, false, &origin).await {
        Ok(Verified::Tokens(granted)) => Ok(granted.into_response()),
        Ok(Verified::Code(_) | Verified::HalfWay) => {
            Ok(Json(json!({ "msg": HALF_WAY, "code": "200" })).into_response())
        }
        Err(error) if error.code() == code::OTP_EXPIRED && !by_hash => Err(Error::forbidden(
            code::OTP_EXPIRED,
            "Token has expired or is invalid",
        )),
        Err(error) => Err(error),
    }
}

impl Verification {
    /// The type, and the hashes the token may be stored as.
    fn parse(&self, tokens: &one_time::Tokens) -> Result<(Type, Vec<String>)> {
        if self.kind.is_empty() {
            return Err(Error::invalid("Verify requires a verification type"));
        }
        let verification = Type::parse(&self.kind);
        match (self.token.is_empty(), self.token_hash.is_empty()) {
            (true, true) | (false, false) => Err(Error::invalid(
                "Verify requires either a token or a token hash",
            )),
            (true, false) => {
                if !self.email.is_empty() || !self.phone.is_empty() {
                    return Err(Error::invalid(
                        "Only the token_hash and type should be provided",
                    ));
                }
                let verification = verification
                    .filter(|verification| !verification.is_by_phone())
                    .ok_or_else(|| Error::invalid("Invalid email verification type"))?;
                Ok((verification, vec![one_time::stored(&self.token_hash)]))
            }
            (false, true) => {
                if self.email.is_empty() == self.phone.is_empty() {
                    return Err(Error::invalid(
                        "Only an email address or phone number should be provided on verify",
                    ));
                }
                let verification = verification
                    .filter(|verification| verification.is_by_phone() == self.email.is_empty())
                    .ok_or_else(|| Error::invalid("Unsupported verification type"))?;
                if verification.is_by_phone() {
                    let phone = address::phone(&self.phone)?;
                    return Ok((verification, vec![tokens.stored(&phone, &self.token)]));
                }
                let hash = tokens.stored(&self.email.to_lowercase(), &self.token);
                let hashes = vec![format!("{}{hash}", pkce::PREFIX), hash];
                Ok((verification, hashes))
            }
        }
    }
}
