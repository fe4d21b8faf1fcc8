//! A provider that users sign in with: OpenID Connect, and GitHub's words besides.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use common::{lifecycle::Lifecycle, server};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::{Client, client, jwt::seconds_from_now};
use tokio::net::TcpListener;
use url::Url;

use crate::{
    mailed::fragment,
    receiver,
    support::{Fixture, text, with},
};

pub(crate) const CLIENT: &str = "the client";
/// Where a sign-in at the provider begins.
pub(crate) const KEYCLOAK: &str = "/authorize?provider=keycloak";

const SECRET: &str = "the secret/of a client";
const KEY: &str = "key-1";

/// The provider. It ends with the test.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    shared: Arc<Shared>,
    lifecycle: Lifecycle,
}

struct Shared {
    issuer: String,
    key: EncodingKey,
    point: Vec<u8>,
    state: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    /// What is known about whoever signs in next.
    user: Value,
    /// What the next ID token says besides, or instead.
    twist: Value,
    /// Requests that wait for the exchange of their code, and who signed in.
    codes: HashMap<String, (HashMap<String, String>, Value)>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

/// A provider, and auth that knows it as Keycloak and as GitHub.
pub(crate) async fn with_provider(more: &[(&str, &str)]) -> (Fixture, Provider) {
    let provider = Provider::start().await;
    let mut settings = vec![
        ("GOTRUE_EXTERNAL_KEYCLOAK_ENABLED", "true"),
        ("GOTRUE_EXTERNAL_KEYCLOAK_CLIENT_ID", CLIENT),
        ("GOTRUE_EXTERNAL_KEYCLOAK_SECRET", SECRET),
        ("GOTRUE_EXTERNAL_KEYCLOAK_URL", provider.issuer.as_str()),
        ("GOTRUE_EXTERNAL_GITHUB_ENABLED", "true"),
        ("GOTRUE_EXTERNAL_GITHUB_CLIENT_ID", CLIENT),
        ("GOTRUE_EXTERNAL_GITHUB_SECRET", SECRET),
        ("GOTRUE_EXTERNAL_GITHUB_URL", provider.issuer.as_str()),
        ("GOTRUE_SECURITY_MANUAL_LINKING_ENABLED", "true"),
        ("GOTRUE_URI_ALLOW_LIST", "myapp://done"),
        ("GOTRUE_SMTP_MAX_FREQUENCY", "0s"),
    ];
    settings.extend(more);
    (with(settings).await, provider)
}

impl Provider {
    async fn start() -> Self {
        let pair = KeyPair::generate().expect("a key");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            key: EncodingKey::from_ec_der(&pair.serialize_der()),
            point: pair.der_bytes().to_vec(),
            state: Mutex::default(),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/login/oauth/authorize", get(authorize))
            .route("/token", post(token))
            .route("/login/oauth/access_token", post(token))
            .route("/userinfo", get(user))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .with_state(Arc::clone(&shared));
        let lifecycle = Lifecycle::default();
        let limits = server::ConnectionLimits::default();
        lifecycle.spawn(
            "provider",
            server::serve(listener, router, limits, lifecycle.clone()),
        );
        Self {
            issuer,
            shared,
            lifecycle,
        }
    }

    /// Whoever signs in next is known by these claims.
    pub(crate) fn knows(&self, user: Value) {
        self.shared.live().user = user;
    }

    /// ID tokens say this besides, or instead.
    pub(crate) fn twists(&self, twist: Value) {
        self.shared.live().twist = twist;
    }

    /// An ID token with these claims.
    pub(crate) fn id_token(&self, claims: &Value) -> String {
        self.shared.sign(claims)
    }

    /// A browser goes to `url`, its user signs in, and it is sent back: the query it brings along.
    pub(crate) async fn visit(&self, url: &str) -> String {
        let path = url
            .strip_prefix(&self.issuer)
            .expect("a URL of the provider");
        let response = Client::at(&self.issuer).get(path).send().await;
        let response = response.expect(StatusCode::FOUND);
        let back = Url::parse(response.header("location").expect("a way back"));
        let back = back.expect("a URL");
        assert!(
            back.as_str()
                .starts_with("http://api.example.com/auth/v1/callback?")
        );
        back.query().expect("a query").to_owned()
    }

    /// A browser goes through the provider, from `path` of auth to where auth sends it in the end.
    pub(crate) async fn through(&self, service: &Fixture, path: &str) -> client::Response {
        let there = service
            .client
            .get(path)
            .send()
            .await
            .expect(StatusCode::FOUND);
        let query = self
            .visit(there.header("location").expect("a location"))
            .await;
        let back = service
            .client
            .get(&format!("/callback?{query}"))
            .send()
            .await;
        back.expect(StatusCode::FOUND)
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Live> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs what the user is known by, then `more`, then the twist.
    fn sign(&self, more: &Value) -> String {
        let live = self.live();
        let mut claims = json!({
            "iss": self.issuer, "aud": CLIENT,
            "iat": seconds_from_now(0), "exp": seconds_from_now(600),
        });
        for part in [&live.user, more, &live.twist] {
            for (name, value) in part.as_object().into_iter().flatten() {
                claims[name] = value.clone();
            }
        }
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(KEY.to_owned());
        encode(&header, &claims, &self.key).expect("a token")
    }
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    let at = |path: &str| format!("{}{path}", shared.issuer);
    let document = json!({
        "issuer": shared.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    });
    receiver::json(200, &document)
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    let coordinate = |range| URL_SAFE_NO_PAD.encode(&shared.point[range]);
    let key = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY,
        "x": coordinate(1..33), "y": coordinate(33..65),
    });
    receiver::json(200, &json!({ "keys": [key] }))
}

async fn authorize(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(query.unwrap_or_default().as_bytes());
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["response_type"], "code");
    let code = uuid::Uuid::new_v4().to_string();
    let mut back = Url::parse(&asked["redirect_uri"]).expect("a URL");
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked["state"]);
    let mut live = shared.live();
    let user = live.user.clone();
    live.codes.insert(code, (asked, user));
    (StatusCode::FOUND, [("location", back.to_string())]).into_response()
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form = pairs(&body);
    let refused = || receiver::json(400, &json!({"error": "invalid_grant"}));
    if !is_client(&headers, &form) {
        return receiver::json(401, &json!({"error": "invalid_client"}));
    }
    let Some((asked, mut user)) = shared.live().codes.remove(&form["code"]) else {
        return refused();
    };
    let verifier = form.get("code_verifier").map_or("", String::as_str);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let fits = asked
        .get("code_challenge")
        .is_none_or(|asked| *asked == challenge);
    if !fits || form["redirect_uri"] != asked["redirect_uri"] {
        return refused();
    }
    user["nonce"] = json!(asked.get("nonce"));
    let id_token = shared.sign(&user);
    let tokens = json!({
        "access_token": "provider's access", "refresh_token": "provider's refresh",
        "token_type": "bearer", "id_token": id_token,
    });
    receiver::json(200, &tokens)
}

async fn user(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if headers["authorization"] != "Bearer provider's access" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    receiver::json(200, &shared.live().user)
}

async fn emails(State(shared): State<Arc<Shared>>) -> Response {
    receiver::json(200, &shared.live().user["emails"])
}

/// Both ways to say who asks: in the header for Keycloak, in the form for GitHub.
fn is_client(headers: &HeaderMap, form: &HashMap<String, String>) -> bool {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(CLIENT), encoded(SECRET));
    let basic = format!("Basic {}", STANDARD.encode(pair));
    let in_header = headers
        .get("authorization")
        .is_some_and(|value| value == basic.as_str());
    let is = |name: &str, expected: &str| form.get(name).is_some_and(|value| value == expected);
    in_header || (is("client_id", CLIENT) && is("client_secret", SECRET))
}

fn pairs(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// Somebody the provider knows.
pub(crate) fn ada(verified: bool) -> Value {
    json!({
        "sub": "ada-1", "name": "Ada", "picture": "https://a.b/c.png",
        "email": "Ada@example.com", "email_verified": verified,
    })
}

pub(crate) async fn user_of(service: &Fixture, response: &client::Response) -> Value {
    let token = fragment(response, "access_token").expect("an access token");
    service.user(&token).await.expect(StatusCode::OK).json()
}

/// Links an identity of the provider to the holder of a token; where the browser lands.
pub(crate) async fn link(service: &Fixture, provider: &Provider, token: &str) -> client::Response {
    let path = "/user/identities/authorize?provider=keycloak&skip_http_redirect=true";
    let url = service
        .client
        .get(path)
        .bearer(token)
        .send()
        .await
        .expect(StatusCode::OK);
    let back = provider.visit(text(&url.json(), "url")).await;
    service
        .client
        .get(&format!("/callback?{back}"))
        .send()
        .await
}
