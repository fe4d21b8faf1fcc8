//! `/user/identities` and `POST /token?grant_type=id_token`

use axum::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testkit::client::RequestBuilder;

use crate::{
    mailed::{fragment, query},
    provider::{link, with_provider},
    support::{EMAIL, Fixture, access, refused, text},
};

const AUTOCONFIRM: (&str, &str) = ("GOTRUE_MAILER_AUTOCONFIRM", "true");

fn id_token<'a>(service: &'a Fixture, body: &Value) -> RequestBuilder<'a> {
    service.client.post("/token?grant_type=id_token").json(body)
}

fn hashed(nonce: &str) -> String {
    auth::hex::encode(&Sha256::digest(nonce))
}

#[tokio::test]
async fn a_user_links_and_unlinks_an_identity() {
    let (service, provider) = with_provider(&[AUTOCONFIRM]).await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    provider.knows(json!({"sub": "7", "email": "other@example.com", "email_verified": true}));
    let landed = link(&service, &provider, token).await;
    assert!(fragment(&landed, "access_token").is_some());
    let user = service.user(token).await.json();
    assert_eq!(user["email"], EMAIL);
    assert_eq!(
        user["app_metadata"]["providers"],
        json!(["email", "keycloak"])
    );

    let again = link(&service, &provider, token).await;
    assert_eq!(
        query(&again, "error_code").as_deref(),
        Some("identity_already_exists")
    );
    let other = service.signed_up("grace@example.com").await;
    let stolen = link(&service, &provider, access(&other)).await;
    let message = "Identity is already linked to another user";
    assert_eq!(
        query(&stolen, "error_description").as_deref(),
        Some(message)
    );

    let unlink = |id: &str| {
        service
            .client
            .delete(&format!("/user/identities/{id}"))
            .bearer(token)
    };
    let identity = |name: &str| {
        let identities = user["identities"].as_array().into_iter().flatten();
        let mut named = identities.filter(|identity| identity["provider"] == name);
        text(named.next().expect("an identity"), "identity_id").to_owned()
    };
    let foreign = text(&other["user"]["identities"][0], "identity_id");
    let unknown = "Identity doesn't exist";
    refused(|| unlink(foreign), 422, "identity_not_found", unknown).await;
    refused(
        || unlink("x"),
        404,
        "validation_failed",
        "identity_id must be an UUID",
    )
    .await;
    unlink(&identity("email"))
        .send()
        .await
        .expect(StatusCode::OK);
    let logged = "select string_agg(distinct payload ->> 'action', ',') \
                  from auth.audit_log_entries where payload ->> 'action' like 'identity%'";
    let logged = service.value(logged).await;
    assert_eq!(logged.as_deref(), Some("identity_linked,identity_unlinked"));
    let user = service.user(token).await.json();
    assert_eq!(user["email"], "other@example.com");
    assert_eq!(user["app_metadata"]["providers"], json!(["keycloak"]));
    let last = "User must have at least 1 identity after unlinking";
    let only = text(&user["identities"][0], "identity_id").to_owned();
    refused(|| unlink(&only), 422, "single_identity_not_deletable", last).await;
}

#[tokio::test]
async fn an_address_nobody_vouched_for_does_not_become_the_users_by_unlinking() {
    let (service, provider) = with_provider(&[AUTOCONFIRM]).await;
    let tokens = service.signed_up(EMAIL).await;
    provider.knows(json!({"sub": "7", "email": "victim@example.com", "email_verified": false}));
    link(&service, &provider, access(&tokens)).await;
    let id = text(&tokens["user"]["identities"][0], "identity_id");
    let path = format!("/user/identities/{id}");
    let unlink = || service.client.delete(&path).bearer(access(&tokens));
    let message = "Unable to unlink identity due to email conflict";
    refused(
        unlink,
        422,
        "email_conflict_identity_not_deletable",
        message,
    )
    .await;
    assert_eq!(service.user(access(&tokens)).await.json()["email"], EMAIL);
}

#[tokio::test]
async fn an_anonymous_user_becomes_permanent_by_linking() {
    let anonymous = ("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true");
    let (service, provider) = with_provider(&[anonymous]).await;
    let tokens = service
        .post("/signup", json!({}))
        .await
        .expect(StatusCode::OK)
        .json();
    provider.knows(json!({"sub": "7", "email": EMAIL, "email_verified": true}));
    let landed = link(&service, &provider, access(&tokens)).await;
    let token = fragment(&landed, "access_token").expect("a token");
    let user = service.user(&token).await.json();
    assert_eq!(user["id"], tokens["user"]["id"]);
    assert_eq!(
        (&user["email"], &user["is_anonymous"]),
        (&json!(EMAIL), &json!(false))
    );
    assert!(user["email_confirmed_at"].is_string());
}

#[tokio::test]
async fn an_anonymous_user_confirms_an_address_nobody_vouches_for() {
    let anonymous = ("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true");
    let (service, provider) = with_provider(&[anonymous]).await;
    let tokens = service
        .post("/signup", json!({}))
        .await
        .expect(StatusCode::OK)
        .json();
    provider.knows(json!({"sub": "7", "email": EMAIL, "email_verified": false}));
    let landed = link(&service, &provider, access(&tokens)).await;
    assert_eq!(
        query(&landed, "error_code").as_deref(),
        Some("email_not_confirmed")
    );
    let user = service.user(access(&tokens)).await.json();
    assert_eq!(user["is_anonymous"], true);
    assert_eq!(user.get("email_confirmed_at"), None);
}

#[tokio::test]
async fn users_link_nothing_where_they_may_not() {
    let off = ("GOTRUE_SECURITY_MANUAL_LINKING_ENABLED", "false");
    let (service, _provider) = with_provider(&[AUTOCONFIRM, off]).await;
    let tokens = service.signed_up(EMAIL).await;
    let id = text(&tokens["user"]["identities"][0], "identity_id");
    let unlink = format!("/user/identities/{id}");
    let message = "Manual linking is disabled";
    let path = "/user/identities/authorize?provider=keycloak";
    let token = access(&tokens);
    let begin = || service.client.get(path).bearer(token);
    refused(begin, 404, "manual_linking_disabled", message).await;
    let end = || service.client.delete(&unlink).bearer(token);
    refused(end, 404, "manual_linking_disabled", message).await;
    let begin = || service.client.get(path);
    let message = "This endpoint requires a valid Bearer token";
    refused(begin, 401, "no_authorization", message).await;
}

#[tokio::test]
async fn an_id_token_signs_its_user_in() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(json!({"sub": "7", "email": EMAIL, "email_verified": true}));
    let token = provider.id_token(&json!({"nonce": hashed("n-1")}));
    let body = json!({"provider": "keycloak", "id_token": token, "nonce": "n-1"});
    let tokens = id_token(&service, &body)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(tokens["user"]["email"], EMAIL);
    assert_eq!(tokens["user"]["app_metadata"]["provider"], "keycloak");
    let plain = provider.id_token(&json!({}));
    let issuer = &provider.issuer;
    let body = json!({"client_id": "x", "issuer": issuer, "id_token": plain});
    id_token(&service, &body)
        .send()
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn an_id_token_that_proves_nothing_is_refused() {
    let (service, provider) = with_provider(&[]).await;
    let (_other, stranger) = with_provider(&[]).await;
    for known in [&provider, &stranger] {
        known.knows(json!({"sub": "7", "email": EMAIL, "email_verified": true}));
    }
    let plain = provider.id_token(&json!({}));
    let with_nonce = provider.id_token(&json!({"nonce": hashed("n-1")}));
    let either = "Passed nonce and nonce in id_token should either both exist or not.";
    let body = |token: &str, nonce: &str| json!({"provider": "keycloak", "id_token": token, "nonce": nonce});
    let forged = stranger.id_token(&json!({"iss": provider.issuer}));
    let elsewhere = provider.id_token(&json!({"aud": "somebody else"}));
    let audience = "Unacceptable audience in id_token: \"somebody else\"";
    let expired = provider.id_token(&json!({"exp": 1}));
    let bound = provider.id_token(&json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}));
    let mut with_access = body(&bound, "");
    with_access["access_token"] = json!("another");
    for (body, error, description) in [
        (json!({}), "invalid request", "id_token required"),
        (
            json!({"id_token": "x"}),
            "invalid request",
            "provider or client_id and issuer required",
        ),
        (body(&plain, "n-1"), "invalid request", either),
        (body(&with_nonce, ""), "invalid request", either),
        (body(&with_nonce, "n-2"), "invalid nonce", "Nonces mismatch"),
        (body(&forged, ""), "invalid request", "Bad ID token"),
        (body(&expired, ""), "invalid request", "Bad ID token"),
        (body("x.y.z", ""), "invalid request", "Bad ID token"),
        (body(&elsewhere, ""), "invalid request", audience),
        (with_access, "invalid request", "Bad ID token"),
    ] {
        let answer = id_token(&service, &body)
            .send()
            .await
            .expect(StatusCode::BAD_REQUEST);
        let expected = json!({"error": error, "error_description": description});
        assert_eq!(answer.json(), expected, "{body}");
    }
    let body = json!({"provider": "google", "id_token": plain});
    let message = "Provider (issuer \"https://accounts.google.com\") is not enabled";
    refused(
        || id_token(&service, &body),
        400,
        "provider_disabled",
        message,
    )
    .await;
}

#[tokio::test]
async fn an_id_token_links_its_identity() {
    let (service, provider) = with_provider(&[AUTOCONFIRM]).await;
    let tokens = service.signed_up(EMAIL).await;
    provider.knows(json!({"sub": "7", "email": "other@example.com", "email_verified": true}));
    let token = provider.id_token(&json!({}));
    let body = json!({"provider": "keycloak", "id_token": token, "link_identity": true});
    let nobody = id_token(&service, &body).send().await;
    nobody.expect(StatusCode::UNAUTHORIZED);
    let linked = id_token(&service, &body)
        .bearer(access(&tokens))
        .send()
        .await;
    let linked = linked.expect(StatusCode::OK).json();
    assert_eq!(linked["user"]["id"], tokens["user"]["id"]);
    assert_eq!(
        linked["user"]["identities"].as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn of_many_first_sign_ins_at_once_one_makes_the_account() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(json!({"sub": "7", "email": EMAIL, "email_verified": true}));
    let token = provider.id_token(&json!({}));
    let body = json!({"provider": "keycloak", "id_token": token});
    let one = || async {
        let tokens = id_token(&service, &body).send().await;
        tokens.expect(StatusCode::OK).json()["user"]["id"].clone()
    };
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    assert!(a == b && b == c && c == d);
    let count = "select count(*)::text from auth.identities";
    assert_eq!(service.value(count).await.as_deref(), Some("1"));
}
