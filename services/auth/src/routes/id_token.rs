//! `POST /token?grant_type=id_token`: a sign-in that a provider's own SDK has done already.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    authentication::SignedIn,
    error::{Error, Result, code},
    grant::{self, Granted},
    hex,
    issuance::{Issuance, issue},
    oauth::{
        self,
        accounts::{self, Arrival, Outcome},
        catalogue::NAMED,
        id_token,
        provider::Provider,
    },
    request::Origin,
    routes::{authorize::send, identities::check_enabled},
};

/// An ID token, and what it is to be held against.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct IdTokenGrant {
    id_token: String,
    access_token: String,
    nonce: String,
    provider: String,
    client_id: String,
    issuer: String,
    link_identity: bool,
}

/// Signs in the user of an ID token, or links the identity to whoever sends it.
pub async fn exchange(
    state: &AppState,
    input: &IdTokenGrant,
    parts: &mut Parts,
    origin: &Origin,
) -> Result<Granted> {
    let invalid = |description: &'static str| Error::oauth("invalid request", description);
    if input.id_token.is_empty() {
        return Err(invalid("id_token required"));
    }
    if input.provider.is_empty() && (input.client_id.is_empty() || input.issuer.is_empty()) {
        return Err(invalid("provider or client_id and issuer required"));
    }
    let target = if input.link_identity {
        check_enabled(state)?;
        Some(SignedIn::from_request_parts(parts, state).await?.user.id)
    } else {
        None
    };
    let provider = input.provider(state).await?;
    let claims = input.check(state, &provider).await?;
    let profile = provider.read(&claims);
    let profile = profile.map_err(|_| invalid("Missing sub claim in id_token"))?;
    if profile.emails.is_empty() && !provider.email_optional && target.is_none() {
        return Err(invalid("Bad ID token"));
    }
    let arrival = Arrival {
        provider: &provider.name,
        email_optional: provider.email_optional,
        profile: &profile,
        new_user: Uuid::new_v4(),
        origin,
        redirect_to: state.config().site_url.as_str(),
    };
    accounts::admit(state, &arrival, target.is_none(), || {
        issue(state, |issuance| settle(issuance, &arrival, target))
    })
    .await
}

/// Signs in whoever the token is of, in one transaction.
async fn settle(
    issuance: Issuance<'_>,
    arrival: &Arrival<'_>,
    target: Option<Uuid>,
) -> Result<Granted> {
    let state = issuance.state();
    let mut tx = state.store().begin().await?;
    let outcome = match target {
        Some(target) => accounts::link(state, &mut tx, arrival, target).await?,
        None => accounts::sign_in(state, &mut tx, arrival).await?,
    };
    match outcome {
        Outcome::Welcome(user) => {
            let granted = grant::begin(&issuance, &mut tx, &user, "oauth", arrival.origin).await?;
            tx.commit().await?;
            Ok(granted)
        }
        Outcome::Refused(error, mail) => {
            tx.commit().await?;
            send(state, mail, arrival.origin).await?;
            Err(error)
        }
    }
}

impl IdTokenGrant {
    /// The provider by its name, or by the issuer of the token.
    async fn provider(&self, state: &AppState) -> Result<Provider> {
        let is_ours = |provider: &&Provider| {
            let named = provider.name == self.provider;
            let issued = self.provider.is_empty()
                && provider.issuer.as_deref() == Some(self.issuer.trim_end_matches('/'));
            named || issued
        };
        let configured = state.oauth().providers().iter().find(is_ours);
        if let Some(provider) = configured.filter(|provider| provider.issuer.is_some()) {
            return Ok(provider.clone());
        }
        if self.provider.starts_with(oauth::CUSTOM)
            && let Ok(provider) = oauth::find(state, &self.provider).await
            && provider.issuer.is_some()
        {
            return Ok(provider);
        }
        let known = NAMED.iter().find(|named| named.name == self.provider);
        if let Some(named) = known
            && let Some(issuer) = named.issuer
        {
            let issuer = issuer.replace("{url}", named.url);
            let message = format!("Provider (issuer \"{issuer}\") is not enabled");
            return Err(Error::bad_request(code::PROVIDER_DISABLED, message));
        }
        let message = format!("Custom OIDC provider \"{}\" not allowed", self.provider);
        Err(Error::invalid(message))
    }

    /// The claims of the token, once it is shown to be for us and for this sign-in.
    async fn check(&self, state: &AppState, provider: &Provider) -> Result<Value> {
        let token = &self.id_token;
        let from = provider.issuer.as_deref().unwrap_or_default();
        let from = (from, provider.discovery_url.as_deref());
        let issuers = state.oauth().issuers();
        let verified = id_token::verify(issuers, from, token, state.now()).await;
        let claims = verified.map_err(|error| {
            tracing::info!(
                provider = provider.name,
                error = format!("{error:#}"),
                "bad ID token"
            );
            Error::oauth("invalid request", "Bad ID token")
        })?;
        if !id_token::is_for(&claims, &provider.client_ids) {
            let description = format!("Unacceptable audience in id_token: {}", claims["aud"]);
            return Err(Error::oauth("invalid request", description));
        }
        if !self.access_token.is_empty() && !id_token::fits(token, &claims, &self.access_token) {
            return Err(Error::oauth("invalid request", "Bad ID token"));
        }
        if !provider.skip_nonce_check {
            self.check_nonce(claims["nonce"].as_str().unwrap_or_default())?;
        }
        Ok(claims)
    }

    fn check_nonce(&self, hashed: &str) -> Result<()> {
        if self.nonce.is_empty() != hashed.is_empty() {
            return Err(Error::oauth(
                "invalid request",
                "Passed nonce and nonce in id_token should either both exist or not.",
            ));
        }
        let expected = hex::encode(&Sha256::digest(&self.nonce));
        if hashed.is_empty() || bool::from(expected.as_bytes().ct_eq(hashed.as_bytes())) {
            return Ok(());
        }
        Err(Error::oauth("invalid nonce", "Nonces mismatch"))
    }
}
