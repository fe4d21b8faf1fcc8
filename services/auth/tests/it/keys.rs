//! `GOTRUE_JWT_KEYS`: tokens that everybody can verify, and keys that take each other's place.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, jwk::JwkSet,
};
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use testkit::jwt;

use crate::support::{EMAIL, Fixture, SECRET, access, service_role, with};

/// A new P-256 key as a JWK, and to sign with.
pub(crate) fn key(id: &str, operation: &str) -> (Value, EncodingKey) {
    let pair = KeyPair::generate().expect("a key");
    let (der, point) = (pair.serialize_der(), pair.der_bytes().to_vec());
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "key_ops": [operation],
        "d": text(&der[36..68]), "x": text(&point[1..33]), "y": text(&point[33..65]),
    });
    (jwk, EncodingKey::from_ec_der(&der))
}

/// A new Ed25519 key as a JWK, and to sign with.
fn edwards_key(id: &str, operation: &str) -> (Value, EncodingKey) {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let der = pair.serialize_der();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": id, "alg": "EdDSA", "key_ops": [operation],
        "d": text(&der[16..48]), "x": text(pair.der_bytes()),
    });
    (jwk, EncodingKey::from_ed_der(&der))
}

async fn with_keys(keys: &[Value]) -> Fixture {
    let keys = Value::from(keys.to_vec()).to_string();
    with([
        ("GOTRUE_MAILER_AUTOCONFIRM", "true"),
        ("GOTRUE_JWT_KEYS", keys.as_str()),
    ])
    .await
}

async fn published(service: &Fixture) -> JwkSet {
    let answer = service.client.get("/.well-known/jwks.json").send().await;
    let answer = answer.expect(StatusCode::OK);
    assert!(!answer.text().contains("\"d\""), "{}", answer.text());
    serde_json::from_value(answer.json()).expect("a key set")
}

#[tokio::test]
async fn tokens_are_verified_with_what_is_published() {
    let service = with_keys(&[key("one", "sign").0]).await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let header = jsonwebtoken::decode_header(token).expect("a header");
    assert_eq!(
        (header.alg, header.kid.as_deref()),
        (Algorithm::ES256, Some("one"))
    );
    let keys = published(&service).await;
    let key = DecodingKey::from_jwk(keys.find("one").expect("the key")).expect("a key");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["authenticated"]);
    let claims = decode::<Value>(token, &key, &validation)
        .expect("a genuine token")
        .claims;
    assert_eq!(claims["sub"], tokens["user"]["id"]);
    service.user(token).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_edwards_key_signs_and_is_replaced_by_a_key_of_another_kind() {
    let ((one, signs), (two, _)) = (edwards_key("one", "sign"), key("two", "verify"));
    let service = with_keys(&[one.clone(), two.clone()]).await;
    let tokens = service.signed_up(EMAIL).await;
    let token = access(&tokens);
    let header = jsonwebtoken::decode_header(token).expect("a header");
    assert_eq!(
        (header.alg, header.kid.as_deref()),
        (Algorithm::EdDSA, Some("one"))
    );
    let keys = published(&service).await;
    let public = keys.find("one").expect("the key");
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["authenticated"]);
    let public = DecodingKey::from_jwk(public).expect("a key");
    decode::<Value>(token, &public, &validation).expect("a genuine token");
    service.user(token).await.expect(StatusCode::OK);

    let (mut one, mut two) = (one, two);
    (one["key_ops"], two["key_ops"]) = (json!(["verify"]), json!(["sign"]));
    let service = with_keys(&[one, two]).await;
    let tokens = service.signed_up(EMAIL).await;
    let header = jsonwebtoken::decode_header(access(&tokens)).expect("a header");
    assert_eq!(header.alg, Algorithm::ES256);
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("one".to_owned());
    let old = encode(&header, &jwt::claims(access(&tokens)), &signs).expect("a token");
    service.user(&old).await.expect(StatusCode::OK);
    header.kid = Some("two".to_owned());
    let confused = encode(&header, &jwt::claims(access(&tokens)), &signs).expect("a token");
    service.user(&confused).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_key_is_published_and_good_before_it_signs_and_after() {
    let ((one, _), (two, signs)) = (key("one", "sign"), key("two", "verify"));
    let service = with_keys(&[one, two]).await;
    assert!(published(&service).await.find("two").is_some());
    let tokens = service.signed_up(EMAIL).await;
    let claims = jwt::claims(access(&tokens));
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("two".to_owned());
    let token = encode(&header, &claims, &signs).expect("a token");
    service.user(&token).await.expect(StatusCode::OK);
    header.kid = Some("one".to_owned());
    let forged = encode(&header, &claims, &signs).expect("a token");
    service.user(&forged).await.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_shared_secret_stays_good_but_not_in_a_keys_name() {
    let service = with_keys(&[key("one", "sign").0]).await;
    let tokens = service.signed_up(EMAIL).await;
    let claims = jwt::claims(access(&tokens));
    let old = jwt::sign(SECRET, &claims);
    service.user(&old).await.expect(StatusCode::OK);
    let users = service
        .client
        .get("/admin/users")
        .bearer(&service_role())
        .send()
        .await;
    users.expect(StatusCode::OK);
    let header = json!({"alg": "HS256", "kid": "one"});
    let confused = jwt::sign_with_header(SECRET, &header, &claims);
    service.user(&confused).await.expect(StatusCode::FORBIDDEN);
}
