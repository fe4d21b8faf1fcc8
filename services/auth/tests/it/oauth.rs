//! `GET /authorize` and `/callback`

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;
use time::Duration;
use url::Url;

use crate::{
    mailed::{CHALLENGE, VERIFIER, fragment, query},
    provider::{KEYCLOAK, ada, user_of, with_provider},
    receiver::{self, receiver},
    support::{EMAIL, access, refused, service_role},
};

#[tokio::test]
async fn a_sign_in_at_a_provider_makes_an_account() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(true));
    let path = format!("{KEYCLOAK}&redirect_to=myapp://done&prompt=login&scopes=offline");
    let there = service
        .client
        .get(&path)
        .send()
        .await
        .expect(StatusCode::FOUND);
    let scope = query(&there, "scope").expect("scopes");
    assert_eq!(scope, "openid email profile offline");
    assert_eq!(query(&there, "prompt").as_deref(), Some("login"));
    assert_eq!(
        query(&there, "code_challenge_method").as_deref(),
        Some("S256")
    );

    let landed = provider.through(&service, &path).await;
    let location = Url::parse(landed.header("location").expect("a location")).expect("a URL");
    assert!(
        location.as_str().starts_with("myapp://done#access_token="),
        "{location}"
    );
    assert_eq!(
        fragment(&landed, "provider_token").as_deref(),
        Some("provider's access")
    );
    let refresh = fragment(&landed, "provider_refresh_token");
    assert_eq!(refresh.as_deref(), Some("provider's refresh"));
    let user = user_of(&service, &landed).await;
    assert_eq!(user["email"], EMAIL);
    assert!(user["email_confirmed_at"].is_string());
    assert_eq!(
        user["app_metadata"],
        json!({"provider": "keycloak", "providers": ["keycloak"]})
    );
    assert_eq!(user["user_metadata"]["full_name"], "Ada");
    let identity = &user["identities"][0];
    assert_eq!(
        (&identity["provider"], &identity["id"]),
        (&json!("keycloak"), &json!("ada-1"))
    );
    let token = fragment(&landed, "access_token").expect("a token");
    assert_eq!(jwt::claims(&token)["amr"][0]["method"], "oauth");

    provider.knows(json!({"sub": "ada-1", "name": "Ada L.", "email": "new@example.com"}));
    let again = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
    assert_eq!(again["id"], user["id"]);
    assert_eq!(again["email"], EMAIL);
    assert_eq!(again["user_metadata"]["name"], "Ada L.");
}

#[tokio::test]
async fn a_hook_is_told_who_became_a_user_through_a_provider() {
    let receiver = receiver(|_, _| receiver::json(200, &json!({}))).await;
    let settings = receiver.settings("AFTER_USER_CREATED");
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let (service, provider) = with_provider(&settings).await;
    provider.knows(ada(true));
    for _ in 0..2 {
        let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
        let told = receiver.calls("AFTER_USER_CREATED");
        assert_eq!((told.len(), &told[0]["user"]["id"]), (1, &user["id"]));
    }
}

#[tokio::test]
async fn with_pkce_a_sign_in_at_a_provider_ends_with_a_code() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(true));
    let path = format!("{KEYCLOAK}&code_challenge={CHALLENGE}&code_challenge_method=s256");
    let landed = provider.through(&service, &path).await;
    assert_eq!(fragment(&landed, "access_token"), None);
    let code = query(&landed, "code").expect("a code");
    let exchange = |verifier: &str| {
        let body = json!({"auth_code": code, "code_verifier": verifier});
        service.client.post("/token?grant_type=pkce").json(&body)
    };
    let wrong = exchange(&"x".repeat(43)).send().await;
    wrong.expect(StatusCode::BAD_REQUEST);
    let tokens = exchange(VERIFIER)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(tokens["user"]["email"], EMAIL);
    assert_eq!(tokens["provider_token"], "provider's access");
    assert_eq!(tokens["provider_refresh_token"], "provider's refresh");
    assert_eq!(jwt::claims(access(&tokens))["amr"][0]["method"], "oauth");
    exchange(VERIFIER)
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_provider_with_words_of_its_own_is_understood() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(json!({
        "id": 7, "login": "ada", "name": "Ada", "email": "shown@example.com",
        "emails": [
            {"email": "old@example.com", "primary": false, "verified": true},
            {"email": "Ada@example.com", "primary": true, "verified": true},
        ],
    }));
    let landed = provider
        .through(&service, "/authorize?provider=github")
        .await;
    let user = user_of(&service, &landed).await;
    assert_eq!(user["email"], EMAIL);
    assert_eq!(user["user_metadata"]["user_name"], "ada");
    assert_eq!(user["identities"][0]["id"], "7");
}

#[tokio::test]
async fn a_browser_comes_back_once_and_soon() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(true));
    let there = service.client.get(KEYCLOAK).send().await;
    let back = provider
        .visit(there.header("location").expect("a location"))
        .await;
    let callback = format!("/callback?{back}");
    service
        .client
        .get(&callback)
        .send()
        .await
        .expect(StatusCode::FOUND);
    let there = service.client.get(KEYCLOAK).send().await;
    let late = provider
        .visit(there.header("location").expect("a location"))
        .await;
    service.pass(Duration::minutes(6));
    let late = format!("/callback?{late}");
    let nobody = "/callback?code=x&state=00000000-0000-4000-8000-000000000000".to_owned();
    for (path, code, message) in [
        (
            callback,
            "bad_oauth_state",
            "OAuth state not found or expired",
        ),
        (late, "bad_oauth_state", "OAuth state has expired"),
        (
            nobody,
            "bad_oauth_state",
            "OAuth state not found or expired",
        ),
        (
            "/callback?state=x".to_owned(),
            "bad_oauth_state",
            "OAuth state parameter is invalid",
        ),
        (
            "/callback".to_owned(),
            "bad_oauth_callback",
            "OAuth state parameter missing",
        ),
    ] {
        let landed = service
            .client
            .get(&path)
            .send()
            .await
            .expect(StatusCode::FOUND);
        let location = landed.header("location").expect("a location");
        assert!(location.starts_with("http://app.example.com/?error=invalid_request&"));
        assert_eq!(
            query(&landed, "error_code").as_deref(),
            Some(code),
            "{path}"
        );
        assert_eq!(fragment(&landed, "error_code").as_deref(), Some(code));
        assert_eq!(
            query(&landed, "error_description").as_deref(),
            Some(message)
        );
    }
}

#[tokio::test]
async fn a_pkce_sign_in_comes_back_once() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(true));
    let path = format!("{KEYCLOAK}&code_challenge={CHALLENGE}&code_challenge_method=s256");
    let there = service.client.get(&path).send().await;
    let back = provider
        .visit(there.header("location").expect("a location"))
        .await;
    let callback = format!("/callback?{back}");
    let first = service.client.get(&callback).send().await;
    assert!(query(&first, "code").is_some());
    let second = service.client.get(&callback).send().await;
    assert_eq!(
        query(&second, "error_code").as_deref(),
        Some("flow_state_already_used")
    );
}

#[tokio::test]
async fn what_the_provider_refuses_reaches_the_application() {
    let (service, _provider) = with_provider(&[]).await;
    let path = format!("{KEYCLOAK}&redirect_to=myapp://done");
    let there = service.client.get(&path).send().await;
    let state = query(&there, "state").expect("a state");
    let body = format!("state={state}&error=access_denied&error_description=No+thanks");
    let landed = service.client.post("/callback").body(body).send().await;
    let landed = landed.expect(StatusCode::FOUND);
    assert_eq!(
        landed.header("location"),
        Some(
            "myapp://done?error=access_denied&error_description=No+thanks\
             #error=access_denied&error_description=No+thanks&sb="
        )
    );
}

#[tokio::test]
async fn an_id_token_that_is_not_the_answer_to_our_request_is_refused() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(true));
    for twist in [
        json!({"nonce": "another"}),
        json!({"aud": "somebody else"}),
        json!({"iss": "https://elsewhere.example.com"}),
        json!({"exp": 1}),
    ] {
        provider.twists(twist.clone());
        let landed = provider.through(&service, KEYCLOAK).await;
        let message = "Error getting user profile from external provider";
        assert_eq!(
            query(&landed, "error").as_deref(),
            Some("server_error"),
            "{twist}"
        );
        assert_eq!(
            query(&landed, "error_description").as_deref(),
            Some(message)
        );
        assert_eq!(fragment(&landed, "access_token"), None);
    }
}

#[tokio::test]
async fn only_providers_that_are_switched_on_are_asked() {
    let (service, _provider) = with_provider(&[]).await;
    for (name, problem) in [
        ("google", "provider is not enabled"),
        ("nobody", "Provider nobody could not be found"),
        ("custom:acme", "Provider custom:acme could not be found"),
    ] {
        let path = format!("/authorize?provider={name}");
        let message = format!("Unsupported provider: {problem}");
        refused(
            || service.client.get(&path),
            400,
            "validation_failed",
            &message,
        )
        .await;
    }
    let external = &service.client.get("/settings").send().await.json()["external"];
    assert_eq!(
        (&external["keycloak"], &external["google"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn a_change_does_not_bring_a_removed_provider_back() {
    let (service, provider) = with_provider(&[]).await;
    let admin = service_role();
    let body = json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme",
        "client_id": "c", "client_secret": "s", "issuer": provider.issuer,
    });
    let made = service
        .client
        .post("/admin/custom-providers")
        .bearer(&admin);
    made.json(&body).send().await.expect(StatusCode::CREATED);
    let put = service.client.put("/admin/custom-providers/custom:acme");
    let change = put.bearer(&admin).json(&json!({"name": "Other"})).send();
    let removal = "delete from auth.custom_oauth_providers";
    let answer = service.after(removal, change).await;
    answer.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_provider_is_added_while_the_service_runs() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(json!({"sub": "1", "mail": "x@example.com", "sure": true}));
    let admin = service_role();
    let body = json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme",
        "client_id": crate::provider::CLIENT, "client_secret": "the secret/of a client",
        "issuer": provider.issuer,
        "attribute_mapping": {"email": "mail", "email_verified": "sure"},
        "authorization_params": {"prompt": "consent"},
    });
    let path = "/admin/custom-providers";
    let create = || service.client.post(path).bearer(&admin).json(&body);
    let made = create().send().await.expect(StatusCode::CREATED).json();
    assert_eq!(made.get("client_secret"), None);
    create().send().await.expect(StatusCode::BAD_REQUEST);
    let authorize = "/authorize?provider=custom:acme";
    let landed = provider.through(&service, authorize).await;
    let user = user_of(&service, &landed).await;
    assert_eq!(user["email"], "x@example.com");
    assert_eq!(user["app_metadata"]["provider"], "custom:acme");

    let path = "/admin/custom-providers/custom:acme";
    let off = service
        .client
        .put(path)
        .bearer(&admin)
        .json(&json!({"enabled": false}));
    assert_eq!(
        off.send().await.expect(StatusCode::OK).json()["enabled"],
        false
    );
    service
        .client
        .get(authorize)
        .send()
        .await
        .expect(StatusCode::BAD_REQUEST);
    let all = service
        .client
        .get("/admin/custom-providers")
        .bearer(&admin)
        .send()
        .await;
    assert_eq!(all.json()["providers"].as_array().map(Vec::len), Some(1));
    let gone = service.client.delete(path).bearer(&admin).send().await;
    gone.expect(StatusCode::NO_CONTENT);
    let read = || service.client.get(path).bearer(&admin);
    refused(
        read,
        404,
        "custom_provider_not_found",
        "Custom provider not found",
    )
    .await;
}

#[tokio::test]
async fn the_secret_of_a_provider_is_encrypted_where_there_is_a_key() {
    let settings = [
        ("GOTRUE_SECURITY_DATABASE_ENCRYPTION_ENCRYPT", "true"),
        (
            "GOTRUE_SECURITY_DATABASE_ENCRYPTION_ENCRYPTION_KEY_ID",
            "one",
        ),
        (
            "GOTRUE_SECURITY_DATABASE_ENCRYPTION_ENCRYPTION_KEY",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        ),
    ];
    let (service, provider) = with_provider(&settings).await;
    provider.knows(json!({"sub": "1", "email": "x@example.com", "email_verified": true}));
    let admin = service_role();
    let body = json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme",
        "client_id": crate::provider::CLIENT, "client_secret": "the secret/of a client",
        "issuer": provider.issuer,
    });
    let create = service
        .client
        .post("/admin/custom-providers")
        .bearer(&admin);
    create.json(&body).send().await.expect(StatusCode::CREATED);
    let stored = async || {
        let sql = "select client_secret from auth.custom_oauth_providers";
        service.value(sql).await.expect("a secret")
    };
    let signs_in = async || {
        let landed = provider
            .through(&service, "/authorize?provider=custom:acme")
            .await;
        assert_eq!(user_of(&service, &landed).await["email"], "x@example.com");
    };
    let change = async || {
        let put = service.client.put("/admin/custom-providers/custom:acme");
        let answer = put.bearer(&admin).json(&json!({})).send().await;
        answer.expect(StatusCode::OK);
    };
    let is_sealed =
        |text: &str| text.contains(r#""key_id":"one""#) && !text.contains("of a client");
    let first = stored().await;
    assert!(is_sealed(&first), "{first}");
    signs_in().await;
    change().await;
    let second = stored().await;
    assert!(is_sealed(&second) && second != first, "{second}");
    signs_in().await;

    // What was stored as it is stays good, and is encrypted by the next change.
    let plain = "update auth.custom_oauth_providers set client_secret = 'the secret/of a client'";
    service.execute(plain).await;
    signs_in().await;
    change().await;
    assert!(is_sealed(&stored().await));
    signs_in().await;
}

#[tokio::test]
async fn a_provider_that_lacks_something_is_not_added() {
    let (service, _provider) = with_provider(&[]).await;
    let admin = service_role();
    let whole = json!({
        "provider_type": "oidc", "identifier": "custom:acme", "name": "Acme", "client_id": "x",
        "client_secret": "x", "issuer": "https://id.example.com",
    });
    for (name, value) in [
        ("provider_type", json!("saml")),
        ("identifier", json!("acme")),
        ("client_secret", json!("")),
        ("issuer", json!("")),
        ("issuer", json!("javascript:alert(1)")),
    ] {
        let mut body = whole.clone();
        body[name] = value;
        let create = service
            .client
            .post("/admin/custom-providers")
            .bearer(&admin);
        create
            .json(&body)
            .send()
            .await
            .expect(StatusCode::BAD_REQUEST);
    }
}
