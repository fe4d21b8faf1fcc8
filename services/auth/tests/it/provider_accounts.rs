//! Whose account a sign-in at a provider leads to.

use axum::http::StatusCode;
use serde_json::json;

use crate::{
    factors::enrolled,
    mailed::{fragment, query},
    provider::{KEYCLOAK, ada, link, user_of, with_provider},
    support::{EMAIL, PASSWORD, access, refused, service_role, text},
};

#[tokio::test]
async fn an_address_the_provider_vouches_for_leads_to_its_account() {
    let (service, provider) = with_provider(&[("GOTRUE_MAILER_AUTOCONFIRM", "true")]).await;
    let tokens = service.signed_up(EMAIL).await;
    provider.knows(ada(true));
    let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
    assert_eq!(user["id"], tokens["user"]["id"]);
    assert_eq!(
        user["app_metadata"]["providers"],
        json!(["email", "keycloak"])
    );
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn an_address_nobody_vouches_for_leads_nowhere() {
    for settings in [
        vec![("GOTRUE_MAILER_AUTOCONFIRM", "true")],
        vec![("GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", "true")],
    ] {
        let (service, provider) = with_provider(&settings).await;
        let admin = service_role();
        let body = json!({"email": EMAIL, "password": PASSWORD, "email_confirm": true});
        let owner = service
            .client
            .post("/admin/users")
            .bearer(&admin)
            .json(&body)
            .send()
            .await;
        let owner = owner.expect(StatusCode::OK).json();
        provider.knows(ada(false));
        let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
        assert_ne!(user["id"], owner["id"], "{settings:?}");
        assert_eq!(user["email"], "", "{settings:?}");
    }
}

/// The attacker cannot read the owner's mail, but signs up with the owner's address first.
#[tokio::test]
async fn whoever_took_an_address_before_its_owner_loses_the_account() {
    let unconfirmed = [("GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS", "true")];
    let (service, provider) = with_provider(&unconfirmed).await;
    service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let attacker = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    let body = json!({"data": {"theme": "evil"}});
    service
        .put_user(access(&attacker), body)
        .await
        .expect(StatusCode::OK);
    // Ways back in: a link to an address of their own, and a factor.
    let body = json!({"email": "evil@example.com"});
    let change = service.put_user(access(&attacker), body).await;
    change.expect(StatusCode::OK);
    enrolled(&service, access(&attacker), "evil").await;

    provider.knows(ada(true));
    let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
    assert_eq!(user["email"], EMAIL);
    assert_eq!(user["app_metadata"]["providers"], json!(["keycloak"]));
    assert_eq!(user["user_metadata"].get("theme"), None);
    assert_eq!((user.get("new_email"), user.get("factors")), (None, None));
    let tokens = "select count(*)::text from auth.one_time_tokens";
    assert_eq!(service.value(tokens).await.as_deref(), Some("0"));
    service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::BAD_REQUEST);
    service
        .user(access(&attacker))
        .await
        .expect(StatusCode::FORBIDDEN);
    let refreshed = service.refresh(text(&attacker, "refresh_token")).await;
    refreshed.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_identity_with_an_address_nobody_vouched_for_does_not_attract_its_owner() {
    let settings = [("GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "true")];
    let (service, provider) = with_provider(&settings).await;
    let attacker = service
        .post("/signup", json!({}))
        .await
        .expect(StatusCode::OK)
        .json();
    service
        .execute("update auth.users set email = 'evil@example.com', email_confirmed_at = now()")
        .await;
    provider.knows(json!({"sub": "evil", "email": EMAIL, "email_verified": false}));
    link(&service, &provider, access(&attacker)).await;
    provider.knows(ada(true));
    let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
    assert_ne!(user["id"], attacker["user"]["id"]);
}

#[tokio::test]
async fn a_user_without_an_address_keeps_what_is_theirs_at_the_next_sign_in() {
    let optional = [("GOTRUE_EXTERNAL_KEYCLOAK_EMAIL_OPTIONAL", "true")];
    let (service, provider) = with_provider(&optional).await;
    provider.knows(json!({"sub": "ada-1", "name": "Ada"}));
    let landed = provider.through(&service, KEYCLOAK).await;
    let token = fragment(&landed, "access_token").expect("an access token");
    enrolled(&service, &token, "phone").await;

    let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
    assert_eq!(user["factors"][0]["friendly_name"], "phone");
    service.user(&token).await.expect(StatusCode::OK);
    let actions = "select string_agg(payload->>'action', ' ' order by created_at) \
                   from auth.audit_log_entries where payload->>'action' in ('login', 'user_signedup')";
    let actions = service.value(actions).await;
    assert_eq!(actions.as_deref(), Some("user_signedup login"));
}

#[tokio::test]
async fn a_new_user_with_an_address_nobody_vouches_for_confirms_it_first() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(false));
    let landed = provider.through(&service, KEYCLOAK).await;
    let code = query(&landed, "error_code");
    assert_eq!(code.as_deref(), Some("provider_email_needs_verification"));
    let message = "Unverified email with keycloak. A confirmation email has been sent to your \
                   keycloak email";
    assert_eq!(
        query(&landed, "error_description").as_deref(),
        Some(message)
    );
    let link = json!({"type": "signup", "email": EMAIL});
    let link = service
        .client
        .post("/admin/generate_link")
        .bearer(&service_role())
        .json(&link);
    let link = link.send().await.expect(StatusCode::OK).json();
    let body = json!({"type": "signup", "token_hash": link["hashed_token"]});
    let tokens = service
        .post("/verify", body)
        .await
        .expect(StatusCode::OK)
        .json();
    let user = user_of(&service, &provider.through(&service, KEYCLOAK).await).await;
    assert_eq!(user["id"], tokens["user"]["id"]);
}

#[tokio::test]
async fn a_banned_user_does_not_get_in_through_a_provider() {
    let (service, provider) = with_provider(&[]).await;
    provider.knows(ada(true));
    provider.through(&service, KEYCLOAK).await;
    service
        .execute("update auth.users set banned_until = now() + interval '1 hour'")
        .await;
    let landed = provider.through(&service, KEYCLOAK).await;
    assert_eq!(query(&landed, "error_code").as_deref(), Some("user_banned"));
}

#[tokio::test]
async fn nobody_signs_up_through_a_provider_where_nobody_can() {
    let (service, provider) = with_provider(&[("GOTRUE_DISABLE_SIGNUP", "true")]).await;
    provider.knows(ada(true));
    let landed = provider.through(&service, KEYCLOAK).await;
    assert_eq!(
        query(&landed, "error_code").as_deref(),
        Some("signup_disabled")
    );
}

#[tokio::test]
async fn an_invitation_is_accepted_at_a_provider_that_knows_the_address() {
    let (service, provider) = with_provider(&[]).await;
    let admin = service_role();
    let body = json!({"type": "invite", "email": EMAIL});
    let link = service
        .client
        .post("/admin/generate_link")
        .bearer(&admin)
        .json(&body);
    let link = link.send().await.expect(StatusCode::OK).json();
    let path = format!("{KEYCLOAK}&invite_token={}", text(&link, "hashed_token"));
    provider.knows(json!({"sub": "1", "email": "other@example.com", "email_verified": true}));
    let landed = provider.through(&service, &path).await;
    let message = "Invited email does not match emails from external provider";
    assert_eq!(
        query(&landed, "error_description").as_deref(),
        Some(message)
    );
    provider.knows(ada(true));
    let user = user_of(&service, &provider.through(&service, &path).await).await;
    assert_eq!(user["id"], link["id"]);
    let path = format!("{KEYCLOAK}&invite_token=none");
    let message = "User identified by token not found";
    refused(|| service.client.get(&path), 404, "user_not_found", message).await;
}
