//! `GET /verify` and `POST /verify`

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;
use time::Duration;
use url::Url;

use crate::{
    mailed::{TOKEN, fragment, mailed},
    support::{EMAIL, PASSWORD, access, refused, service_role, text, with},
};

#[tokio::test]
async fn following_the_link_confirms_and_signs_in() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let mail = it.mail_to(EMAIL);
    assert_eq!(mail["template"], "auth-confirmation");
    assert_eq!(text(&mail["variables"], "Token").len(), 6);
    let response = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    let location = response.header("location").unwrap_or_default();
    assert!(
        location.starts_with("http://app.example.com/#access_token="),
        "{location}"
    );
    assert_eq!(fragment(&response, "type").as_deref(), Some("signup"));
    let token = fragment(&response, "access_token").expect("a token");
    let user = it.service.user(&token).await.expect(StatusCode::OK).json();
    assert!(user["email_confirmed_at"].is_string());
    assert_eq!(user["user_metadata"]["email_verified"], true);
    assert_eq!(
        user["identities"][0]["identity_data"]["email_verified"],
        true
    );
    assert_eq!(jwt::claims(&token)["amr"][0]["method"], "otp");

    let again = it.follow(EMAIL).await.expect(StatusCode::SEE_OTHER);
    assert_eq!(fragment(&again, "error").as_deref(), Some("access_denied"));
    assert_eq!(
        fragment(&again, "error_code").as_deref(),
        Some("otp_expired")
    );
    let description = "Email link is invalid or has expired";
    assert_eq!(
        fragment(&again, "error_description").as_deref(),
        Some(description)
    );
}

#[tokio::test]
async fn a_code_confirms_and_signs_in() {
    let it = mailed(&[]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let code = it.variable(EMAIL, "Token");
    let body = json!({"type": "email", "email": "ADA@example.com", "token": code});
    let tokens = it
        .service
        .post("/verify", body.clone())
        .await
        .expect(StatusCode::OK)
        .json();
    it.service
        .user(access(&tokens))
        .await
        .expect(StatusCode::OK);
    let request = || it.service.client.post("/verify").json(&body);
    refused(
        request,
        403,
        "otp_expired",
        "Token has expired or is invalid",
    )
    .await;
}

#[tokio::test]
async fn a_token_is_good_for_its_time_and_its_purpose() {
    let it = mailed(&[("GOTRUE_MAILER_OTP_EXP", "60")]).await;
    it.service.sign_up(EMAIL).await.expect(StatusCode::OK);
    let hash = it.variable(EMAIL, "TokenHash");
    let message = "Email link is invalid or has expired";
    let body = json!({"type": "recovery", "token_hash": hash});
    let request = || it.service.client.post("/verify").json(&body);
    refused(request, 403, "otp_expired", message).await;
    it.service.pass(Duration::seconds(61));
    let body = json!({"type": "signup", "token_hash": hash});
    let request = || it.service.client.post("/verify").json(&body);
    refused(request, 403, "otp_expired", message).await;
}

#[tokio::test]
async fn links_never_lead_to_places_that_are_not_allowed() {
    let it = mailed(&[]).await;
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let request = it
        .service
        .client
        .post("/signup?redirect_to=https://evil.example.org");
    let request = request
        .header("redirect_to", "https://evil.example.org")
        .header("referer", "https://evil.example.org/")
        .header("host", "evil.example.org");
    request.json(&body).send().await.expect(StatusCode::OK);
    assert!(!it.mail_to(EMAIL).to_string().contains("evil"));
    let link = Url::parse(&it.variable(EMAIL, "ConfirmationURL")).expect("a link");
    let path = format!(
        "/verify?token={}&type=signup&redirect_to=https://evil.example.org",
        it.variable(EMAIL, "TokenHash"),
    );
    assert_eq!(link.host_str(), Some("api.example.com"));
    let response = it
        .service
        .client
        .get(&path)
        .send()
        .await
        .expect(StatusCode::SEE_OTHER);
    assert!(
        response
            .header("location")
            .unwrap_or_default()
            .starts_with("http://app.example.com")
    );
}

#[tokio::test]
async fn a_verification_must_name_one_thing() {
    let it = mailed(&[]).await;
    for (path, body, status, code, message) in [
        (
            "/verify",
            json!({"type": "signup"}),
            400,
            "validation_failed",
            "Verify requires either a token or a token hash",
        ),
        (
            "/verify",
            json!({"type": "nothing", "token_hash": "x"}),
            400,
            "validation_failed",
            "Invalid email verification type",
        ),
        (
            "/verify",
            json!({"type": "signup", "token_hash": "x", "email": EMAIL}),
            400,
            "validation_failed",
            "Only the token_hash and type should be provided",
        ),
    ] {
        let request = || it.service.client.post(path).json(&body);
        refused(request, status, code, message).await;
    }
    let missing = "Verify requires a verification type";
    let request = || it.service.client.get("/verify?token=x");
    refused(request, 400, "validation_failed", missing).await;
}

#[tokio::test]
async fn a_mailer_that_is_down_is_not_the_clients_mistake() {
    let service = with([
        ("EMAIL_URL", "http://127.0.0.1:9"),
        ("EMAIL_SERVICE_TOKEN", TOKEN),
    ])
    .await;
    let invite = service.client.post("/invite").bearer(&service_role());
    let response = invite.json(&json!({"email": EMAIL})).send().await;
    let response = response.expect(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.json()["error_code"], "unexpected_failure");
}
