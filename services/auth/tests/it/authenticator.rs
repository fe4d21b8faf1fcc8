//! An authenticator and its browser in software, written apart from what verifies them.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What the authenticator's user did.
pub(crate) const PRESENT: u8 = 1;
pub(crate) const VERIFIED: u8 = 1 << 2;

/// A key with one credential. What a test changes, it answers with.
pub(crate) struct Authenticator {
    key: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    pub(crate) count: u32,
    pub(crate) flags: u8,
    pub(crate) origin: String,
    pub(crate) rp_id: Option<String>,
    /// Whose the credential is, if it is found without a name.
    pub(crate) handle: Option<String>,
}

impl Authenticator {
    pub(crate) fn new(origin: &str) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key"),
            id: rand::random::<[u8; 16]>().to_vec(),
            count: 0,
            flags: PRESENT,
            origin: origin.to_owned(),
            rp_id: None,
            handle: None,
        }
    }

    /// Goes on with another key under the same name.
    pub(crate) fn forge(&mut self) {
        self.key = Self::new(&self.origin).key;
    }

    /// `navigator.credentials.create`.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        let options = &options["publicKey"];
        assert_eq!(options["attestation"], "none");
        if options["authenticatorSelection"]["residentKey"] == "required" {
            self.handle = Some(text(&options["user"]["id"]).to_owned());
        }
        let mut data = self.data(text(&options["rp"]["id"]), self.flags | 1 << 6);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("short").to_be_bytes());
        data.extend(&self.id);
        data.extend(self.public_key());
        let object = Cbor::Map(vec![
            (Cbor::from("fmt"), Cbor::from("none")),
            (Cbor::from("attStmt"), Cbor::Map(Vec::new())),
            (Cbor::from("authData"), Cbor::Bytes(data)),
        ]);
        let client = self.client_data("webauthn.create", options);
        self.credential(&json!({
            "clientDataJSON": encode(&client),
            "attestationObject": encode(&bytes(&object)),
            "transports": ["internal"],
        }))
    }

    /// `navigator.credentials.get`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let options = &options["publicKey"];
        self.count += 1;
        let data = self.data(text(&options["rpId"]), self.flags);
        let client = self.client_data("webauthn.get", options);
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed);
        self.credential(&json!({
            "clientDataJSON": encode(&client),
            "authenticatorData": encode(&data),
            "signature": encode(signature.expect("a signature").as_ref()),
            "userHandle": self.handle,
        }))
    }

    fn credential(&self, response: &Value) -> Value {
        let id = encode(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "response": response,
            "clientExtensionResults": {},
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    fn data(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let mut data = Sha256::digest(rp_id).to_vec();
        data.push(flags);
        data.extend(self.count.to_be_bytes());
        data
    }

    /// The key in COSE's form.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
        bytes(&Cbor::Map(vec![
            (Cbor::from(1), Cbor::from(2)),
            (Cbor::from(3), Cbor::from(-7)),
            (Cbor::from(-1), Cbor::from(1)),
            (Cbor::from(-2), Cbor::Bytes(x)),
            (Cbor::from(-3), Cbor::Bytes(y)),
        ]))
    }
}

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("any value");
    bytes
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
