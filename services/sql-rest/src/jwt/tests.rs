use std::sync::atomic::{AtomicI64, Ordering};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use time::OffsetDateTime;

use super::*;
use crate::config::Given;

const SECRET: &str = "reallyreallyreallyreallyverysafe";
const NOW: i64 = 1_700_000_000;

fn authenticator(pairs: &[(&str, &str)]) -> Authenticator {
    authenticator_at(pairs, Clock::driven_by(|| at(NOW)))
}

fn authenticator_at(pairs: &[(&str, &str)], clock: Clock) -> Authenticator {
    let pairs = [("db_anon_role", "anon")]
        .iter()
        .chain(pairs)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (settings, problems) = Settings::read(&Given::default().overlaid(pairs));
    assert!(problems.is_empty(), "{problems:?}");
    Authenticator::new(&settings, clock)
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let token = encode(&Header::new(algorithm), claims, &key).unwrap();
    format!("Bearer {token}")
}

fn identify(claims: &Value) -> Result<Arc<Identity>, JwtError> {
    let header = sign(Algorithm::HS256, SECRET, claims);
    authenticator(&[("jwt_secret", SECRET)]).identify(Some(&header))
}

#[test]
fn a_genuine_token_names_role_subject_and_claims() {
    let identity = identify(&json!({ "sub": "u1", "role": "author", "x": [1] })).unwrap();
    assert_eq!(identity.role, "author");
    assert_eq!(identity.subject, "u1");
    assert!(identity.authenticated);
    let claims: Value = serde_json::from_str(&identity.claims).unwrap();
    assert_eq!(claims, json!({ "sub": "u1", "role": "author", "x": [1] }));
}

#[test]
fn without_a_token_the_anonymous_role_is_used() {
    let authenticator = authenticator(&[("jwt_secret", SECRET)]);
    for header in [None, Some("Basic x"), Some("")] {
        let identity = authenticator.identify(header).unwrap();
        assert_eq!(identity.role, "anon");
        assert_eq!(identity.claims, r#"{"role":"anon"}"#);
        assert!(!identity.authenticated);
    }
}

#[test]
fn without_an_anonymous_role_a_token_is_required() {
    let authenticator = authenticator(&[("jwt_secret", SECRET), ("db_anon_role", "")]);
    assert_eq!(authenticator.identify(None), Err(JwtError::Required));
    let no_role = sign(Algorithm::HS256, SECRET, &json!({}));
    assert_eq!(
        authenticator.identify(Some(&no_role)),
        Err(JwtError::Required)
    );
}

#[test]
fn a_token_without_a_role_is_anonymous_with_claims() {
    let identity = identify(&json!({ "sub": "u1" })).unwrap();
    assert_eq!(identity.role, "anon");
    assert_eq!(identity.subject, "u1");
    assert!(identity.authenticated);
}

#[test]
fn without_a_secret_no_token_can_be_checked() {
    let header = sign(Algorithm::HS256, SECRET, &json!({}));
    assert_eq!(
        authenticator(&[]).identify(Some(&header)),
        Err(JwtError::NoSecret)
    );
}

#[test]
fn forged_tokens_are_refused() {
    let authenticator = authenticator(&[("jwt_secret", SECRET)]);
    let refusal = |header: &str| authenticator.identify(Some(header)).unwrap_err();
    let claims = json!({ "role": "author" });

    let other_secret = sign(
        Algorithm::HS256,
        "another secret of 32 characters!",
        &claims,
    );
    let text = "None of the keys was able to decode the JWT";
    assert_eq!(refusal(&other_secret), JwtError::Key(text.to_owned()));

    let other_algorithm = sign(Algorithm::HS512, SECRET, &claims);
    assert!(matches!(refusal(&other_algorithm), JwtError::Key(_)));

    // {"alg":"none"} . {"role":"author"} . nothing
    let unsigned = "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYXV0aG9yIn0.";
    assert!(matches!(refusal(unsigned), JwtError::Algorithm(_)));

    assert_eq!(refusal("Bearer "), JwtError::Empty);
    assert_eq!(refusal("bearer a.b"), JwtError::Parts(2));
    assert_eq!(refusal("Bearer a.b.c"), JwtError::Crypto);
}

#[test]
fn times_are_checked_with_some_patience() {
    let cases = [
        (json!({ "exp": NOW - 30 }), None),
        (json!({ "exp": NOW - 31 }), Some(JwtError::Expired)),
        (json!({ "exp": null }), None),
        (json!({ "exp": "x" }), Some(JwtError::NotANumber("exp"))),
        (json!({ "nbf": NOW + 30 }), None),
        (json!({ "nbf": NOW + 31 }), Some(JwtError::NotYetValid)),
        (json!({ "nbf": [] }), Some(JwtError::NotANumber("nbf"))),
        (json!({ "iat": NOW + 30 }), None),
        (json!({ "iat": NOW + 31 }), Some(JwtError::IssuedInFuture)),
        (json!({ "iat": {} }), Some(JwtError::NotANumber("iat"))),
    ];
    for (claims, expected) in cases {
        assert_eq!(identify(&claims).err(), expected, "{claims}");
    }
}

#[test]
fn the_audience_counts_only_when_configured() {
    let identify = |aud: Value, expected: &str| {
        let header = sign(Algorithm::HS256, SECRET, &json!({ "aud": aud }));
        let pairs = [("jwt_secret", SECRET), ("jwt_aud", expected)];
        authenticator(&pairs).identify(Some(&header)).err()
    };
    let wrong = Some(JwtError::NotInAudience);
    assert_eq!(identify(json!("us"), "us"), None);
    assert_eq!(identify(json!(["them", "us"]), "us"), None);
    assert_eq!(identify(json!([]), "us"), None);
    assert_eq!(identify(json!(null), "us"), None);
    assert_eq!(identify(json!("them"), "us"), wrong);
    assert_eq!(identify(json!(""), "us"), wrong);
    assert_eq!(identify(json!(["them"]), "us"), wrong);
    assert_eq!(identify(json!("them"), ""), None);
    assert_eq!(identify(json!([1]), "us"), Some(JwtError::Audience));
    assert_eq!(identify(json!(1), ""), Some(JwtError::Audience));
}

#[test]
fn a_remembered_token_still_expires() {
    let seconds = Arc::new(AtomicI64::new(NOW));
    let clock = {
        let seconds = Arc::clone(&seconds);
        Clock::driven_by(move || at(seconds.load(Ordering::Relaxed)))
    };
    let authenticator = authenticator_at(&[("jwt_secret", SECRET)], clock);
    let header = sign(Algorithm::HS256, SECRET, &json!({ "exp": NOW }));
    authenticator.identify(Some(&header)).unwrap();
    seconds.store(NOW + 31, Ordering::Relaxed);
    assert_eq!(
        authenticator.identify(Some(&header)),
        Err(JwtError::Expired)
    );
}

#[test]
fn the_role_can_be_elsewhere() {
    let pairs = [
        ("jwt_secret", SECRET),
        ("jwt_role_claim_key", ".app.roles[1]"),
    ];
    let header = sign(
        Algorithm::HS256,
        SECRET,
        &json!({ "app": { "roles": ["a", "b"] } }),
    );
    let identity = authenticator(&pairs).identify(Some(&header)).unwrap();
    assert_eq!(identity.role, "b");
    assert!(identity.claims.contains(r#""role":"b""#));
}

#[test]
fn a_token_that_demands_what_nobody_here_understands_is_refused() {
    let header = Header {
        crit: Some(vec!["exp".to_owned()]),
        ..Header::default()
    };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = encode(&header, &json!({ "role": "author" }), &key).unwrap();
    let identified =
        authenticator(&[("jwt_secret", SECRET)]).identify(Some(&format!("Bearer {token}")));
    assert_eq!(identified, Err(JwtError::Crypto));
}

#[test]
fn an_edwards_key_verifies_as_auth_publishes_it() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
    let set = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"one","x":"{x}"}}]}}"#
    );
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("one".to_owned());
    let signing = EncodingKey::from_ed_der(&pair.serialize_der());
    let token = encode(&header, &json!({ "role": "author" }), &signing).unwrap();
    let authenticator = authenticator(&[("jwt_secret", &set)]);
    let identity = authenticator.identify(Some(&format!("Bearer {token}")));
    assert_eq!(identity.unwrap().role, "author");
}

#[test]
fn an_asymmetric_key_verifies_and_its_neighbours_do_no_harm() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let encode_part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    // A point of P-256, uncompressed: a mark and two numbers (SEC 1, 2.3.3).
    let (x, y) = pair.public_key_raw()[1..].split_at(32);
    let (x, y) = (encode_part(x), encode_part(y));
    let key = format!(r#"{{"kty":"EC","crv":"P-256","alg":"ES256","x":"{x}","y":"{y}"}}"#);
    let set = format!(
        r#"{{"keys":[{{"kty":"OKP","crv":"X25519","x":"{x}","use":"enc"}},{{"kty":"new"}},{key}]}}"#
    );
    let signing = EncodingKey::from_ec_der(&pair.serialize_der());
    let claims = json!({ "role": "author" });
    let token = encode(&Header::new(Algorithm::ES256), &claims, &signing).unwrap();
    for secret in [key, set] {
        let authenticator = authenticator(&[("jwt_secret", &secret)]);
        let identity = authenticator.identify(Some(&format!("Bearer {token}")));
        assert_eq!(identity.unwrap().role, "author");
        // Nobody signs with what everybody knows.
        let forged = sign(Algorithm::HS256, &secret, &claims);
        assert!(authenticator.identify(Some(&forged)).is_err());
    }
    let useless = Keys::parse(r#"{"keys":[{"kty":"new"}]}"#, false);
    assert!(useless.is_err());
}

#[test]
fn a_secret_can_be_base64_a_key_or_a_set_of_keys() {
    let encoded = "cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU";
    let key = format!(r#"{{"kty":"oct","k":"{encoded}","kid":"a"}}"#);
    let set = format!(r#"{{"keys":[{key}]}}"#);
    let header = sign(Algorithm::HS256, SECRET, &json!({ "role": "author" }));
    for pairs in [
        vec![("jwt_secret", encoded), ("jwt_secret_is_base64", "true")],
        vec![("jwt_secret", key.as_str())],
        vec![("jwt_secret", set.as_str())],
    ] {
        let identity = authenticator(&pairs).identify(Some(&header)).unwrap();
        assert_eq!(identity.role, "author");
        let forged = sign(Algorithm::HS512, SECRET, &json!({ "role": "author" }));
        assert!(authenticator(&pairs).identify(Some(&forged)).is_err());
    }
}
