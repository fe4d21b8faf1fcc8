//! HTTP calls to other services and to the world outside, always with timeouts.

use std::time::Duration;

use http::Method;
use reqwest::{Client, ClientBuilder, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    context::{REQUEST_ID, RequestContext, TRACEPARENT},
    token::SERVICE_TOKEN,
};

/// Time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client whose every request ends after `timeout`, redirects not followed. It reaches the world through
/// the proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name, if they do.
pub fn client(timeout: Duration) -> anyhow::Result<Client> {
    Ok(builder(timeout).build()?)
}

/// The same for services of the fleet. Those are near; a proxy would not find them, and must not see their
/// tokens.
pub fn internal(timeout: Duration) -> anyhow::Result<Client> {
    Ok(builder(timeout).no_proxy().build()?)
}

fn builder(timeout: Duration) -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
}

/// Another service of the fleet. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    http: Client,
    base: Url,
    token: Option<SecretString>,
}

impl ServiceClient {
    /// The service at `base`, which expects `token` if it expects one.
    pub fn new(base: Url, token: Option<SecretString>, timeout: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            http: internal(timeout)?,
            base,
            token,
        })
    }

    /// A request to `path` that carries the token, the request id and the trace.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.header(SERVICE_TOKEN, token.expose_secret());
        }
        if let Some(context) = RequestContext::current() {
            request = request
                .header(REQUEST_ID, context.id_header())
                .header(TRACEPARENT, context.trace().header());
        }
        request
    }
}
