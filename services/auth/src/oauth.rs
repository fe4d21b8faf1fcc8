//! Signing in with an account elsewhere, by OAuth 2.0 and OpenID Connect.
//!
//! [`catalogue`] says what is known about each provider in the words of [`rules`], [`provider`] speaks
//! to one, [`profile`] reads what it says about its user, [`linking`] decides whose account that is,
//! and [`accounts`] acts on it.

pub mod accounts;
pub mod catalogue;
pub mod custom;
pub mod discovery;
pub mod fetch;
pub mod id_token;
pub mod invited;
pub mod linking;
pub mod profile;
pub mod provider;
pub mod rules;
pub mod template;

use url::Url;

use crate::{
    AppState, config,
    error::{Error, Result},
    oauth::{discovery::Issuers, fetch::Fetcher, provider::Provider},
    store,
};

/// What the names of the operator's own providers begin with.
pub const CUSTOM: &str = "custom:";

/// The providers of the configuration, and the way to ask them.
#[derive(Debug)]
pub struct OAuth {
    providers: Vec<Provider>,
    fetcher: Fetcher,
    issuers: Issuers,
    callback: Url,
}

impl OAuth {
    /// Providers as configured.
    pub fn new(config: &config::Config) -> anyhow::Result<Self> {
        let fetcher = Fetcher::new()?;
        let mut callback = config.external_url.clone();
        callback.set_path(&format!(
            "{}/callback",
            callback.path().trim_end_matches('/')
        ));
        let providers = config.external.providers.iter();
        Ok(Self {
            providers: providers
                .map(|config| Provider::new(config, &callback))
                .collect(),
            issuers: Issuers::new(fetcher.clone()),
            fetcher,
            callback,
        })
    }

    /// The providers of the configuration.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Where providers send browsers back to.
    pub fn callback(&self) -> &Url {
        &self.callback
    }

    /// The way to ask.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// What issuers publish.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }
}

/// The provider of this name, if it is switched on.
pub async fn find(state: &AppState, name: &str) -> Result<Provider> {
    let oauth = state.oauth();
    if let Some(provider) = oauth
        .providers
        .iter()
        .find(|provider| provider.name == name)
    {
        return Ok(provider.clone());
    }
    if name.starts_with(CUSTOM) {
        let mut connection = state.store().connection().await?;
        let row = store::custom_providers::find(&mut connection, name).await?;
        if let Some(row) = row.filter(|row| row.enabled) {
            return Ok(row.provider(&oauth.callback, &state.config().encryption)?);
        }
    }
    let message = if catalogue::NAMED.iter().any(|named| named.name == name) {
        "Unsupported provider: provider is not enabled".to_owned()
    } else {
        format!("Unsupported provider: Provider {name} could not be found")
    };
    Err(Error::invalid(message))
}
