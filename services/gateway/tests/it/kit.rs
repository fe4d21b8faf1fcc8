//! What the tests share: a gateway with its upstreams, and a client that writes raw bytes.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::Request, response::IntoResponse};
use common::{
    config::{Env, load},
    lifecycle::Lifecycle,
};
use gateway::{Config, Listeners, Names};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use testkit::{Client, jwt};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Signs tokens in tests.
pub(crate) const SECRET: &str = "gateway-tests-sign-with-this-0123456789";
/// A service key that no upstream could read as a token.
pub(crate) const OPAQUE_SERVICE_KEY: &str = "opaque-service-key-of-at-least-32-bytes";

/// A gateway that serves until it is dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS, when it was told to.
    pub(crate) tls_address: SocketAddr,
    pub(crate) admin: Client,
    pub(crate) client: Client,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) anon_key: String,
    /// Its routes, to be read again on a reload.
    routes: Option<tempfile::NamedTempFile>,
}

/// What a gateway in a test is given.
pub(crate) struct Setup {
    pub(crate) routes: String,
    variables: Vec<(String, String)>,
    anon_key: String,
    public: Option<TcpListener>,
    names: Option<Names>,
}

/// A response read from the wire.
#[derive(Debug)]
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Setup {
    /// One route `/a/v1` to `upstream`, with further keys of the routes file.
    pub(crate) fn route(upstream: SocketAddr, more: &str) -> Self {
        Self {
            routes: String::new(),
            variables: Vec::new(),
            anon_key: jwt::role(SECRET, "anon"),
            public: None,
            names: None,
        }
        .and("a", "/a/v1", &format!("http://{upstream}"), more)
    }

    /// A further route.
    pub(crate) fn and(mut self, name: &str, prefix: &str, upstream: &str, more: &str) -> Self {
        write!(
            self.routes,
            "[[route]]\nname = \"{name}\"\nprefix = \"{prefix}\"\nupstream = \"{upstream}\"\n{more}\n"
        )
        .unwrap();
        self
    }

    /// A variable of the environment.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The listener of the public port.
    pub(crate) fn on(self, listener: TcpListener) -> Self {
        let public = Some(listener);
        Self { public, ..self }
    }

    /// Who knows the upstreams' names, in place of the system.
    pub(crate) fn names(self, names: Names) -> Self {
        let names = Some(names);
        Self { names, ..self }
    }

    /// The variables it is started with.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("JWT_SECRET".to_owned(), SECRET.to_owned()),
            ("ANON_KEY".to_owned(), self.anon_key.clone()),
            ("SERVICE_ROLE_KEY".to_owned(), OPAQUE_SERVICE_KEY.to_owned()),
            ("GATEWAY_WORKERS".to_owned(), "1".to_owned()),
        ];
        pairs.extend(self.variables.iter().cloned());
        pairs
    }

    /// What its variables say.
    pub(crate) fn config(&self) -> Result<Config, String> {
        load::<Config>(&mut Env::from_pairs(self.variables())).map_err(|error| error.to_string())
    }

    /// Starts it.
    pub(crate) async fn start(self) -> Gateway {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &self.routes).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let mut gateway = self.set("GATEWAY_ROUTES", &path).start_with_routes().await;
        gateway.routes = Some(file);
        gateway
    }

    /// Starts it with the routes that its variables name.
    pub(crate) async fn start_with_routes(self) -> Gateway {
        let config = self.config().unwrap();
        let config = match self.names {
            Some(names) => config.with_names(names),
            None => config,
        };
        let [tls, admin] = [listener().await, listener().await];
        let public = match self.public {
            Some(public) => public,
            None => listener().await,
        };
        let address = public.local_addr().unwrap();
        let tls_address = tls.local_addr().unwrap();
        let admin_address = admin.local_addr().unwrap();
        let lifecycle = Lifecycle::default();
        let listeners = Listeners {
            public,
            tls: Some(tls),
            admin: Some(admin),
        };
        gateway::serve(config, listeners, &lifecycle).unwrap();
        Gateway {
            address,
            tls_address,
            admin: Client::at(&format!("http://{admin_address}")),
            client: Client::at(&format!("http://{address}")),
            lifecycle,
            anon_key: self.anon_key,
            routes: None,
        }
    }
}

impl Gateway {
    /// Sends `text` as it is and reads one response; `\n` in it becomes CR LF.
    pub(crate) async fn raw(&self, text: &str) -> RawResponse {
        raw(self.address, text.to_owned()).await
    }

    /// A connection of one's own.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

impl RawResponse {
    /// Reads a response with a length, or up to the end of the connection.
    pub(crate) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Self {
        let reading = async {
            let mut bytes = Vec::new();
            loop {
                if let Some(response) = Self::parse(&bytes, false) {
                    return response;
                }
                if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let whole = Self::parse(&bytes, true);
                    return whole.ok_or(text).expect("a response");
                }
            }
        };
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, reading)
            .await
            .expect("a response in time")
    }

    fn parse(bytes: &[u8], at_end: bool) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(if at_end { 0 } else { usize::MAX });
        (at_end || body.len() >= length).then(|| Self {
            status,
            body: body.to_owned(),
            head,
        })
    }

    /// The error code of the envelope.
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// As [`Gateway::raw`], of the gateway at `address`.
pub(crate) async fn raw(address: SocketAddr, text: String) -> RawResponse {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let text = text.replace('\n', "\r\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    RawResponse::read(&mut socket).await
}

/// The error code of the envelope.
pub(crate) fn code(response: &testkit::client::Response) -> String {
    response.json()["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Reads the head of a request, to its empty line and no further, or to the end.
pub(crate) async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else {
            break;
        };
        head.push(byte);
    }
    String::from_utf8_lossy(&head).to_ascii_lowercase()
}

/// A listener on a free port.
pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Serves `router` as an upstream until the runtime of the test ends.
pub(crate) async fn upstream(router: Router) -> SocketAddr {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let serving = common::server::serve(
        listener,
        router,
        common::server::ConnectionLimits::default(),
        Lifecycle::default(),
    );
    Lifecycle::default().spawn("upstream", serving);
    address
}

/// An upstream that tells what it received.
pub(crate) async fn echo() -> SocketAddr {
    upstream(Router::new().fallback(tell)).await
}

async fn tell(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    let told = json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "headers": header_lists(&parts.headers),
        "body": String::from_utf8_lossy(&body),
    });
    let headers = [("server", "secret/1"), ("access-control-allow-origin", "*")];
    (StatusCode::OK, headers, Body::from(told.to_string()))
}

fn header_lists(headers: &HeaderMap) -> Value {
    let mut lists = serde_json::Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap_or("?")).collect();
        lists.insert(name.to_string(), json!(values.join(" | ")));
    }
    Value::Object(lists)
}
