//! `POST /sso` and `POST /sso/saml/acs`: single sign-on by SAML.

use axum::http::StatusCode;
use serde_json::json;
use testkit::jwt;
use time::Duration;
use url::Url;

use crate::{
    identity_provider::{
        ACS, ENTITY, IdentityProvider, Said, Signed, add, attribute, begin, bring, parameter,
        request_of, saml, through, with_idp,
    },
    mailed::{CHALLENGE, VERIFIER, fragment, query},
    provider::user_of,
    support::{EMAIL, PASSWORD, access, refused, service_role, text},
};

#[tokio::test]
async fn a_user_of_an_identity_provider_gets_an_account() {
    let (service, idp, provider) = with_idp(&[]).await;
    let more = json!({"redirect_to": "myapp://done"});
    let landed = through(&service, &idp, more.clone(), |_| {}).await;
    let landed = landed.expect(StatusCode::FOUND);
    let location = Url::parse(landed.header("location").expect("a location")).expect("a URL");
    assert!(
        location.as_str().starts_with("myapp://done#access_token="),
        "{location}"
    );
    let user = user_of(&service, &landed).await;
    let name = format!("sso:{}", text(&provider, "id"));
    assert_eq!(user["email"], EMAIL);
    assert!(user["email_confirmed_at"].is_string());
    assert_eq!(
        user["app_metadata"],
        json!({"provider": name, "providers": [name]})
    );
    assert_eq!(
        user["user_metadata"],
        json!({
            "iss": "https://idp.example.com", "sub": "ada-1", "email": EMAIL,
            "email_verified": true, "phone_verified": false,
        })
    );
    let identity = &user["identities"][0];
    assert_eq!(
        (&identity["provider"], &identity["id"]),
        (&json!(name), &json!("ada-1"))
    );
    let claims = jwt::claims(&fragment(&landed, "access_token").expect("a token"));
    assert_eq!(claims["amr"][0]["method"], "sso/saml");
    let is_sso = service
        .value("select is_sso_user::text from auth.users")
        .await;
    assert_eq!(is_sso.as_deref(), Some("true"));

    let again = through(&service, &idp, more, |_| {})
        .await
        .expect(StatusCode::FOUND);
    assert_eq!(user_of(&service, &again).await["id"], user["id"]);
    let audit = "select string_agg((payload ->> 'action') || (payload ->> 'actor_via_sso'), ' ' \
                 order by created_at) from auth.audit_log_entries";
    assert_eq!(
        service.value(audit).await.as_deref(),
        Some("user_signeduptrue logintrue")
    );
}

#[tokio::test]
async fn what_is_signed_may_be_the_assertion_the_response_or_both() {
    let service = saml(&[]).await;
    let idp = IdentityProvider::with_rsa("urn:acme");
    let body = json!({
        "type": "saml", "metadata_xml": idp.metadata(),
        "domains": [crate::identity_provider::DOMAIN],
    });
    add(&service, &body).await.expect(StatusCode::CREATED);
    for signed in [Signed::Assertion, Signed::Response, Signed::Both] {
        let landed = through(&service, &idp, json!({}), |said| said.signed = signed).await;
        assert_eq!(
            user_of(&service, &landed).await["email"],
            EMAIL,
            "{signed:?}"
        );
    }
}

#[tokio::test]
async fn an_address_leads_to_nobody_elses_account() {
    let (service, idp, _) = with_idp(&[("GOTRUE_MAILER_AUTOCONFIRM", "true")]).await;
    let own = service.signed_up(EMAIL).await;
    let landed = through(&service, &idp, json!({}), |_| {}).await;
    let sso = user_of(&service, &landed).await;
    assert_eq!(sso["email"], EMAIL);
    assert_ne!(sso["id"], own["user"]["id"]);

    let other = IdentityProvider::new("https://other.example.com");
    let body = json!({"type": "saml", "metadata_xml": other.metadata(), "domains": ["b.example"]});
    add(&service, &body).await.expect(StatusCode::CREATED);
    let landed = through(&service, &other, json!({"domain": "b.example"}), |_| {}).await;
    let third = user_of(&service, &landed).await;
    assert!(third["id"] != sso["id"] && third["id"] != own["user"]["id"]);

    // Nor does the other way: whoever signs in with the password is who they were.
    let back = service
        .sign_in(EMAIL, PASSWORD)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(back["user"]["id"], own["user"]["id"]);
}

#[tokio::test]
async fn with_pkce_a_single_sign_on_ends_with_a_code() {
    let (service, idp, _) = with_idp(&[]).await;
    let end = service.now() + Duration::hours(1);
    let more = json!({"code_challenge": CHALLENGE, "code_challenge_method": "s256"});
    let landed = through(&service, &idp, more, |said| {
        said.session_ends_at = Some(end);
    })
    .await;
    let landed = landed.expect(StatusCode::FOUND);
    assert_eq!(fragment(&landed, "access_token"), None);
    let body = json!({"auth_code": query(&landed, "code"), "code_verifier": VERIFIER});
    let tokens = service.post("/token?grant_type=pkce", body.clone()).await;
    let tokens = tokens.expect(StatusCode::OK).json();
    assert_eq!(tokens["user"]["email"], EMAIL);
    assert_eq!(jwt::claims(access(&tokens))["amr"][0]["method"], "sso/saml");
    let again = service.post("/token?grant_type=pkce", body).await;
    again.expect(StatusCode::NOT_FOUND);

    service.pass(Duration::hours(1));
    let late = service.refresh(text(&tokens, "refresh_token")).await;
    assert_eq!(
        late.expect(StatusCode::BAD_REQUEST).json()["error_code"],
        "session_expired"
    );
}

#[tokio::test]
async fn the_identity_provider_says_when_a_session_ends() {
    let (service, idp, _) = with_idp(&[]).await;
    let end = service.now() + Duration::hours(1);
    let landed = through(&service, &idp, json!({}), |said| {
        said.session_ends_at = Some(end);
    })
    .await;
    let refresh = fragment(&landed, "refresh_token").expect("a token");
    let tokens = service
        .refresh(&refresh)
        .await
        .expect(StatusCode::OK)
        .json();
    service.pass(Duration::hours(1));
    let late = service.refresh(text(&tokens, "refresh_token")).await;
    assert_eq!(
        late.expect(StatusCode::BAD_REQUEST).json()["error_code"],
        "session_expired"
    );
}

#[tokio::test]
async fn an_identity_provider_may_begin() {
    let (service, idp, _) = with_idp(&[]).await;
    for (relay_state, target) in [
        ("", "http://app.example.com/#access_token="),
        ("myapp://done", "myapp://done#access_token="),
        ("https://evil.org/", "http://app.example.com/#access_token="),
    ] {
        let said = Said::of(&idp, None);
        let landed = bring(&service, &idp.response(&said), relay_state).await;
        let landed = landed.expect(StatusCode::FOUND);
        let location = landed.header("location").expect("a location");
        assert!(location.starts_with(target), "{location}");
    }
    // But it cannot pretend to have been asked.
    let begun = begin(&service, json!({})).await;
    let said = Said::of(&idp, Some(&begun.request_id));
    let landed = bring(&service, &idp.response(&said), "").await;
    assert_eq!(
        query(&landed, "error_code").as_deref(),
        Some("validation_failed")
    );
}

#[tokio::test]
async fn a_sign_on_begins_with_a_signed_request() {
    let (service, _, provider) = with_idp(&[]).await;
    let begun = begin(&service, json!({})).await;
    assert!(
        begun
            .url
            .as_str()
            .starts_with("https://idp.example.com/sso?tenant=1&SAMLRequest=")
    );
    let request = request_of(&begun.url);
    for part in [
        "Destination=\"https://idp.example.com/sso?tenant=1\"",
        &format!("AssertionConsumerServiceURL=\"{ACS}\""),
        &format!("<saml:Issuer>{ENTITY}</saml:Issuer>"),
        "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\"",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert_eq!(
        parameter(&begun.url, "SigAlg"),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
    );

    let body = json!({"provider_id": provider["id"]});
    let answer = service
        .post("/sso", body)
        .await
        .expect(StatusCode::SEE_OTHER);
    let location = answer.header("location").expect("a location");
    assert!(location.starts_with("https://idp.example.com/sso?tenant=1&SAMLRequest="));
}

#[tokio::test]
async fn a_sign_on_needs_one_provider_that_is_known() {
    let (service, _, provider) = with_idp(&[]).await;
    let id = text(&provider, "id");
    let nobody = "7b2b1ee6-6b1c-4d5e-8a39-0e2d3a4a4f10";
    for (body, status, code, message) in [
        (
            json!({}),
            400,
            "validation_failed",
            "A provider_id or domain needs to be provided",
        ),
        (
            json!({"domain": "acme.example", "provider_id": id}),
            400,
            "validation_failed",
            "Only one of provider_id or domain supported",
        ),
        (
            json!({"domain": "acme.example.org"}),
            404,
            "sso_provider_not_found",
            "No SSO provider assigned for this domain",
        ),
        (
            json!({"provider_id": nobody}),
            404,
            "sso_provider_not_found",
            "No such SSO provider",
        ),
        (
            json!({"domain": "ACME.example", "code_challenge": "x"}),
            400,
            "validation_failed",
            "PKCE flow requires code_challenge_method and code_challenge",
        ),
    ] {
        refused(
            || service.client.post("/sso").json(&body),
            status,
            code,
            message,
        )
        .await;
    }
    let path = format!("/admin/sso/providers/{id}");
    let off = service.client.put(&path).bearer(&service_role());
    off.json(&json!({"disabled": true}))
        .send()
        .await
        .expect(StatusCode::OK);
    let body = json!({"domain": "acme.example"});
    let message = "SSO Provider is currently disabled";
    let request = || service.client.post("/sso").json(&body);
    refused(request, 404, "sso_provider_disabled", message).await;
}

#[tokio::test]
async fn attributes_become_claims_as_the_admin_maps_them() {
    let (service, idp, provider) = with_idp(&[]).await;
    let path = format!("/admin/sso/providers/{}", text(&provider, "id"));
    let body = json!({"attribute_mapping": {"keys": {
        "full_name": {"name": "displayName"}, "teams": {"name": "group", "array": true},
    }}});
    let put = service.client.put(&path).bearer(&service_role());
    put.json(&body).send().await.expect(StatusCode::OK);
    let landed = through(&service, &idp, json!({}), |said| {
        said.attributes += &attribute("displayName", "Ada &amp; L");
        said.attributes += &attribute("group", "a");
        said.attributes += &attribute("group", "b");
    });
    let user = user_of(&service, &landed.await).await;
    assert_eq!(user["user_metadata"]["full_name"], "Ada & L");
    assert_eq!(
        user["user_metadata"]["custom_claims"],
        json!({"teams": ["a", "b"]})
    );
}

#[tokio::test]
async fn a_browser_comes_back_once_soon_and_to_somebody() {
    let (service, idp, provider) = with_idp(&[]).await;
    let begun = begin(&service, json!({})).await;
    let response = idp.response(&Said::of(&idp, Some(&begun.request_id)));
    bring(&service, &response, &begun.relay_state)
        .await
        .expect(StatusCode::FOUND);
    let error = async |response: &str, relay_state: &str| {
        let landed = bring(&service, response, relay_state).await;
        let landed = landed.expect(StatusCode::SEE_OTHER);
        let in_fragment = fragment(&landed, "error_code");
        assert_eq!(query(&landed, "error_code"), in_fragment);
        in_fragment.expect("an error")
    };
    assert_eq!(
        error(&response, &begun.relay_state).await,
        "saml_relay_state_not_found"
    );
    assert_eq!(error(&response, "neither").await, "validation_failed");
    assert_eq!(error("<a/>", "").await, "validation_failed");
    let stranger = IdentityProvider::new("https://stranger.example.com");
    let unasked = stranger.response(&Said::of(&stranger, None));
    assert_eq!(error(&unasked, "").await, "saml_idp_not_found");

    let begun = begin(&service, json!({})).await;
    service.pass(Duration::minutes(2));
    let response = idp.response(&Said::of(&idp, Some(&begun.request_id)));
    assert_eq!(
        error(&response, &begun.relay_state).await,
        "saml_relay_state_expired"
    );

    let begun = begin(&service, json!({})).await;
    let response = idp.response(&Said::of(&idp, Some(&begun.request_id)));
    let path = format!("/admin/sso/providers/{}", text(&provider, "id"));
    let off = service.client.put(&path).bearer(&service_role());
    off.json(&json!({"disabled": true}))
        .send()
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        error(&response, &begun.relay_state).await,
        "sso_provider_disabled"
    );
}

#[tokio::test]
async fn an_error_leads_back_to_where_the_sign_on_began() {
    let (service, idp, _) = with_idp(&[("GOTRUE_DISABLE_SIGNUP", "true")]).await;
    let more = json!({"redirect_to": "myapp://done"});
    let landed = through(&service, &idp, more.clone(), |_| {}).await;
    let location = landed.header("location").expect("a location").to_owned();
    assert!(
        location.starts_with("myapp://done?error_code=signup_disabled"),
        "{location}"
    );
    landed.expect(StatusCode::SEE_OTHER);

    let transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    let landed = through(&service, &idp, more.clone(), |said| {
        said.name_id_format = transient;
    });
    let landed = landed.await.expect(StatusCode::SEE_OTHER);
    assert_eq!(
        query(&landed, "error_code").as_deref(),
        Some("saml_assertion_no_user_id")
    );
    let landed = through(&service, &idp, more, |said| said.attributes.clear()).await;
    assert_eq!(
        query(&landed, "error_code").as_deref(),
        Some("saml_assertion_no_email")
    );
}

#[tokio::test]
async fn a_banned_user_stays_out() {
    let (service, idp, _) = with_idp(&[]).await;
    through(&service, &idp, json!({}), |_| {})
        .await
        .expect(StatusCode::FOUND);
    service
        .execute("update auth.users set banned_until = now() + '1 day'")
        .await;
    let landed = through(&service, &idp, json!({}), |_| {})
        .await
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(query(&landed, "error_code").as_deref(), Some("user_banned"));
    assert_eq!(fragment(&landed, "access_token"), None);
}

#[tokio::test]
async fn what_single_sign_on_owns_is_changed_there() {
    let (service, idp, _) = with_idp(&[]).await;
    let landed = through(&service, &idp, json!({}), |_| {}).await;
    let token = fragment(&landed, "access_token").expect("a token");
    for body in [
        json!({"email": "new@example.com"}),
        json!({"password": "another password"}),
        json!({"phone": "15550001234"}),
    ] {
        let request = || service.client.put("/user").bearer(&token).json(&body);
        let message = "Updating email, phone, password of a SSO account only possible via SSO";
        refused(request, 422, "user_sso_managed", message).await;
    }
    service
        .put_user(&token, json!({"data": {"a": 1}}))
        .await
        .expect(StatusCode::OK);
    // No mail leads into such an account either.
    service
        .post("/recover", json!({"email": EMAIL}))
        .await
        .expect(StatusCode::OK);
    let tokens = service
        .value("select count(*)::text from auth.one_time_tokens")
        .await;
    assert_eq!(tokens.as_deref(), Some("0"));
}

#[tokio::test]
async fn sign_ons_and_assertions_are_limited() {
    let more = [
        ("GOTRUE_SAML_RATE_LIMIT_ASSERTION", "2"),
        ("GOTRUE_RATE_LIMIT_SSO", "2"),
    ];
    let (service, _, _) = with_idp(&more).await;
    for (path, first) in [("/sso", 400), ("/sso/saml/acs", 303)] {
        let send = || {
            service
                .client
                .post(path)
                .header("x-forwarded-for", "192.0.2.1")
                .body("{}")
        };
        for expected in [first, first, 429] {
            assert_eq!(send().send().await.status.as_u16(), expected, "{path}");
        }
    }
}

#[tokio::test]
async fn our_metadata_say_what_an_identity_provider_must_know() {
    let service = saml(&[]).await;
    let read = async |path: &str| service.client.get(path).send().await.expect(StatusCode::OK);
    let plain = read("/sso/saml/metadata").await;
    assert_eq!(plain.header("content-type"), Some("application/xml"));
    assert_eq!(plain.header("content-disposition"), None);
    let text = plain.text();
    for part in [
        format!("entityID=\"{ENTITY}\""),
        format!("Location=\"{ACS}\" index=\"1\""),
        "WantAssertionsSigned=\"true\"".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    let file = read("/sso/saml/metadata?download=true").await;
    let name = "attachment; filename=\"metadata.xml\"";
    assert_eq!(file.header("content-disposition"), Some(name));
    // The certificate is the same whenever it is made.
    let certificate = |text: &str| {
        let (_, tail) = text.split_once("X509Certificate>").expect("a certificate");
        tail.split('<').next().map(str::to_owned)
    };
    let restarted = saml(&[])
        .await
        .client
        .get("/sso/saml/metadata")
        .send()
        .await;
    assert_eq!(certificate(&text), certificate(&restarted.text()));
    assert_eq!(read("/settings").await.json()["saml_enabled"], true);
}
