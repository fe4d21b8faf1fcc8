//! Captcha tokens, verified by a service outside.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use common::{lifecycle::Lifecycle, server};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{EMAIL, Fixture, PASSWORD, refused, service_role, text, with};

/// The forms that were posted.
type Asked = Arc<Mutex<Vec<Form>>>;
type Form = Vec<(String, String)>;

struct Verifier {
    service: Fixture,
    asked: Asked,
    lifecycle: Lifecycle,
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

/// Takes the token `good` for a person's.
async fn verify(State(asked): State<Asked>, body: Bytes) -> String {
    let pairs: Form = form_urlencoded::parse(&body).into_owned().collect();
    let good = pairs
        .iter()
        .any(|(name, value)| name == "response" && value == "good");
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(pairs);
    let errors: &[&str] = if good {
        &[]
    } else {
        &["invalid-input-response"]
    };
    json!({"success": good, "error-codes": errors}).to_string()
}

async fn verifier() -> Verifier {
    let asked = Asked::default();
    let router = Router::new()
        .route("/siteverify", post(verify))
        .with_state(Arc::clone(&asked));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let url = format!("http://{address}/siteverify");
    let lifecycle = Lifecycle::default();
    let limits = server::ConnectionLimits::default();
    lifecycle.spawn(
        "captcha",
        server::serve(listener, router, limits, lifecycle.clone()),
    );
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SECURITY_CAPTCHA_ENABLED", "true"),
        ("GOTRUE_SECURITY_CAPTCHA_PROVIDER", "turnstile"),
        ("GOTRUE_SECURITY_CAPTCHA_SECRET", "captcha-secret"),
        ("AUTH_CAPTCHA_URL", url.as_str()),
        ("GOTRUE_PASSKEY_ENABLED", "true"),
    ])
    .await;
    Verifier {
        service,
        asked,
        lifecycle,
    }
}

fn with_token(mut body: Value, token: &str) -> Value {
    body["gotrue_meta_security"] = json!({"captcha_token": token});
    body
}

#[tokio::test]
async fn what_strangers_can_ask_for_needs_a_persons_token() {
    let it = verifier().await;
    let signup = json!({"email": EMAIL, "password": PASSWORD});
    for (path, body) in [
        ("/signup", signup.clone()),
        ("/token?grant_type=password", signup.clone()),
        ("/otp", json!({"email": EMAIL})),
        ("/magiclink", json!({"email": EMAIL})),
        ("/recover", json!({"email": EMAIL})),
        ("/resend", json!({"type": "signup", "email": EMAIL})),
        ("/passkeys/authentication/options", json!({})),
    ] {
        let request = || it.service.client.post(path).json(&body);
        let message = "captcha protection: request disallowed (no captcha_token found)";
        refused(request, 400, "captcha_failed", message).await;
        let body = with_token(body.clone(), "bad");
        let request = || it.service.client.post(path).json(&body);
        let message = "captcha protection: request disallowed (invalid-input-response)";
        refused(request, 400, "captcha_failed", message).await;
    }
    let tokens = it.service.post("/signup", with_token(signup, "good")).await;
    let tokens = tokens.expect(StatusCode::OK).json();
    it.service
        .refresh(text(&tokens, "refresh_token"))
        .await
        .expect(StatusCode::OK);
    let asked = it.asked.lock().unwrap_or_else(PoisonError::into_inner);
    let last = asked.last().expect("a question");
    assert!(last.contains(&("secret".to_owned(), "captcha-secret".to_owned())));
}

#[tokio::test]
async fn admins_need_no_token() {
    let it = verifier().await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let request = it.service.client.post("/signup").bearer(&service_role());
    request.json(&body).send().await.expect(StatusCode::OK);
    assert!(
        it.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    );
}

#[tokio::test]
async fn a_verifier_that_is_away_lets_nobody_in() {
    let service = with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_SECURITY_CAPTCHA_ENABLED", "true"),
        ("GOTRUE_SECURITY_CAPTCHA_SECRET", "captcha-secret"),
        ("AUTH_CAPTCHA_URL", "http://127.0.0.1:9"),
    ])
    .await;
    let body = with_token(json!({"email": EMAIL, "password": PASSWORD}), "good");
    service
        .post("/signup", body)
        .await
        .expect(StatusCode::INTERNAL_SERVER_ERROR);
}
