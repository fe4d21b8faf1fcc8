//! A credential's public key, in COSE's form (RFC 9053).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use ciborium::Value as Cbor;

use super::{Rejection, cbor};

const ES256: i64 = -7;
const EDDSA: i64 = -8;
const RS256: i64 = -257;

/// The algorithms asked for, the preferred one first.
pub(super) const ALGORITHMS: [i64; 3] = [ES256, EDDSA, RS256];

/// A key that signatures are checked with.
#[derive(Debug)]
pub(super) struct PublicKey {
    algorithm: i64,
    key: ParsedPublicKey,
}

/// Labels of a key's parameters.
mod label {
    pub(super) const TYPE: i64 = 1;
    pub(super) const ALGORITHM: i64 = 3;
    /// The curve, or RSA's modulus.
    pub(super) const CURVE_OR_N: i64 = -1;
    /// The first coordinate, or RSA's exponent.
    pub(super) const X_OR_E: i64 = -2;
    pub(super) const Y: i64 = -3;
}

/// Types of keys.
mod key_type {
    pub(super) const OCTET_PAIR: i64 = 1;
    pub(super) const ELLIPTIC: i64 = 2;
    pub(super) const RSA: i64 = 3;
}

/// Curves.
mod curve {
    pub(super) const P256: i64 = 1;
    pub(super) const ED25519: i64 = 6;
}

impl PublicKey {
    /// Reads a key of one of the algorithms asked for; its point must lie on its curve.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let (value, rest) = cbor(bytes)?;
        let members = value.into_map().map_err(|_| Rejection::Malformed)?;
        if !rest.is_empty() {
            return Err(Rejection::Malformed);
        }
        let member = |label: i64| {
            let is_named = |name: &Cbor| name.as_integer() == Some(label.into());
            let mut named = members.iter().filter(|(name, _)| is_named(name));
            named.next().map(|(_, value)| value)
        };
        let number = |label: i64| i64::try_from(member(label)?.as_integer()?).ok();
        let bytes = |label: i64| member(label)?.as_bytes().map(Vec::as_slice);
        let algorithm = number(label::ALGORITHM).ok_or(Rejection::Malformed)?;
        let curve = number(label::CURVE_OR_N);
        let x = bytes(label::X_OR_E).ok_or(Rejection::Malformed)?;
        let key = match (algorithm, number(label::TYPE)) {
            (ES256, Some(key_type::ELLIPTIC)) if curve == Some(curve::P256) => {
                let y = bytes(label::Y).filter(|y| y.len() == 32 && x.len() == 32);
                // An uncompressed point (SEC 1, 2.3.3).
                let point = [&[4], x, y.ok_or(Rejection::Malformed)?].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            }
            (EDDSA, Some(key_type::OCTET_PAIR)) if curve == Some(curve::ED25519) => {
                ParsedPublicKey::new(&ED25519, x)
            }
            (RS256, Some(key_type::RSA)) => {
                let n = bytes(label::CURVE_OR_N).ok_or(Rejection::Malformed)?;
                RsaPublicKeyComponents { n, e: x }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            _ => return Err(Rejection::Refused("the algorithm was not asked for")),
        };
        let key = key.map_err(|_| Rejection::Malformed)?;
        Ok(Self { algorithm, key })
    }

    /// The algorithm's number at IANA.
    pub(super) fn algorithm(&self) -> i64 {
        self.algorithm
    }

    /// Fails unless the key's holder signed `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Rejection> {
        self.key
            .verify_sig(message, signature)
            .map_err(|_| Rejection::Refused("the signature is not the credential's"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        rsa::KeySize,
        signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
    };

    use super::*;

    fn cose(members: Vec<(i64, Cbor)>) -> Vec<u8> {
        let members = members
            .into_iter()
            .map(|(label, value)| (Cbor::from(label), value))
            .collect();
        let mut bytes = Vec::new();
        ciborium::into_writer(&Cbor::Map(members), &mut bytes).unwrap();
        bytes
    }

    fn edwards(x: &[u8]) -> Vec<(i64, Cbor)> {
        vec![
            (label::TYPE, Cbor::from(key_type::OCTET_PAIR)),
            (label::ALGORITHM, Cbor::from(EDDSA)),
            (label::CURVE_OR_N, Cbor::from(curve::ED25519)),
            (label::X_OR_E, Cbor::Bytes(x.to_vec())),
        ]
    }

    #[test]
    fn a_signature_of_an_edwards_curve_is_checked() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let key = PublicKey::parse(&cose(edwards(pair.public_key().as_ref()))).unwrap();
        let signature = pair.sign(b"message");
        assert_eq!(key.verify(b"message", signature.as_ref()), Ok(()));
        assert!(key.verify(b"another", signature.as_ref()).is_err());
    }

    #[test]
    fn a_signature_of_rsa_is_checked() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        // In DER the modulus is at a fixed place, after headers of nine bytes (RFC 8017, A.1.1).
        let modulus = &pair.public_key().as_ref()[9..265];
        let key = cose(vec![
            (label::TYPE, Cbor::from(key_type::RSA)),
            (label::ALGORITHM, Cbor::from(RS256)),
            (label::CURVE_OR_N, Cbor::Bytes(modulus.to_vec())),
            (label::X_OR_E, Cbor::Bytes(vec![1, 0, 1])),
        ]);
        let key = PublicKey::parse(&key).unwrap();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            b"message",
            &mut signature,
        )
        .unwrap();
        assert_eq!(key.verify(b"message", &signature), Ok(()));
        assert!(key.verify(b"another", &signature).is_err());
    }

    #[test]
    fn a_point_that_lies_on_no_curve_is_no_key() {
        let point = |y: [u8; 32]| {
            cose(vec![
                (label::TYPE, Cbor::from(key_type::ELLIPTIC)),
                (label::ALGORITHM, Cbor::from(ES256)),
                (label::CURVE_OR_N, Cbor::from(curve::P256)),
                (label::X_OR_E, Cbor::Bytes(vec![1; 32])),
                (label::Y, Cbor::Bytes(y.to_vec())),
            ])
        };
        for y in [[1; 32], [0; 32]] {
            assert_eq!(
                PublicKey::parse(&point(y)).unwrap_err(),
                Rejection::Malformed
            );
        }
    }

    #[test]
    fn an_algorithm_that_was_not_asked_for_is_refused() {
        let mut key = edwards(&[1; 32]);
        key[1].1 = Cbor::from(-36);
        let refusal = PublicKey::parse(&cose(key)).unwrap_err();
        assert!(matches!(refusal, Rejection::Refused(_)));
        let mut trailing = cose(edwards(&[1; 32]));
        trailing.push(0);
        assert_eq!(
            PublicKey::parse(&trailing).unwrap_err(),
            Rejection::Malformed
        );
    }
}
