//! Sign-up, login and users, compatible with GoTrue.
//!
//! Requests arrive at [`routes`], which decode, call and encode. What is decided lives in modules
//! without input or output ([`password`], [`jwt`], [`session`], [`address`], [`one_time`]); what
//! takes several steps in one transaction in [`accounts`], [`grant`] and [`mails`]; code of the
//! operator's own is asked in [`hooks`], about tokens by way of [`issuance`]; SQL is in [`store`]
//! alone. A refusal is an [`Error`], which [`wire`] gives the form the client expects.

pub mod accounts;
pub mod address;
pub mod audit;
pub mod authentication;
pub mod captcha;
pub mod cleanup;
pub mod config;
pub mod duration;
pub mod encryption;
pub mod error;
pub mod factor;
pub mod frequency;
pub mod glob;
pub mod grant;
pub mod hasher;
pub mod hex;
pub mod hooks;
pub mod identity;
pub mod issuance;
pub mod jwt;
pub mod landing;
pub mod limits;
pub mod mailer;
pub mod mails;
pub mod messages;
pub mod oauth;
pub mod oauth_server;
pub mod one_time;
pub mod paging;
pub mod passkey;
pub mod password;
pub mod pkce;
pub mod recovery_code;
pub mod redirect;
pub mod request;
pub mod routes;
pub mod saml;
pub mod session;
pub mod signing_key;
pub mod store;
pub mod stranger;
pub mod texts;
pub mod totp;
pub mod user;
pub mod verification;
pub mod web3;
pub mod webauthn;
pub mod wire;

use std::sync::Arc;

use axum::Router;
use common::{
    clock::Clock,
    health::Health,
    lifecycle::Lifecycle,
    postgres::own::Database,
    service::{App, Service},
};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{
    captcha::Captcha, error::Result, hasher::Hasher, hooks::Hooks, jwt::Keys, limits::Limits,
    mailer::Mailer, messages::Posts, oauth::OAuth, redirect::Destinations, request::Origin,
    saml::service_provider::ServiceProvider, store::Store,
};
pub use crate::{config::Config, error::Error};

/// The authentication service.
#[derive(Debug)]
pub struct Auth;

/// What every handler can reach. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    store: Store,
    keys: Keys,
    hasher: Hasher,
    mailer: Mailer,
    posts: Posts,
    tokens: one_time::Tokens,
    limits: Limits,
    hooks: Hooks,
    captcha: Captcha,
    oauth: OAuth,
    destinations: Destinations,
    saml: Option<ServiceProvider>,
    clock: Clock,
}

impl AppState {
    /// State over a migrated schema.
    pub fn new(config: Config, pool: PgPool, clock: Clock, lifecycle: &Lifecycle) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            store: Store::new(pool),
            keys: Keys::new(&config.jwt),
            hasher: Hasher::new(&config.password)?,
            mailer: Mailer::new(&config)?,
            posts: Posts::new(lifecycle),
            tokens: one_time::Tokens::new(&config.jwt.secret),
            limits: Limits::new(config.limits.clone()),
            hooks: Hooks::new(config.hooks.clone())?,
            captcha: Captcha::new(config.captcha.clone())?,
            oauth: OAuth::new(&config)?,
            destinations: Destinations::new(config.site_url.clone(), config.uri_allow_list.clone()),
            saml: config.saml.as_ref().map(ServiceProvider::new).transpose()?,
            clock,
            config,
        })))
    }

    /// Everything auth was told.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The tables.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The keys of access tokens.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// The password workers.
    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// The way mails leave.
    pub fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// The messages that leave after the answer.
    pub fn posts(&self) -> &Posts {
        &self.0.posts
    }

    /// What makes the tokens of links.
    pub fn tokens(&self) -> &one_time::Tokens {
        &self.0.tokens
    }

    /// How often something may be tried.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Code of the operator's own.
    pub fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    /// The service that tells people from programs.
    pub fn captcha(&self) -> &Captcha {
        &self.0.captcha
    }

    /// Audience of the users a request is about.
    pub fn audience<'a>(&'a self, origin: &'a Origin) -> &'a str {
        let default = &self.0.config.jwt.audience;
        origin.audience.as_deref().unwrap_or(default)
    }

    /// The providers that users can sign in with.
    pub fn oauth(&self) -> &OAuth {
        &self.0.oauth
    }

    /// What we are to identity providers; fails where there is no single sign-on.
    pub fn saml(&self) -> Result<&ServiceProvider> {
        self.0.saml.as_ref().ok_or_else(|| {
            let message = "SAML 2.0 is disabled";
            Error::not_found(error::code::SAML_PROVIDER_DISABLED, message)
        })
    }

    /// The places that links may lead to.
    pub fn destinations(&self) -> &Destinations {
        &self.0.destinations
    }

    /// The present moment.
    pub fn now(&self) -> OffsetDateTime {
        self.0.clock.now()
    }
}

/// All routes, in GoTrue's manners.
pub fn router(state: AppState) -> Router {
    routes::router(state)
}

impl Service for Auth {
    const NAME: &'static str = "auth";
    const PORT: u16 = 9999;
    type Config = Config;

    async fn build(config: Config, lifecycle: &Lifecycle) -> anyhow::Result<App> {
        let database = Database::open(&config.database, Self::NAME, &store::MIGRATOR, lifecycle)?;
        let cleans = config.database_cleanup;
        let state = AppState::new(config, database.pool().clone(), Clock::system(), lifecycle)?;
        if cleans {
            lifecycle.spawn_until_stop("cleanup", cleanup::run(state.clone()));
        }
        let health = Health::new().require("postgres", move || {
            let database = database.clone();
            async move { database.check().await }
        });
        Ok(App {
            router: router(state),
            health,
        })
    }

    fn contract() -> utoipa::openapi::OpenApi {
        routes::contract()
    }
}
