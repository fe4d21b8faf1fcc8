//! Keys of access tokens, given as JSON Web Keys (RFC 7517).
//!
//! A key is published before it signs: the operator adds it with `key_ops` of `verify`, and gives it
//! `sign` once everybody has seen it; the key before it stays with `verify` while its tokens live.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::Deserialize;
use serde_json::{Value, json};

/// Shortest shared secret, in bytes (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// What comes before the private part of a P-256 key (RFC 5208 around RFC 5915).
const EC_PREFIX: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];

/// What comes between the private part and the point.
const EC_INFIX: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// What comes before the private part of an Ed25519 key (RFC 8410, 7).
const ED_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Marks a point of which both coordinates are given.
const UNCOMPRESSED: u8 = 4;

/// A key that tokens are verified with, and perhaps signed.
#[derive(Clone)]
pub struct SigningKey {
    /// Its name, in the header of its tokens.
    pub id: String,
    /// The one algorithm it is for.
    pub algorithm: Algorithm,
    /// Whether new tokens are signed with it.
    pub signs: bool,
    /// The private part.
    pub encoding: Option<EncodingKey>,
    /// The public part.
    pub decoding: DecodingKey,
    /// What is published of it; of a shared secret nothing.
    pub public: Option<Value>,
}

/// A JSON Web Key, as far as we know them.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    key_ops: Vec<String>,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    k: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    d: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    p: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    dp: String,
    #[serde(default)]
    dq: String,
    #[serde(default)]
    qi: String,
}

/// The keys of a JSON array, exactly one of which signs; or what is wrong with them.
pub fn parse_all(text: &str) -> Result<Vec<SigningKey>, &'static str> {
    let jwks: Vec<Jwk> = serde_json::from_str(text).map_err(|_| "not an array of JWKs with kid")?;
    let keys: Vec<SigningKey> = jwks.iter().map(parse).collect::<Result<_, _>>()?;
    if keys.iter().filter(|key| key.signs).count() != 1 {
        return Err("not with key_ops of sign on exactly one key");
    }
    let is_named_again =
        |(at, key): (usize, &SigningKey)| keys.iter().take(at).any(|earlier| earlier.id == key.id);
    if keys.iter().enumerate().any(is_named_again) {
        return Err("with one kid for two keys");
    }
    Ok(keys)
}

fn parse(jwk: &Jwk) -> Result<SigningKey, &'static str> {
    let malformed = |_| "with a key that is malformed";
    let bytes = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| "with a key that is malformed")
    };
    let (algorithm, name, encoding, decoding, public) = match jwk.kty.as_str() {
        "oct" => {
            let secret = bytes(&jwk.k)?;
            if secret.len() < MIN_SECRET_BYTES {
                return Err("with a secret of fewer than 32 bytes");
            }
            let encoding = Some(EncodingKey::from_secret(&secret));
            let decoding = DecodingKey::from_secret(&secret);
            (Algorithm::HS256, "HS256", encoding, decoding, None)
        }
        "EC" if jwk.crv == "P-256" => {
            let encoding = if jwk.d.is_empty() {
                None
            } else {
                let der = ec_private(&bytes(&jwk.d)?, &bytes(&jwk.x)?, &bytes(&jwk.y)?)?;
                Some(EncodingKey::from_ec_der(&der))
            };
            let decoding = DecodingKey::from_ec_components(&jwk.x, &jwk.y).map_err(malformed)?;
            let public = json!({ "kty": "EC", "crv": "P-256", "x": jwk.x, "y": jwk.y });
            (Algorithm::ES256, "ES256", encoding, decoding, Some(public))
        }
        "OKP" if jwk.crv == "Ed25519" => {
            let encoding = if jwk.d.is_empty() {
                None
            } else {
                Some(EncodingKey::from_ed_der(&ed_private(&bytes(&jwk.d)?)?))
            };
            let decoding = DecodingKey::from_ed_components(&jwk.x).map_err(malformed)?;
            let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": jwk.x });
            (Algorithm::EdDSA, "EdDSA", encoding, decoding, Some(public))
        }
        "RSA" => {
            let encoding = if jwk.d.is_empty() {
                None
            } else {
                let parts = [
                    &jwk.n, &jwk.e, &jwk.d, &jwk.p, &jwk.q, &jwk.dp, &jwk.dq, &jwk.qi,
                ];
                let parts: Vec<_> = parts
                    .into_iter()
                    .map(|part| bytes(part))
                    .collect::<Result<_, _>>()?;
                Some(EncodingKey::from_rsa_der(&rsa_private(&parts)))
            };
            let decoding = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).map_err(malformed)?;
            let public = json!({ "kty": "RSA", "n": jwk.n, "e": jwk.e });
            (Algorithm::RS256, "RS256", encoding, decoding, Some(public))
        }
        _ => return Err("with a key that is none of oct, EC P-256, OKP Ed25519 and RSA"),
    };
    if jwk.kid.is_empty() || jwk.alg.as_deref().is_some_and(|alg| alg != name) {
        return Err("with a key without kid, or of another alg than its own");
    }
    let public = public.map(|mut public| {
        public["kid"] = json!(jwk.kid);
        public["alg"] = json!(name);
        public["use"] = json!("sig");
        public["key_ops"] = json!(["verify"]);
        public
    });
    let key = SigningKey {
        id: jwk.kid.clone(),
        algorithm,
        signs: jwk.key_ops.iter().any(|operation| operation == "sign"),
        encoding,
        decoding,
        public,
    };
    key.check()?;
    Ok(key)
}

impl SigningKey {
    /// The header of tokens that this key signs.
    pub fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.id.clone());
        header
    }

    /// Fails when the private part is missing where it is needed, or is not of the public part.
    fn check(&self) -> Result<(), &'static str> {
        let Some(encoding) = &self.encoding else {
            return if self.signs {
                Err("with a key that cannot sign as it should")
            } else {
                Ok(())
            };
        };
        let wrong = |_| "with a key whose parts do not belong together";
        let token = encode(&self.header(), &json!({}), encoding).map_err(wrong)?;
        let mut validation = Validation::new(self.algorithm);
        validation.required_spec_claims.clear();
        decode::<Value>(&token, &self.decoding, &validation).map_err(wrong)?;
        Ok(())
    }
}

/// A P-256 key in PKCS #8.
fn ec_private(d: &[u8], x: &[u8], y: &[u8]) -> Result<Vec<u8>, &'static str> {
    if [d, x, y].iter().any(|part| part.len() != 32) {
        return Err("with a key that is malformed");
    }
    Ok([&EC_PREFIX, d, &EC_INFIX, &[UNCOMPRESSED], x, y].concat())
}

/// An Ed25519 key in PKCS #8.
fn ed_private(d: &[u8]) -> Result<Vec<u8>, &'static str> {
    if d.len() != 32 {
        return Err("with a key that is malformed");
    }
    Ok([&ED_PREFIX, d].concat())
}

/// An RSA key in PKCS #1 (RFC 8017, A.1.2): version and eight integers.
fn rsa_private(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut content = integer(&[0]);
    for part in parts {
        content.extend(integer(part));
    }
    tagged(0x30, &content)
}

/// A whole number that is not negative, in DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let is_unclear = digits.first().is_none_or(|first| first & 0x80 != 0);
    let sign: &[u8] = if is_unclear { &[0] } else { &[] };
    tagged(0x02, &[sign, digits].concat())
}

/// A value in DER, with the length before it.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(length.len() - 1);
    let digits = length.get(start..).unwrap_or_default();
    let mut made = vec![tag];
    if content.len() >= 0x80 {
        // A length of 128 and more says first how many digits it has; there are at most eight.
        made.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
    }
    made.extend(digits);
    made.extend(content);
    made
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("signs", &self.signs)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PublicKeyData};

    use super::*;

    /// A new P-256 key as a JWK.
    fn ec(id: &str, operation: &str) -> Value {
        let pair = KeyPair::generate().unwrap();
        let (der, point) = (pair.serialize_der(), pair.der_bytes().to_vec());
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "key_ops": [operation],
            "d": encode(&der[36..68]), "x": encode(&point[1..33]), "y": encode(&point[33..65]),
        })
    }

    /// The first value in DER, which is taken from `rest`.
    fn value<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
        let short = usize::from(rest[1]);
        let digits = short.saturating_sub(0x80);
        let long = rest[2..2 + digits]
            .iter()
            .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        let length = if digits == 0 { short } else { long };
        let content = &rest[2 + digits..2 + digits + length];
        *rest = &rest[2 + digits + length..];
        content
    }

    /// A new RSA key as a JWK.
    fn rsa(id: &str) -> Value {
        let pair = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)
            .unwrap()
            .serialize_der();
        let mut outer = value(&mut pair.as_slice());
        let _ = (value(&mut outer), value(&mut outer));
        let mut inner = value(&mut value(&mut outer));
        let _ = value(&mut inner);
        let mut jwk = json!({"kty": "RSA", "kid": id, "alg": "RS256", "key_ops": ["sign"]});
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            let digits = value(&mut inner);
            let digits = digits.strip_prefix(&[0]).unwrap_or(digits);
            jwk[name] = json!(URL_SAFE_NO_PAD.encode(digits));
        }
        jwk
    }

    fn read(keys: &[Value]) -> Result<Vec<SigningKey>, &'static str> {
        parse_all(&Value::from(keys.to_vec()).to_string())
    }

    #[test]
    fn a_key_shows_its_public_part_alone() {
        let keys = read(&[ec("one", "sign"), ec("two", "verify")]).unwrap();
        assert_eq!(
            keys.iter().map(|key| key.signs).collect::<Vec<_>>(),
            [true, false]
        );
        let public = keys[0].public.clone().unwrap();
        assert_eq!(
            (&public["kid"], &public["use"]),
            (&json!("one"), &json!("sig"))
        );
        assert_eq!(public.get("d"), None);
    }

    #[test]
    fn an_rsa_key_signs_and_is_published() {
        let keys = read(&[rsa("one")]).unwrap();
        assert_eq!(keys[0].algorithm, Algorithm::RS256);
        let public = keys[0].public.clone().unwrap();
        assert!(public["n"].is_string() && public.get("p").is_none());
    }

    #[test]
    fn a_shared_secret_is_not_published() {
        let secret = URL_SAFE_NO_PAD.encode([7; 32]);
        let jwk = json!({"kty": "oct", "kid": "one", "k": secret, "key_ops": ["sign"]});
        let keys = read(&[jwk]).unwrap();
        assert_eq!(keys[0].public, None);
    }

    #[test]
    fn keys_that_cannot_be_used_are_refused() {
        let (good, other) = (ec("one", "sign"), ec("two", "sign"));
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        for keys in [
            vec![],
            vec![good.clone(), other.clone()],
            vec![ec("one", "verify")],
            vec![good.clone(), ec("one", "verify")],
            vec![with("d", other["d"].clone())],
            vec![with("d", json!(""))],
            vec![with("x", json!("?"))],
            vec![with("alg", json!("RS256"))],
            vec![with("kid", json!(""))],
            vec![with("crv", json!("P-384"))],
            vec![json!({"kty": "oct", "kid": "one", "k": "c2hvcnQ", "key_ops": ["sign"]})],
        ] {
            assert!(read(&keys).is_err(), "{keys:?}");
        }
    }

    #[test]
    fn numbers_are_written_as_der_has_them() {
        assert_eq!(integer(&[0]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(tagged(0x30, &[9; 200])[..3], [0x30, 0x81, 200]);
        assert_eq!(tagged(0x30, &[9; 300])[..4], [0x30, 0x82, 1, 44]);
    }
}
