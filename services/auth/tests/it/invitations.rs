//! `POST /invite`, `/admin/generate_link` and `GET /admin/audit`

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::{
    mailed::{fragment, mailed},
    support::{EMAIL, PASSWORD, refused, service_role, text},
};

#[tokio::test]
async fn an_invitation_is_accepted_by_its_link() {
    let it = mailed(&[]).await;
    let body = json!({"email": EMAIL, "data": {"team": "a"}});
    let admin = service_role();
    let invite = || it.service.client.post("/invite").bearer(&admin).json(&body);
    let user = invite().send().await.expect(StatusCode::OK).json();
    assert!(user["invited_at"].is_string());
    assert_eq!(it.mail_to(EMAIL)["template"], "auth-invite");
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(fragment(&response, "type").as_deref(), Some("invite"));
    let message = "A user with this email address has already been registered";
    refused(invite, 422, "email_exists", message).await;
}

#[tokio::test]
async fn a_generated_link_works_and_is_not_sent() {
    let it = mailed(&[]).await;
    let admin = service_role();
    let generate = |body: Value| {
        it.service
            .client
            .post("/admin/generate_link")
            .bearer(&admin)
            .json(&body)
    };
    let body = json!({"type": "signup", "email": EMAIL, "password": PASSWORD});
    let link = generate(body).send().await.expect(StatusCode::OK).json();
    assert_eq!(link["email"], EMAIL);
    assert_eq!(link["verification_type"], "signup");
    assert_eq!(link["redirect_to"], "http://app.example.com");
    let action = Url::parse(text(&link, "action_link")).expect("a link");
    let path = format!("/verify?{}", action.query().unwrap_or_default());
    let followed = it
        .service
        .client
        .get(&path)
        .send()
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(fragment(&followed, "access_token").is_some());
    it.service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK);

    for kind in ["magiclink", "recovery"] {
        let link = generate(json!({"type": kind, "email": EMAIL})).send().await;
        let link = link.expect(StatusCode::OK).json();
        let body = json!({"type": kind, "email": EMAIL, "token": link["email_otp"]});
        it.service
            .post("/verify", body)
            .await
            .expect(StatusCode::OK);
    }
    assert_eq!(it.count(), 0);
    let unknown = || generate(json!({"type": "recovery", "email": "nobody@example.com"}));
    refused(
        unknown,
        404,
        "user_not_found",
        "User with this email not found",
    )
    .await;
    let other = || generate(json!({"type": "x", "email": EMAIL}));
    let message = "Invalid email action link type requested: x";
    refused(other, 400, "validation_failed", message).await;
}

#[tokio::test]
async fn the_audit_log_tells_what_happened() {
    let it = mailed(&[]).await;
    it.confirmed(EMAIL).await;
    let admin = service_role();
    let page = async |query: &str| {
        let path = format!("/admin/audit{query}");
        it.service.client.get(&path).bearer(&admin).send().await
    };
    let all = page("").await.expect(StatusCode::OK);
    assert_eq!(all.header("x-total-count"), Some("2"));
    let found = page("?query=action:signedup")
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(found[0]["payload"]["action"], "user_signedup");
    assert_eq!(found[0]["payload"]["actor_username"], EMAIL);
    assert_eq!(found[0]["payload"]["log_type"], "team");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    page("?query=payload:x")
        .await
        .expect(StatusCode::BAD_REQUEST);
}
