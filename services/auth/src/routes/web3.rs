//! `POST /token?grant_type=web3`: a sign-in with a wallet.

use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    AppState,
    captcha::MetaSecurity,
    error::{Error, Result, code},
    grant::{self, Granted},
    issuance::{Issuance, issue},
    limits::Limit,
    oauth::{
        accounts::{self, Arrival, Outcome},
        profile::Profile,
    },
    request::Origin,
    web3::{Chain, message::Message, signature::Signed},
};

/// What the identities of wallets are called.
const PROVIDER: &str = "web3";

const SHORTEST: usize = 64;
const LONGEST: usize = 20 * 1024;

/// A text that a wallet signed.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Web3Grant {
    chain: String,
    message: String,
    signature: String,
    pub(super) gotrue_meta_security: MetaSecurity,
}

/// Signs in whoever holds the key of the address in the text.
pub async fn exchange(state: &AppState, input: &Web3Grant, origin: &Origin) -> Result<Granted> {
    let now = state.now();
    state.limits().check(Limit::Web3, origin.ip, now)?;
    let chain = input.chain(state)?;
    if input.message.len() < SHORTEST {
        return Err(Error::invalid("message is too short"));
    }
    if input.message.len() > LONGEST {
        return Err(Error::invalid("message must not exceed 20KB"));
    }
    let signed = Signed::parse(chain, &input.signature).map_err(Error::invalid)?;
    let message = Message::parse(chain, &input.message).map_err(Error::invalid)?;
    if !signed.is_of(&message, &input.message) {
        let description = "Signature does not match address in message";
        return Err(Error::oauth("invalid_grant", description));
    }
    let validity = state.config().external.web3.validity(chain);
    message.check(state.destinations(), validity, now)?;

    let profile = profile(&message);
    let arrival = Arrival {
        provider: PROVIDER,
        email_optional: true,
        profile: &profile,
        new_user: Uuid::new_v4(),
        origin,
        redirect_to: state.config().site_url.as_str(),
    };
    accounts::admit(state, &arrival, true, || {
        issue(state, |issuance| settle(issuance, &arrival))
    })
    .await
}

async fn settle(issuance: Issuance<'_>, arrival: &Arrival<'_>) -> Result<Granted> {
    let state = issuance.state();
    let mut tx = state.store().begin().await?;
    let outcome = accounts::sign_in(state, &mut tx, arrival).await?;
    let user = match outcome {
        Outcome::Welcome(user) => user,
        // An account without an address has none to confirm.
        Outcome::Refused(error, _) => return Err(error),
    };
    let granted = grant::begin(&issuance, &mut tx, &user, PROVIDER, arrival.origin).await?;
    tx.commit().await?;
    Ok(granted)
}

/// What is known of a wallet, in GoTrue's claims.
fn profile(message: &Message) -> Profile {
    let chain = message.chain.name();
    let claims = json!({
        "address": message.address,
        "chain": chain,
        "network": message.network,
        "domain": message.domain,
        "statement": message.statement,
    });
    Profile {
        subject: format!("{PROVIDER}:{chain}:{}", message.address),
        emails: Vec::new(),
        claims: Map::from_iter([("custom_claims".to_owned(), claims)]),
    }
}

impl Web3Grant {
    /// The chain that is asked for, if it is switched on.
    fn chain(&self, state: &AppState) -> Result<Chain> {
        let disabled =
            |message: String| Error::unprocessable(code::WEB3_PROVIDER_DISABLED, message);
        let config = &state.config().external.web3;
        if config.is_off() {
            return Err(disabled("Web3 provider is disabled".to_owned()));
        }
        let chain = Chain::parse(&self.chain)
            .ok_or_else(|| Error::bad_request(code::WEB3_UNSUPPORTED_CHAIN, "Unsupported chain"))?;
        if !config.allows(chain) {
            let title = chain.title();
            return Err(disabled(format!("{title} Web3 provider is disabled")));
        }
        Ok(chain)
    }
}
