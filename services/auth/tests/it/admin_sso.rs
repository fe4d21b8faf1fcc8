//! `/admin/sso/providers`

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use common::{lifecycle::Lifecycle, server};
use serde_json::{Value, json};
use time::Duration;
use tokio::net::TcpListener;

use crate::{
    identity_provider::{DOMAIN, IdentityProvider, add, saml, through, with_idp},
    provider::user_of,
    support::{EMAIL, Fixture, autoconfirming, refused, service_role, text},
};

const PATH: &str = "/admin/sso/providers";

async fn change(service: &Fixture, path: &str, body: &Value) -> Value {
    let put = service.client.put(path).bearer(&service_role()).json(body);
    put.send().await.expect(StatusCode::OK).json()
}

async fn read(service: &Fixture, path: &str) -> Value {
    let get = service.client.get(path).bearer(&service_role());
    get.send().await.expect(StatusCode::OK).json()
}

#[tokio::test]
async fn an_identity_provider_is_made_known_changed_and_removed() {
    let service = saml(&[]).await;
    let idp = IdentityProvider::new("https://idp.example.com");
    let mapping = json!({"keys": {"name": {"name": "cn", "default": "?"}}});
    let body = json!({
        "type": "saml", "metadata_xml": idp.metadata(), "domains": [DOMAIN, "b.example"],
        "attribute_mapping": mapping, "resource_id": "acme:live",
    });
    let added = add(&service, &body)
        .await
        .expect(StatusCode::CREATED)
        .json();
    assert_eq!(added["saml"]["entity_id"], "https://idp.example.com");
    assert_eq!(added["saml"]["attribute_mapping"], mapping);
    assert_eq!(
        added["domains"],
        json!([{"domain": DOMAIN}, {"domain": "b.example"}])
    );
    assert_eq!(
        (&added["disabled"], &added["resource_id"]),
        (&Value::Null, &json!("acme:live"))
    );

    let path = format!("{PATH}/{}", text(&added, "id"));
    assert_eq!(read(&service, &path).await, added);
    assert_eq!(
        read(&service, &format!("{PATH}/resource_acme:live")).await,
        added
    );
    let listed = read(&service, PATH).await;
    assert_eq!(listed["items"][0]["id"], added["id"]);
    assert_eq!(listed["items"][0]["saml"].get("metadata_xml"), None);

    let transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    let body = json!({
        "domains": ["b.example", "c.example"], "disabled": true, "name_id_format": transient,
        "resource_id": "",
    });
    let changed = change(&service, &path, &body).await;
    assert_eq!(
        changed["domains"],
        json!([{"domain": "b.example"}, {"domain": "c.example"}])
    );
    assert_eq!(
        (&changed["disabled"], changed.get("resource_id")),
        (&json!(true), None)
    );
    assert_eq!(changed["saml"]["name_id_format"], transient);
    assert_eq!(changed["saml"]["attribute_mapping"], mapping);
    let changed = change(&service, &path, &json!({"disabled": false})).await;
    assert_eq!(changed["domains"].as_array().map(Vec::len), Some(2));
    assert_eq!(changed["saml"].get("name_id_format"), None);

    let gone = service
        .client
        .delete(&path)
        .bearer(&service_role())
        .send()
        .await;
    assert_eq!(gone.expect(StatusCode::OK).json()["id"], added["id"]);
    let admin = service_role();
    let request = || service.client.get(&path).bearer(&admin);
    refused(
        request,
        404,
        "sso_provider_not_found",
        "SSO Identity Provider not found",
    )
    .await;
    let left = service
        .value("select count(*)::text from auth.sso_domains")
        .await;
    assert_eq!(left.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_change_takes_nothing_back_that_happens_meanwhile() {
    let service = saml(&[]).await;
    let idp = IdentityProvider::new("https://idp.example.com");
    let body = json!({"type": "saml", "metadata_xml": idp.metadata()});
    let added = add(&service, &body).await.expect(StatusCode::CREATED);
    let path = format!("{PATH}/{}", text(&added.json(), "id"));
    let renamed = || {
        let put = service.client.put(&path).bearer(&service_role());
        put.json(&json!({"resource_id": "acme"})).send()
    };
    let disabled = "update auth.sso_providers set disabled = true";
    let answer = service.after(disabled, renamed()).await;
    assert_eq!(answer.expect(StatusCode::OK).json()["disabled"], true);
    let removed = "delete from auth.sso_providers";
    let answer = service.after(removed, renamed()).await;
    answer.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn identity_providers_are_found_by_the_operators_names() {
    let service = saml(&[]).await;
    let metadata = IdentityProvider::new("https://idp.example.com").metadata();
    let body = json!({"type": "saml", "metadata_xml": metadata, "resource_id": "acme:live"});
    add(&service, &body).await.expect(StatusCode::CREATED);
    for (filter, count) in [
        ("resource_id=acme:live", 1),
        ("resource_id=acme", 0),
        ("resource_id_prefix=acme:", 1),
        ("resource_id_prefix=other", 0),
    ] {
        let listed = read(&service, &format!("{PATH}?{filter}")).await;
        assert_eq!(
            listed["items"].as_array().map(Vec::len),
            Some(count),
            "{filter}"
        );
    }
}

#[tokio::test]
async fn what_an_admin_says_about_an_identity_provider_must_be_right() {
    let (service, idp, provider) = with_idp(&[]).await;
    let other = IdentityProvider::new("https://other.example.com");
    let metadata = other.metadata();
    let admin = service_role();
    let invalid = "validation_failed";
    let taken = format!(
        "SSO Domain 'ACME.example' is already assigned to an SSO identity provider ({})",
        text(&provider, "id")
    );
    for (body, status, code, message) in [
        (
            json!({"type": "oidc", "metadata_xml": metadata}),
            400,
            invalid,
            "Only 'saml' supported for SSO provider type",
        ),
        (
            json!({"type": "saml"}),
            400,
            invalid,
            "Either metadata_xml or metadata_url must be set",
        ),
        (
            json!({"type": "saml", "metadata_xml": metadata, "metadata_url": "https://a.b/"}),
            400,
            invalid,
            "Only one of metadata_xml or metadata_url needs to be set",
        ),
        (
            json!({"type": "saml", "metadata_url": "http://idp.example.com/metadata"}),
            400,
            invalid,
            "metadata_url is not a HTTPS URL",
        ),
        (
            json!({"type": "saml", "metadata_url": "nowhere"}),
            400,
            invalid,
            "metadata_url is not a valid URL",
        ),
        (
            json!({"type": "saml", "metadata_xml": metadata, "name_id_format": "x"}),
            400,
            invalid,
            "name_id_format must be unspecified or one of \
             urn:oasis:names:tc:SAML:2.0:nameid-format:persistent, \
             urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress, \
             urn:oasis:names:tc:SAML:2.0:nameid-format:transient, \
             urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        ),
        (
            json!({"type": "saml", "metadata_xml": idp.metadata()}),
            422,
            "saml_idp_already_exists",
            "SAML Identity Provider with this EntityID (https://idp.example.com) already exists",
        ),
        (
            json!({"type": "saml", "metadata_xml": metadata, "domains": ["ACME.example"]}),
            400,
            "sso_domain_already_exists",
            taken.as_str(),
        ),
    ] {
        let request = || service.client.post(PATH).bearer(&admin).json(&body);
        refused(request, status, code, message).await;
    }
    let path = format!("{PATH}/{}", text(&provider, "id"));
    let body = json!({"metadata_xml": metadata});
    let message = "SAML Metadata can be updated only if the EntityID matches for the provider; \
                   expected 'https://idp.example.com' but got 'https://other.example.com'";
    let request = || service.client.put(&path).bearer(&admin).json(&body);
    refused(request, 400, "saml_entity_id_mismatch", message).await;
}

#[tokio::test]
async fn metadata_name_one_identity_provider_and_its_keys() {
    let service = saml(&[]).await;
    let metadata = IdentityProvider::new("https://idp.example.com").metadata();
    let admin = service_role();
    for (metadata, message) in [
        (
            metadata.replace("entityID=", "id="),
            "SAML Metadata does not contain an EntityID",
        ),
        (
            metadata.replace("IDPSSO", "SPSSO"),
            "SAML Metadata does not contain any IDPSSODescriptor",
        ),
        (
            metadata.replace("signing", "encryption"),
            "SAML Metadata does not contain a signing certificate with an RSA or ECDSA key",
        ),
        (
            format!("<!DOCTYPE a>{metadata}"),
            "SAML Metadata cannot be read: it is not well-formed XML without a document type",
        ),
    ] {
        let body = json!({"type": "saml", "metadata_xml": metadata});
        let request = || service.client.post(PATH).bearer(&admin).json(&body);
        refused(request, 400, "validation_failed", message).await;
    }
}

#[tokio::test]
async fn only_admins_manage_identity_providers_and_only_where_there_is_saml() {
    let service = saml(&[("GOTRUE_MAILER_AUTOCONFIRM", "true")]).await;
    let token = service.signed_up(EMAIL).await;
    let request = || {
        service
            .client
            .get(PATH)
            .bearer(text(&token, "access_token"))
    };
    refused(request, 403, "not_admin", "User not allowed").await;

    let service = autoconfirming().await;
    let admin = service_role();
    let request = || service.client.get(PATH).bearer(&admin);
    refused(
        request,
        404,
        "saml_provider_disabled",
        "SAML 2.0 is disabled",
    )
    .await;
}

type Published = Arc<Mutex<(StatusCode, String)>>;

/// A server that publishes metadata, until the lifecycle ends.
async fn publisher(metadata: &str) -> (String, Published, Lifecycle) {
    async fn serve(State(published): State<Published>) -> (StatusCode, String) {
        published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
    let published: Published = Arc::new(Mutex::new((StatusCode::OK, metadata.to_owned())));
    let router = Router::new()
        .route("/metadata", get(serve))
        .with_state(Arc::clone(&published));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!(
        "http://{}/metadata",
        listener.local_addr().expect("an address")
    );
    let lifecycle = Lifecycle::default();
    let limits = server::ConnectionLimits::default();
    lifecycle.spawn(
        "idp",
        server::serve(listener, router, limits, lifecycle.clone()),
    );
    (url, published, lifecycle)
}

#[tokio::test]
async fn metadata_are_fetched_and_read_again_after_a_day() {
    let service = saml(&[]).await;
    let old = IdentityProvider::new("https://idp.example.com");
    let (url, published, lifecycle) = publisher(&old.metadata()).await;
    let publish = |status, text: String| {
        *published.lock().unwrap_or_else(PoisonError::into_inner) = (status, text);
    };
    let body = json!({"type": "saml", "metadata_url": url, "domains": [DOMAIN]});
    publish(StatusCode::NOT_FOUND, String::new());
    let failed = add(&service, &body)
        .await
        .expect(StatusCode::BAD_REQUEST)
        .json();
    assert_eq!(failed["error_code"], "saml_metadata_fetch_failed");
    let message = format!("HTTP 404 error fetching SAML Metadata from URL '{url}'");
    assert_eq!(failed["msg"], message);
    publish(StatusCode::OK, old.metadata());
    let added = add(&service, &body)
        .await
        .expect(StatusCode::CREATED)
        .json();
    assert_eq!(added["saml"]["metadata_url"], url);

    // The provider's key changes; the old one counts until the metadata are read again.
    let new = IdentityProvider::new("https://idp.example.com");
    publish(StatusCode::OK, new.metadata());
    through(&service, &old, json!({}), |_| {})
        .await
        .expect(StatusCode::FOUND);
    through(&service, &new, json!({}), |_| {})
        .await
        .expect(StatusCode::SEE_OTHER);
    let later = Duration::hours(25);
    service.pass(later);
    let in_time = |said: &mut crate::identity_provider::Said| {
        said.not_before += later;
        said.not_on_or_after += later;
    };
    let landed = through(&service, &new, json!({}), in_time).await;
    assert_eq!(user_of(&service, &landed).await["email"], EMAIL);
    through(&service, &old, json!({}), in_time)
        .await
        .expect(StatusCode::SEE_OTHER);

    // Metadata of another entity, or none, change nothing.
    for (status, text) in [
        (
            StatusCode::OK,
            IdentityProvider::new("https://evil.org").metadata(),
        ),
        (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
    ] {
        publish(status, text);
        service
            .execute("update auth.saml_providers set updated_at = 'epoch'")
            .await;
        through(&service, &new, json!({}), in_time)
            .await
            .expect(StatusCode::FOUND);
    }
    lifecycle.stop();
}
