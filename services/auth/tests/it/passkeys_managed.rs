//! `/passkeys`: passkeys made, named, and given up.

use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::{
    passkeys::{authenticator, register, registered, wrapped},
    support::{EMAIL, access, refused, service_role, text},
};

#[tokio::test]
async fn what_is_asked_for_a_new_one_names_those_there_are() {
    let it = registered().await;
    let asked = it
        .send(Method::POST, "/passkeys/registration/options", &json!({}))
        .await;
    let options = &asked.expect(StatusCode::OK).json()["options"];
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(
        options["authenticatorSelection"]["userVerification"],
        "required"
    );
    let id = URL_SAFE_NO_PAD.encode(&it.authenticator.id);
    assert_eq!(options["excludeCredentials"][0]["id"], json!(id));
    assert_eq!(options["user"]["name"], EMAIL);
}

#[tokio::test]
async fn a_user_has_so_many_and_no_credential_twice() {
    let mut it = registered().await;
    let again = register(&it.service, &it.token, &mut it.authenticator).await;
    assert_eq!(again.json()["error_code"], "webauthn_credential_exists");
    let options = it
        .send(Method::POST, "/passkeys/registration/options", &json!({}))
        .await
        .json();
    register(&it.service, &it.token, &mut authenticator())
        .await
        .expect(StatusCode::OK);
    let request = || {
        it.service
            .client
            .post("/passkeys/registration/options")
            .bearer(&it.token)
    };
    let message = "Maximum number of passkeys reached";
    refused(request, 422, "too_many_passkeys", message).await;
    let credential = authenticator().create(&wrapped(&options));
    let body = json!({"challenge_id": options["challenge_id"], "credential": credential});
    let late = it
        .send(Method::POST, "/passkeys/registration/verify", &body)
        .await;
    assert_eq!(late.json()["error_code"], "too_many_passkeys");
}

#[tokio::test]
async fn a_passkey_is_renamed_and_given_up() {
    let mut it = registered().await;
    let path = format!("/passkeys/{}", it.passkey);
    let renamed = it
        .send(Method::PATCH, &path, &json!({"friendly_name": "phone"}))
        .await;
    assert_eq!(
        renamed.expect(StatusCode::OK).json()["friendly_name"],
        "phone"
    );
    for (name, message) in [
        (String::new(), "friendly_name is required"),
        (
            "x".repeat(121),
            "friendly_name must be 120 characters or less",
        ),
    ] {
        let refusal = it
            .send(Method::PATCH, &path, &json!({"friendly_name": name}))
            .await;
        assert_eq!(refusal.json()["msg"], message);
    }
    it.send(Method::DELETE, &path, &json!({}))
        .await
        .expect(StatusCode::NO_CONTENT);
    let listed = it.send(Method::GET, "/passkeys", &json!({})).await;
    assert_eq!(listed.json(), json!([]));
    let refusal = it.sign_in(|_| {}).await;
    assert_eq!(refusal.json()["error_code"], "webauthn_verification_failed");
    let actions = it.service.value(
        "select string_agg(payload ->> 'action', ',' order by created_at) \
         from auth.audit_log_entries where payload ->> 'action' like 'passkey%'",
    );
    let actions = actions.await.expect("some");
    assert_eq!(actions, "passkey_created,passkey_updated,passkey_deleted");
}

#[tokio::test]
async fn a_foreign_passkey_is_not_found() {
    let it = registered().await;
    let other = it.service.signed_up("grace@example.com").await;
    for id in [it.passkey.as_str(), "x"] {
        let path = format!("/passkeys/{id}");
        let delete = || it.service.client.delete(&path).bearer(access(&other));
        refused(delete, 404, "validation_failed", "Passkey not found").await;
        let body = json!({"friendly_name": "mine"});
        let rename = || {
            let request = it.service.client.request(Method::PATCH, &path);
            request.bearer(access(&other)).json(&body)
        };
        refused(rename, 404, "validation_failed", "Passkey not found").await;
    }
}

#[tokio::test]
async fn a_session_must_show_its_second_factor_before_it_changes_passkeys() {
    let it = registered().await;
    it.service
        .execute(
            "insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at) \
             select gen_random_uuid(), id, 'totp', 'verified', now(), now() from auth.users",
        )
        .await;
    let message = "AAL2 session is required to manage passkeys when MFA is enabled";
    let request = || {
        it.service
            .client
            .post("/passkeys/registration/options")
            .bearer(&it.token)
    };
    refused(request, 403, "insufficient_aal", message).await;
    let path = format!("/passkeys/{}", it.passkey);
    let request = || it.service.client.delete(&path).bearer(&it.token);
    refused(request, 403, "insufficient_aal", message).await;
    it.service
        .execute("update auth.sessions set aal = 'aal2'")
        .await;
    it.send(Method::DELETE, &path, &json!({}))
        .await
        .expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn who_has_nothing_to_come_back_with_and_who_single_sign_on_owns_has_none() {
    let it = registered().await;
    let anonymous = it.service.post("/signup", json!({})).await.json();
    let path = "/passkeys/registration/options";
    let request = || it.service.client.post(path).bearer(access(&anonymous));
    let message = "Anonymous user not allowed to perform these actions";
    refused(request, 403, "no_authorization", message).await;
    it.service
        .execute("update auth.users set is_sso_user = true")
        .await;
    let request = || it.service.client.post(path).bearer(&it.token);
    let message = "SSO users cannot register passkeys";
    refused(request, 422, "validation_failed", message).await;
}

#[tokio::test]
async fn admins_see_passkeys_and_take_them_away() {
    let it = registered().await;
    let role = service_role();
    let user = it.service.user(&it.token).await.json();
    let path = format!("/admin/users/{}/passkeys", text(&user, "id"));
    let listed = it.service.client.get(&path).bearer(&role).send().await;
    assert_eq!(
        listed.expect(StatusCode::OK).json()[0]["id"],
        json!(it.passkey)
    );
    let path = format!("{path}/{}", it.passkey);
    let request = || it.service.client.delete(&path).bearer(&it.token);
    refused(request, 403, "not_admin", "User not allowed").await;
    let deleted = it.service.client.delete(&path).bearer(&role).send().await;
    deleted.expect(StatusCode::NO_CONTENT);
    let request = || it.service.client.delete(&path).bearer(&role);
    refused(request, 404, "validation_failed", "Passkey not found").await;
}
