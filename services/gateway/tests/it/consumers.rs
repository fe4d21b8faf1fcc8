use http::StatusCode;
use testkit::jwt;

use crate::kit::{Gateway, OPAQUE_SERVICE_KEY, SECRET, Setup, code, echo};

const PARTNER: &str = r#"
[[consumer]]
name = "partner"
role = "anon"
keys = { "2026-10" = "partner-key-of-october", "2026-11" = "${PARTNER_KEY}" }
limit = { minute = 3, hour = 9 }
"#;

async fn get(gateway: &Gateway, key: &str) -> testkit::client::Response {
    gateway
        .client
        .get("/a/v1/x")
        .header("apikey", key)
        .send()
        .await
}

#[tokio::test]
async fn a_consumer_may_hold_several_keys_and_has_a_limit_of_its_own() {
    let mut setup = Setup::route(echo().await, "").set("PARTNER_KEY", "partner-key-of-november");
    setup.routes += PARTNER;
    let gateway = setup.start().await;
    get(&gateway, "partner-key-of-october")
        .await
        .expect(StatusCode::OK);
    let second = get(&gateway, "partner-key-of-november")
        .await
        .expect(StatusCode::OK);
    assert_eq!(second.header("ratelimit-remaining"), Some("1"));
    let authorization = second.json()["headers"]["authorization"].clone();
    let token = authorization
        .as_str()
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned();
    let claims = common::identity::Verifier::new(&SECRET.to_owned().into()).verify(&token);
    assert_eq!(claims.unwrap().role.as_deref(), Some("anon"));

    get(&gateway, "partner-key-of-october")
        .await
        .expect(StatusCode::OK);
    get(&gateway, "partner-key-of-november")
        .await
        .expect(StatusCode::TOO_MANY_REQUESTS);
    get(&gateway, &gateway.anon_key)
        .await
        .expect(StatusCode::OK);

    let shown = gateway.admin.get("/consumers").send().await;
    let partner = &shown.json()["data"][2];
    assert_eq!(partner["keys"], serde_json::json!(["2026-10", "2026-11"]));
    assert!(!shown.text().contains("partner-key"));
}

#[tokio::test]
async fn a_replaced_key_stays_good_as_long_as_it_is_named() {
    let previous = "previous-service-key-0123456789abcdef";
    let setup = Setup::route(echo().await, "consumers = [\"service_role\"]");
    let gateway = setup
        .set("SERVICE_ROLE_KEY_PREVIOUS", previous)
        .start()
        .await;
    for key in [previous, OPAQUE_SERVICE_KEY] {
        get(&gateway, key).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn a_limit_by_user_counts_users_and_not_addresses() {
    let rule = "limit = { minute = 1, hour = 9, by = \"user\" }";
    let gateway = Setup::route(echo().await, rule).start().await;
    let [one, two] = ["1", "2"].map(|last| {
        jwt::user(
            SECRET,
            &format!("0190a6a0-0000-7000-8000-00000000000{last}"),
        )
    });
    let forged = jwt::user("another-secret-of-sufficient-length!!", "anybody");
    let ask = async |token: &str| {
        let request = gateway
            .client
            .get("/a/v1/x")
            .header("apikey", &gateway.anon_key);
        request.bearer(token).send().await.status
    };
    assert_eq!(ask(&one).await, StatusCode::OK);
    assert_eq!(ask(&two).await, StatusCode::OK);
    assert_eq!(ask(&one).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(&forged).await, StatusCode::OK);
    assert_eq!(
        ask(&forged.replace("anybody", "other")).await,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn a_route_may_be_for_certain_addresses_and_origins_only() {
    let other = "allow_addresses = [\"10.0.0.0/8\"]";
    let own = "allow_addresses = [\"127.0.0.0/8\"]\ncors_origins = [\"https://b.example\"]";
    let setup = Setup::route(echo().await, other).set("GATEWAY_CORS_ORIGINS", "https://a.example");
    let upstream = format!("http://{}", echo().await);
    let gateway = setup.and("b", "/b/v1", &upstream, own).start().await;
    let refused = get(&gateway, &gateway.anon_key)
        .await
        .expect(StatusCode::FORBIDDEN);
    assert_eq!(code(&refused), "address_not_allowed");

    for (origin, allowed) in [
        ("https://a.example", None),
        ("https://b.example", Some("https://b.example")),
    ] {
        let request = gateway
            .client
            .get("/b/v1/x")
            .header("apikey", &gateway.anon_key);
        let response = request
            .header("origin", origin)
            .send()
            .await
            .expect(StatusCode::OK);
        assert_eq!(response.header("access-control-allow-origin"), allowed);
    }
}
