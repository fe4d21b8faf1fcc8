//! HTTP calls to other services and to the world outside, always with timeouts.

use std::time::Duration;

use http::Method;
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    context::{REQUEST_ID, RequestContext, TRACEPARENT},
    token::SERVICE_TOKEN,
};

/// Time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A client whose every request ends after `timeout`, redirects not followed.
pub fn client(timeout: Duration) -> anyhow::Result<Client> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    Ok(client)
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
            http: client(timeout)?,
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
