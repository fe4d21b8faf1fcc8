//! `/oauth/token`, `/oauth/userinfo` and `/user/oauth/grants`: what an application gets, and keeps.

use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use serde_json::{Value, json};
use testkit::{client::Response, jwt};
use time::Duration;
use tokio::task::JoinSet;

use crate::{
    keys::key,
    oauth_server::{BACK, VERIFIER, code, registered, server},
    support::{EMAIL, Fixture, access, service_role, text},
};

/// How many present a code at once.
const CROWD: usize = 50;

pub(crate) struct Signed {
    pub(crate) service: Fixture,
    client: Value,
    /// The user's own tokens.
    pub(crate) own: Value,
}

pub(crate) async fn signed(client_type: &str, settings: &[(&str, &str)]) -> Signed {
    let service = server(settings).await;
    Signed {
        client: registered(&service, client_type).await,
        own: service.signed_up(EMAIL).await,
        service,
    }
}

impl Signed {
    async fn code(&self, changes: &[(&str, &str)]) -> String {
        code(&self.service, &self.client, access(&self.own), changes).await
    }

    /// A form of the client for the token endpoint.
    fn form(&self, pairs: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", text(&self.client, "client_id"));
        if let Some(secret) = self.client["client_secret"].as_str() {
            form.append_pair("client_secret", secret);
        }
        form.extend_pairs(pairs).finish()
    }

    async fn send(&self, form: String) -> Response {
        send(&self.service, form).await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Response {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", verifier),
        ];
        self.send(self.form(&pairs)).await
    }

    async fn refresh(&self, token: &str) -> Response {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.send(self.form(&pairs)).await
    }

    pub(crate) async fn tokens(&self, changes: &[(&str, &str)]) -> Value {
        let answer = self.exchange(&self.code(changes).await, VERIFIER).await;
        answer.expect(StatusCode::OK).json()
    }

    pub(crate) async fn userinfo(&self, token: &str) -> Response {
        self.service
            .client
            .get("/oauth/userinfo")
            .bearer(token)
            .send()
            .await
    }

    async fn grants(&self, method: Method, query: &str) -> Response {
        let path = format!("/user/oauth/grants{query}");
        let request = self.service.client.request(method, &path);
        request.bearer(access(&self.own)).send().await
    }
}

async fn send(service: &Fixture, form: String) -> Response {
    let request = service.client.post("/oauth/token");
    let kind = "application/x-www-form-urlencoded";
    request.header("content-type", kind).body(form).send().await
}

#[track_caller]
fn assert_refused(answer: &Response, error: &str, description: &str) {
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    let expected = json!({"error": error, "error_description": description});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_of_a_session_that_is_the_clients() {
    let it = signed("public", &[]).await;
    let answer = it
        .exchange(&it.code(&[]).await, VERIFIER)
        .await
        .expect(StatusCode::OK);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!(
        (&tokens["user"], &tokens["id_token"]),
        (&Value::Null, &Value::Null)
    );
    let claims = jwt::claims(access(&tokens));
    assert_eq!(claims["client_id"], it.client["client_id"]);
    assert_eq!(claims["scope"], "openid email profile");
    assert_eq!(
        claims["amr"][0]["method"],
        "oauth_provider/authorization_code"
    );
    assert_ne!(
        claims["session_id"],
        jwt::claims(access(&it.own))["session_id"]
    );
    assert_eq!(jwt::claims(access(&it.own))["client_id"], Value::Null);

    let known = it
        .userinfo(access(&tokens))
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        (&known["sub"], &known["email"]),
        (&claims["sub"], &json!(EMAIL))
    );
    assert_eq!(
        (&known["email_verified"], &known["name"]),
        (&json!(true), &json!(EMAIL))
    );
    // The user's own session has no scopes.
    let own = it.userinfo(access(&it.own)).await.json();
    assert_eq!(own, json!({"sub": claims["sub"]}));
    let narrow = it.tokens(&[("scope", "offline_access")]).await;
    let known = it.userinfo(access(&narrow)).await.json();
    assert_eq!(known, json!({"sub": claims["sub"]}));

    let refreshed = it
        .refresh(text(&tokens, "refresh_token"))
        .await
        .expect(StatusCode::OK)
        .json();
    let again = jwt::claims(access(&refreshed));
    assert_eq!(again["session_id"], claims["session_id"]);
    assert_eq!(
        (&again["client_id"], &again["scope"]),
        (&claims["client_id"], &claims["scope"])
    );
}

#[tokio::test]
async fn a_code_is_exchanged_once_also_by_many_at_once() {
    let it = signed("public", &[]).await;
    let code = it.code(&[]).await;
    it.service.open_connections().await;
    let form = it.form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ]);
    let mut running = JoinSet::new();
    for _ in 0..CROWD {
        let (client, form) = (it.service.client.clone(), form.clone());
        running.spawn(async move { client.post("/oauth/token").body(form).send().await });
    }
    let answers = running.join_all().await;
    let good = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(good.count(), 1);
    for answer in answers
        .iter()
        .filter(|answer| answer.status != StatusCode::OK)
    {
        assert_refused(answer, "invalid_grant", "Invalid authorization code");
    }
    // The second who came ended what the first got.
    let sessions = it
        .service
        .value("select count(*)::text from auth.sessions where oauth_client_id is not null");
    assert_eq!(sessions.await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_code_that_is_presented_again_ends_what_it_led_to() {
    let it = signed("public", &[]).await;
    let code = it.code(&[]).await;
    let first = it.exchange(&code, VERIFIER).await;
    let first = first.expect(StatusCode::OK).json();
    let refreshed = it.refresh(text(&first, "refresh_token")).await;
    let refreshed = refreshed.expect(StatusCode::OK).json();
    let other = it.tokens(&[]).await;

    // Without the verifier nobody can have got anything for it.
    let blind = it.exchange(&code, &"x".repeat(43)).await;
    assert_eq!(blind.json()["error"], "invalid_grant");
    let known = it.userinfo(access(&refreshed)).await;
    known.expect(StatusCode::OK);

    for _ in 0..2 {
        let again = it.exchange(&code, VERIFIER).await;
        assert_refused(&again, "invalid_grant", "Invalid authorization code");
    }
    for tokens in [&first, &refreshed] {
        let gone = it.userinfo(access(tokens)).await;
        assert_eq!(gone.status, StatusCode::FORBIDDEN);
        let gone = it.refresh(text(tokens, "refresh_token")).await;
        let message = "Refresh token is invalid or expired.";
        assert_refused(&gone, "invalid_grant", message);
    }
    for tokens in [&other, &it.own] {
        let kept = it.service.user(access(tokens)).await;
        kept.expect(StatusCode::OK);
    }
    let noted = "select count(*)::text from auth.audit_log_entries \
                 where payload ->> 'action' = 'token_revoked' \
                   and payload -> 'traits' ->> 'reason' = 'code_reuse'";
    assert_eq!(it.service.value(noted).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_code_is_good_for_its_client_verifier_and_place_for_a_while() {
    let it = signed("public", &[]).await;
    let code = it.code(&[]).await;
    let mismatch = "PKCE verification failed: code challenge does not match previously saved code \
                    verifier";
    for verifier in ["", "another", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"] {
        assert_refused(
            &it.exchange(&code, verifier).await,
            "invalid_grant",
            mismatch,
        );
    }
    let elsewhere = it.form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", "https://evil.example.com"),
    ]);
    assert_refused(
        &it.send(elsewhere).await,
        "invalid_grant",
        "Invalid redirect_uri",
    );
    let other = Signed {
        client: registered(&it.service, "public").await,
        ..it
    };
    let foreign = other.exchange(&code, VERIFIER).await;
    let message = "Authorization code was not issued for this client";
    assert_refused(&foreign, "invalid_grant", message);
    other.service.pass(Duration::minutes(11));
    let late = other.exchange(&code, VERIFIER).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    assert_eq!(late.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_client_proves_who_it_is() {
    let it = signed("confidential", &[]).await;
    let (id, secret) = (
        text(&it.client, "client_id"),
        text(&it.client, "client_secret"),
    );
    let basic = |id: &str, secret: &str| {
        let pair = STANDARD.encode(format!("{id}:{secret}"));
        let request = it.service.client.post("/oauth/token");
        let request = request.header("authorization", &format!("Basic {pair}"));
        request
            .body("grant_type=refresh_token&refresh_token=aaaaaaaaaaaa")
            .send()
    };
    // Whoever is known gets as far as the token.
    let known = basic(id, &secret.replace('-', "%2D").replace('_', "%5F")).await;
    assert_eq!(known.json()["error"], "invalid_grant");
    assert_refused(
        &basic(id, "wrong").await,
        "invalid_client",
        "Invalid client credentials",
    );
    let message = "confidential clients must provide client_secret";
    assert_refused(&basic(id, "").await, "invalid_client", message);
    let nobody = uuid::Uuid::new_v4().to_string();
    let unknown = basic(&nobody, secret).await;
    assert_refused(&unknown, "invalid_client", "Invalid client credentials");
    let anonymous = send(&it.service, "grant_type=refresh_token".to_owned()).await;
    assert_refused(&anonymous, "invalid_client", "client_id is required");

    // A secret that was replaced is no longer good.
    it.tokens(&[]).await;
    let path = format!("/admin/oauth/clients/{id}/regenerate_secret");
    let renewed = it
        .service
        .client
        .post(&path)
        .bearer(&service_role())
        .send()
        .await;
    renewed.expect(StatusCode::OK);
    let outdated = it.refresh("aaaaaaaaaaaa").await;
    assert_refused(&outdated, "invalid_client", "Invalid client credentials");
}

#[tokio::test]
async fn a_public_client_has_no_secret_to_give_and_json_does_as_well() {
    let it = signed("public", &[]).await;
    let mut body = json!({
        "grant_type": "authorization_code", "client_id": it.client["client_id"],
        "code": it.code(&[]).await, "code_verifier": VERIFIER, "client_secret": "x",
    });
    let refusal = it.service.post("/oauth/token", body.clone()).await;
    let message = "public clients must not provide client_secret";
    assert_refused(&refusal, "invalid_client", message);
    body.as_object_mut()
        .expect("an object")
        .remove("client_secret");
    let request = it.service.client.post("/oauth/token").json(&body);
    request
        .header("content-type", "application/json")
        .send()
        .await
        .expect(StatusCode::OK);
    let without = it.send(it.form(&[])).await;
    assert_refused(&without, "invalid_request", "grant_type is required");
    let other = it.send(it.form(&[("grant_type", "password")])).await;
    let message = "Client is not allowed to use grant type: password";
    assert_refused(&other, "unsupported_grant_type", message);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_its_client_only() {
    let it = signed("public", &[]).await;
    let tokens = it.tokens(&[]).await;
    let refresh = text(&tokens, "refresh_token");
    let gone = "Refresh token is invalid or expired.";
    let as_user = it.service.refresh(refresh).await;
    assert_eq!(as_user.status, StatusCode::BAD_REQUEST);
    assert_eq!(as_user.json()["error_code"], "refresh_token_not_found");
    let own = text(&it.own, "refresh_token");
    assert_refused(&it.refresh(own).await, "invalid_grant", gone);
    let other = Signed {
        client: registered(&it.service, "public").await,
        service: it.service,
        own: it.own.clone(),
    };
    assert_refused(&other.refresh(refresh).await, "invalid_grant", gone);
    // Nothing of that used it up.
    let rightful = Signed {
        client: it.client,
        ..other
    };
    rightful.refresh(refresh).await.expect(StatusCode::OK);
    rightful.service.refresh(own).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn revoking_a_grant_ends_the_sessions_of_that_client() {
    let it = signed("public", &[]).await;
    let tokens = it.tokens(&[]).await;
    let pending = it.code(&[]).await;
    let listed = it
        .grants(Method::GET, "")
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(listed[0]["client"]["id"], it.client["client_id"]);
    assert_eq!(listed[0]["scopes"], json!(["openid", "email", "profile"]));
    let query = format!("?client_id={}", text(&it.client, "client_id"));
    it.grants(Method::DELETE, &query)
        .await
        .expect(StatusCode::NO_CONTENT);

    assert_eq!(
        it.userinfo(access(&tokens)).await.status,
        StatusCode::FORBIDDEN
    );
    let refusal = it.refresh(text(&tokens, "refresh_token")).await;
    assert_refused(
        &refusal,
        "invalid_grant",
        "Refresh token is invalid or expired.",
    );
    let refusal = it.exchange(&pending, VERIFIER).await;
    assert_refused(&refusal, "invalid_grant", "Invalid authorization code");
    it.service
        .user(access(&it.own))
        .await
        .expect(StatusCode::OK);
    assert_eq!(it.grants(Method::GET, "").await.json(), json!([]));
    let again = it.grants(Method::DELETE, &query).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(again.json()["error_code"], "oauth_consent_not_found");
}

#[tokio::test]
async fn removing_a_client_ends_its_sessions() {
    let it = signed("public", &[]).await;
    let tokens = it.tokens(&[]).await;
    let path = format!("/admin/oauth/clients/{}", text(&it.client, "client_id"));
    let removed = it
        .service
        .client
        .delete(&path)
        .bearer(&service_role())
        .send()
        .await;
    removed.expect(StatusCode::NO_CONTENT);
    assert_eq!(
        it.userinfo(access(&tokens)).await.status,
        StatusCode::FORBIDDEN
    );
    let refusal = it.refresh(text(&tokens, "refresh_token")).await;
    assert_refused(&refusal, "invalid_client", "Invalid client credentials");
}

#[tokio::test]
async fn a_banned_user_is_cut_off() {
    let it = signed("public", &[]).await;
    let (tokens, pending) = (it.tokens(&[]).await, it.code(&[]).await);
    it.service
        .execute("update auth.users set banned_until = now() + interval '1 day'")
        .await;
    let refusal = it.exchange(&pending, VERIFIER).await;
    assert_refused(&refusal, "access_denied", "User is banned");
    let refusal = it.refresh(text(&tokens, "refresh_token")).await;
    let message = "User is not permitted to access this resource.";
    assert_refused(&refusal, "access_denied", message);
    assert_eq!(
        it.userinfo(access(&tokens)).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn an_id_token_is_signed_for_everybody_and_lets_nobody_in() {
    let keys = json!([key("one", "sign").0]).to_string();
    let it = signed("public", &[("GOTRUE_JWT_KEYS", &keys)]).await;
    let metadata = it
        .service
        .client
        .get("/.well-known/oauth-authorization-server")
        .send()
        .await;
    let metadata = metadata.expect(StatusCode::OK).json();
    assert_eq!(
        metadata["id_token_signing_alg_values_supported"],
        json!(["ES256"])
    );
    let tokens = it.tokens(&[]).await;
    let id_token = text(&tokens, "id_token");
    let published = it
        .service
        .client
        .get("/.well-known/jwks.json")
        .send()
        .await
        .json();
    let published: JwkSet = serde_json::from_value(published).expect("a key set");
    let one = DecodingKey::from_jwk(published.find("one").expect("the key")).expect("a key");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[text(&it.client, "client_id")]);
    validation.set_issuer(&[text(&metadata, "issuer")]);
    let claims = decode::<Value>(id_token, &one, &validation)
        .expect("a genuine token")
        .claims;
    assert_eq!(claims["sub"], it.own["user"]["id"]);
    assert_eq!(
        (&claims["nonce"], &claims["email"]),
        (&json!("a nonce"), &json!(EMAIL))
    );
    assert!(claims["auth_time"].is_i64(), "{claims}");
    assert_eq!(
        it.service.user(id_token).await.status,
        StatusCode::FORBIDDEN
    );
    let without = it.tokens(&[("scope", "email")]).await;
    assert_eq!(without["id_token"], Value::Null);
}
