//! An HTTP client that reads responses to their end.

use std::sync::Arc;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client as Connections, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

use crate::contract::Contract;

/// Sends requests to a router without a socket, or to a server.
#[derive(Clone, Debug)]
pub struct Client {
    target: Target,
    contract: Option<Arc<Contract>>,
}

#[derive(Clone, Debug)]
enum Target {
    Router(Router),
    Server {
        base: String,
        connections: Box<Connections<HttpConnector, Body>>,
    },
}

/// A request that is being put together.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder<'a> {
    client: &'a Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status line.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Bytes,
}

impl Client {
    /// A client of `router`.
    pub fn new(router: Router) -> Self {
        Self {
            target: Target::Router(router),
            contract: None,
        }
    }

    /// A client of the server at `base`, such as `http://127.0.0.1:8000`.
    pub fn at(base: &str) -> Self {
        let connections = Connections::builder(TokioExecutor::new()).build_http();
        Self {
            target: Target::Server {
                base: base.trim_end_matches('/').to_owned(),
                connections: Box::new(connections),
            },
            contract: None,
        }
    }

    /// This client, failing at every response that `contract` does not know.
    pub fn checked_by(self, contract: Contract) -> Self {
        Self {
            contract: Some(Arc::new(contract)),
            ..self
        }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::GET, path)
    }

    /// `POST path`.
    pub fn post(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::POST, path)
    }

    /// `PUT path`.
    pub fn put(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::PUT, path)
    }

    /// `PATCH path`.
    pub fn patch(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::PATCH, path)
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> RequestBuilder<'_> {
        self.request(Method::DELETE, path)
    }

    /// A request with any method; `path` begins with a slash and may have a query.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder<'_> {
        RequestBuilder {
            client: self,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        match &self.target {
            Target::Router(router) => {
                let Ok(response) = router.clone().oneshot(request).await;
                Response::read(response).await
            }
            Target::Server { connections, .. } => {
                let response = connections.request(request).await;
                Response::read(response.expect("the server answers")).await
            }
        }
    }

    fn uri(&self, path: &str) -> String {
        match &self.target {
            Target::Router(_) => path.to_owned(),
            Target::Server { base, .. } => format!("{base}{path}"),
        }
    }
}

impl RequestBuilder<'_> {
    /// Adds a header; a second one of the same name is kept beside the first.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        self.headers.append(name, value);
        self
    }

    /// `Authorization: Bearer token`.
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// A JSON body.
    pub fn json(self, value: &impl Serialize) -> Self {
        let text = serde_json::to_vec(value).expect("a value with a JSON form");
        self.header(CONTENT_TYPE.as_str(), "application/json")
            .body(text)
    }

    /// A body as it is.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request and reads the whole response.
    pub async fn send(self) -> Response {
        let mut request = Request::new(Body::from(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.client.uri(&self.path).parse().expect("a URI");
        *request.headers_mut() = self.headers;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.client.send(request).await;
        if let Some(contract) = &self.client.contract {
            contract.check(&method, &path, &response);
        }
        response
    }
}

impl Response {
    /// The body as JSON, or null when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// This response when its status is `expected`; shows the body otherwise.
    #[track_caller]
    pub fn expect(self, expected: StatusCode) -> Self {
        assert_eq!(self.status, expected, "{}", self.text());
        self
    }

    async fn read<B>(response: http::Response<B>) -> Self
    where
        B: http_body::Body,
        B::Error: std::fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a complete body");
        Self {
            status: parts.status,
            headers: parts.headers,
            bytes: body.to_bytes(),
        }
    }
}
