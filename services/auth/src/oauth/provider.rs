//! One provider: where a browser is sent, how a code becomes tokens and tokens a profile.

use anyhow::{Context, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use form_urlencoded::byte_serialize;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use url::Url;

use super::{
    OAuth, fetch, id_token,
    profile::Profile,
    rules::{ClientAuth, Endpoints, Rules},
};
use crate::{config, hex, request::Params, user::Members};

/// Parameters of the first request that are ours to set, or meant for us.
const RESERVED: [&str; 18] = [
    "apikey",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "invite_token",
    "nonce",
    "provider",
    "redirect_to",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
    "scopes",
    "skip_http_redirect",
];

/// A provider that is switched on. Cheap enough to clone once for each request.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name, as clients and identities know it.
    pub name: String,
    /// What it knows us by; the first is used to ask, all are good in ID tokens.
    pub client_ids: Vec<String>,
    /// What proves to it who we are.
    pub secret: SecretString,
    /// Where it sends browsers back to.
    pub redirect_uri: String,
    /// Who signs its ID tokens, if it has any.
    pub issuer: Option<String>,
    /// Where the issuer's document is, if not where the standard says.
    pub discovery_url: Option<String>,
    /// Where to ask what; nothing for what the issuer's document says.
    pub endpoints: Option<Known>,
    /// What is asked for at least.
    pub scopes: Vec<String>,
    /// More parameters of the first request.
    pub parameters: Vec<(String, String)>,
    /// How we prove who we are.
    pub client_auth: ClientAuth,
    /// Whether it understands PKCE.
    pub pkce: bool,
    /// What its words mean.
    pub rules: Rules,
    /// Where more addresses are.
    pub emails_url: Option<String>,
    /// What its words mean to the operator.
    pub mapping: Members,
    /// Whether ID tokens are taken without comparing their nonce.
    pub skip_nonce_check: bool,
    /// Whether a user may have no address.
    pub email_optional: bool,
}

/// Where to ask what.
#[derive(Clone, Debug)]
pub struct Known {
    /// Where a browser is sent.
    pub authorize: String,
    /// Where a code is exchanged.
    pub token: String,
    /// Where the profile is.
    pub profile: Option<String>,
}

/// What a code is exchanged for.
#[derive(Clone, Deserialize)]
pub struct Tokens {
    /// Lets us ask the provider.
    pub access_token: String,
    /// Becomes a new access token.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// Says who the user is.
    #[serde(default)]
    pub id_token: Option<String>,
}

impl Provider {
    /// The provider of a configuration; `callback` is where it sends browsers back to unless the
    /// configuration says otherwise.
    pub fn new(config: &config::providers::Provider, callback: &Url) -> Self {
        let named = config.named;
        // GitHub's own servers answer under another name than a company's.
        let api = if config.url == named.url {
            "https://api.github.com".to_owned()
        } else {
            format!("{}/api/v3", config.url)
        };
        let fill = |text: &str| text.replace("{url}", &config.url).replace("{api}", &api);
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let parameters = named.parameters.iter();
        Self {
            name: named.name.to_owned(),
            client_ids: config.client_ids.clone(),
            secret: config.secret.clone(),
            redirect_uri: config.redirect_uri.as_ref().unwrap_or(callback).to_string(),
            issuer: named.issuer.map(fill),
            discovery_url: None,
            endpoints: match named.endpoints {
                Endpoints::Discovered => None,
                Endpoints::Known {
                    authorize,
                    token,
                    profile,
                } => Some(Known {
                    authorize: fill(authorize),
                    token: fill(token),
                    profile: Some(fill(profile)),
                }),
            },
            scopes: own(named.scopes),
            parameters: parameters
                .map(|(name, value)| ((*name).to_owned(), fill(value)))
                .collect(),
            client_auth: named.client_auth,
            pkce: named.pkce,
            rules: named.rules,
            emails_url: named.rules.emails.map(|emails| fill(emails.url)),
            mapping: Members::new(),
            skip_nonce_check: config.skip_nonce_check,
            email_optional: config.email_optional,
        }
    }

    /// Where a browser is sent to sign in; `state` comes back with it, and `params` are those of the
    /// request that began it.
    pub async fn authorize_url(
        &self,
        oauth: &OAuth,
        (state, verifier): (&str, &str),
        params: &Params,
        now: OffsetDateTime,
    ) -> anyhow::Result<Url> {
        let mut url = Url::parse(&self.known(oauth, now).await?.authorize)?;
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        for scope in params.get("scopes").unwrap_or_default().split([' ', ',']) {
            if !scope.is_empty() && !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        let mut pairs = vec![
            ("client_id", self.client_id().to_owned()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("response_type", "code".to_owned()),
            ("state", state.to_owned()),
        ];
        if !scopes.is_empty() {
            pairs.push(("scope", scopes.join(" ")));
        }
        if self.endpoints.is_none() {
            pairs.push(("nonce", nonce(verifier)));
        }
        if self.pkce {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            pairs.push(("code_challenge", challenge));
            pairs.push(("code_challenge_method", "S256".to_owned()));
        }
        let mut query = url.query_pairs_mut();
        query.extend_pairs(pairs);
        query.extend_pairs(&self.parameters);
        for (name, value) in params.iter() {
            if name == "workos_provider" {
                query.append_pair("provider", value);
            } else if name != "state" && !RESERVED.contains(&name) {
                query.append_pair(name, value);
            }
        }
        drop(query);
        Ok(url)
    }

    /// Exchanges the code that came back with a browser.
    pub async fn exchange(
        &self,
        oauth: &OAuth,
        (code, verifier): (&str, &str),
        now: OffsetDateTime,
    ) -> anyhow::Result<Tokens> {
        let known = self.known(oauth, now).await?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
        ];
        if self.pkce {
            form.push(("code_verifier", verifier));
        }
        let secret = self.secret.expose_secret();
        let mut request = oauth.fetcher().post(&known.token)?;
        if self.uses_basic(oauth, now).await? {
            let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encode(self.client_id()), Some(encode(secret)));
        } else {
            form.extend([("client_id", self.client_id()), ("client_secret", secret)]);
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = fetch::json(request)
            .await
            .context("a code was not exchanged")?;
        serde_json::from_value(answer).context("there is no access token")
    }

    /// The user whom `tokens` belong to. An ID token must answer the request made with `verifier`.
    pub async fn profile(
        &self,
        oauth: &OAuth,
        tokens: &Tokens,
        verifier: &str,
        now: OffsetDateTime,
    ) -> anyhow::Result<Profile> {
        let known = self.known(oauth, now).await?;
        if self.endpoints.is_some() {
            let url = known.profile.context("there is no profile endpoint")?;
            let answer = self.ask(oauth, &url, &tokens.access_token).await?;
            let mut profile = self.read(&answer)?;
            if let (Some(emails), Some(url)) = (&self.rules.emails, &self.emails_url) {
                let list = self.ask(oauth, url, &tokens.access_token).await?;
                profile.add_emails(emails, &list);
            }
            return Ok(profile);
        }
        let token = tokens.id_token.as_deref().context("there is no ID token")?;
        let mut claims = self.verify(oauth, token, now).await?;
        ensure!(
            self.skip_nonce_check || claims["nonce"] == nonce(verifier).as_str(),
            "the ID token answers another request"
        );
        ensure!(
            id_token::fits(token, &claims, &tokens.access_token),
            "the ID token is of another access token"
        );
        if claims["email"].is_null()
            && let Some(url) = known.profile
        {
            let more = self.ask(oauth, &url, &tokens.access_token).await?;
            ensure!(
                more["sub"] == claims["sub"],
                "the profile is of another user"
            );
            if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
                for (name, value) in more {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        self.read(&claims)
    }

    /// The claims of an ID token that is for us.
    pub async fn verify(
        &self,
        oauth: &OAuth,
        token: &str,
        now: OffsetDateTime,
    ) -> anyhow::Result<Value> {
        let issuer = self.issuer.as_deref().context("there are no ID tokens")?;
        let from = (issuer, self.discovery_url.as_deref());
        let claims = id_token::verify(oauth.issuers(), from, token, now).await?;
        ensure!(
            id_token::is_for(&claims, &self.client_ids),
            "the ID token is for others"
        );
        Ok(claims)
    }

    /// What a profile of this provider says.
    pub fn read(&self, answer: &Value) -> anyhow::Result<Profile> {
        let mut profile = Profile::read(&self.rules, answer).context("there is no subject")?;
        if !self.mapping.is_empty() {
            profile.map(&self.mapping, answer);
        }
        Ok(profile)
    }

    fn client_id(&self) -> &str {
        self.client_ids.first().map_or("", String::as_str)
    }

    async fn known(&self, oauth: &OAuth, now: OffsetDateTime) -> anyhow::Result<Known> {
        if let Some(known) = &self.endpoints {
            return Ok(known.clone());
        }
        let issuer = self.issuer.as_deref().context("there is no issuer")?;
        let url = self.discovery_url.as_deref();
        let document = oauth.issuers().get(issuer, url, now).await?.document;
        Ok(Known {
            authorize: document.authorization_endpoint.clone(),
            token: document.token_endpoint.clone(),
            profile: document.userinfo_endpoint.clone(),
        })
    }

    /// An issuer that says nothing takes the header (Discovery, 3).
    async fn uses_basic(&self, oauth: &OAuth, now: OffsetDateTime) -> anyhow::Result<bool> {
        let (ClientAuth::Discovered, Some(issuer)) = (self.client_auth, &self.issuer) else {
            return Ok(self.client_auth == ClientAuth::Basic);
        };
        let url = self.discovery_url.as_deref();
        let document = oauth.issuers().get(issuer, url, now).await?.document;
        let methods = &document.token_endpoint_auth_methods_supported;
        let basic = "client_secret_basic".to_owned();
        Ok(methods.is_empty() || methods.contains(&basic))
    }

    async fn ask(&self, oauth: &OAuth, url: &str, token: &str) -> anyhow::Result<Value> {
        let mut url = Url::parse(url)?;
        if self.rules.is_proven {
            let proof = proof(self.secret.expose_secret(), token)?;
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        let mut request = oauth.fetcher().get(url.as_str())?.bearer_auth(token);
        for (name, value) in self.rules.headers {
            request = request.header(*name, value.replace("{client_id}", self.client_id()));
        }
        fetch::json(request)
            .await
            .context("a profile was not answered")
    }
}

/// A secret that only we and the browser's answer share (RFC 7636, 4.1).
pub fn new_verifier() -> String {
    URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

/// What an ID token must hold to answer the request made with `verifier`.
fn nonce(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("nonce {verifier}")))
}

/// Shows that a request comes from whoever holds the secret.
fn proof(secret: &str, token: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(token.as_bytes());
    Ok(hex::encode(&mac.finalize().into_bytes()))
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}
