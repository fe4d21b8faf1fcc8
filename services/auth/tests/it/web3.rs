//! `grant_type=web3`: a wallet signs who it is.

use auth::hex::encode as hex;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use sha3::{Digest, Keccak256};
use testkit::{client::Response, jwt};
use time::{Duration, format_description::well_known::Rfc3339};

use crate::support::{Fixture, access, refused, with};

const PAGE: &str = "https://app.example.com";

async fn service(more: &[(&str, &str)]) -> Fixture {
    let settings = [
        ("GOTRUE_EXTERNAL_WEB3_ETHEREUM_ENABLED", "true"),
        ("GOTRUE_EXTERNAL_WEB3_SOLANA_ENABLED", "true"),
        ("GOTRUE_URI_ALLOW_LIST", "https://app.example.com/**"),
    ];
    with(settings.into_iter().chain(more.iter().copied())).await
}

/// A wallet of Ethereum.
struct Wallet(SigningKey);

impl Wallet {
    fn new() -> Self {
        Self(SigningKey::from_slice(&[7; 32]).expect("a key"))
    }

    fn address(&self) -> String {
        let point = self.0.verifying_key().to_sec1_point(false);
        let digest = Keccak256::digest(&point.as_bytes()[1..]);
        format!("0x{}", hex(&digest[12..]).to_uppercase())
    }

    fn sign(&self, text: &str) -> String {
        let said = format!("\x19Ethereum Signed Message:\n{}{text}", text.len());
        let digest = Keccak256::digest(said);
        let (signature, recovery) = self.0.sign_prehash_recoverable(&digest);
        format!(
            "0x{}{:02x}",
            hex(&signature.to_bytes()),
            27 + recovery.to_byte()
        )
    }
}

fn text(service: &Fixture, chain: &str, address: &str) -> String {
    let now = service.state.now().format(&Rfc3339).expect("a time");
    format!(
        "app.example.com wants you to sign in with your {chain} account:\n{address}\n\nHello\n\n\
         URI: {PAGE}/login\nVersion: 1\nChain ID: 1\nNonce: abcdefgh\nIssued At: {now}"
    )
}

async fn grant(service: &Fixture, chain: &str, message: &str, signature: &str) -> Response {
    let body = json!({"chain": chain, "message": message, "signature": signature});
    let request = service.client.post("/token?grant_type=web3");
    request.json(&body).send().await
}

#[tokio::test]
async fn a_wallet_of_ethereum_signs_its_user_in_and_finds_them_again() {
    let (service, wallet) = (service(&[]).await, Wallet::new());
    let mut ids = Vec::new();
    // Upper and lower case are one address.
    for address in [
        wallet.address().replace("0X", "0x"),
        wallet.address().to_lowercase(),
    ] {
        let message = text(&service, "Ethereum", &address);
        let answer = grant(&service, "ethereum", &message, &wallet.sign(&message)).await;
        let tokens = answer.expect(StatusCode::OK).json();
        let user = &tokens["user"];
        ids.push(user["id"].clone());
        assert_eq!(user["email"], "");
        assert_eq!(user["app_metadata"]["provider"], "web3");
        let claims = &user["user_metadata"]["custom_claims"];
        assert_eq!(claims["address"], wallet.address().to_lowercase());
        assert_eq!(claims["statement"], "Hello");
        let token: Value = jwt::claims(access(&tokens));
        assert_eq!(token["amr"][0]["method"], "web3");
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_wallet_of_solana_signs_its_user_in() {
    let service = service(&[]).await;
    let wallet = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let address = bs58::encode(wallet.public_key().as_ref()).into_string();
    let message = text(&service, "Solana", &address);
    let signature = STANDARD.encode(wallet.sign(message.as_bytes()));
    let answer = grant(&service, "solana", &message, &signature).await;
    let tokens = answer.expect(StatusCode::OK).json();
    let identity = &tokens["user"]["identities"][0];
    assert_eq!(identity["id"], format!("web3:solana:{address}"));
    assert_eq!(identity["provider"], "web3");

    let other = message.replace("Hello", "Other");
    let answer = grant(&service, "solana", &other, &signature).await;
    assert_eq!(
        answer.expect(StatusCode::BAD_REQUEST).json()["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn what_was_not_signed_for_us_and_now_is_refused() {
    let (service, wallet) = (service(&[]).await, Wallet::new());
    let address = wallet.address().to_lowercase();
    let good = text(&service, "Ethereum", &address);
    let stranger = text(&service, "Ethereum", &format!("0x{}", "1".repeat(40)));
    for (message, signature) in [
        (good.replace("Hello", "Other"), wallet.sign(&good)),
        (stranger.clone(), wallet.sign(&stranger)),
        (good.clone(), format!("0x{}", "0".repeat(130))),
        (good.clone(), format!("0x{}", "f".repeat(130))),
    ] {
        let answer = grant(&service, "ethereum", &message, &signature).await;
        let answer = answer.expect(StatusCode::BAD_REQUEST).json();
        assert_eq!(
            answer["error_description"],
            "Signature does not match address in message"
        );
    }
    let elsewhere = good.replace("app.example.com", "evil.example.com");
    let answer = grant(&service, "ethereum", &elsewhere, &wallet.sign(&elsewhere)).await;
    assert_eq!(
        answer.expect(StatusCode::BAD_REQUEST).json()["error"],
        "invalid_grant"
    );
    service.pass(Duration::minutes(11));
    let answer = grant(&service, "ethereum", &good, &wallet.sign(&good)).await;
    assert_eq!(
        answer.expect(StatusCode::BAD_REQUEST).json()["error_description"],
        "Ethereum message was issued too long ago"
    );
    let users = service.value("select count(*)::text from auth.users").await;
    assert_eq!(users.as_deref(), Some("0"));
}

#[tokio::test]
async fn wallets_are_good_only_where_they_are_switched_on() {
    let body = |chain: &str| json!({"chain": chain, "message": "m", "signature": "s"});
    let off = with([]).await;
    let request = || {
        off.client
            .post("/token?grant_type=web3")
            .json(&body("solana"))
    };
    refused(
        request,
        422,
        "web3_provider_disabled",
        "Web3 provider is disabled",
    )
    .await;

    let service = service(&[("GOTRUE_EXTERNAL_WEB3_SOLANA_ENABLED", "false")]).await;
    let post = |chain| {
        service
            .client
            .post("/token?grant_type=web3")
            .json(&body(chain))
    };
    let message = "Solana Web3 provider is disabled";
    refused(|| post("solana"), 422, "web3_provider_disabled", message).await;
    let message = "Unsupported chain";
    refused(|| post("dogecoin"), 400, "web3_unsupported_chain", message).await;
    let message = "message is too short";
    refused(|| post("ethereum"), 400, "validation_failed", message).await;
}
