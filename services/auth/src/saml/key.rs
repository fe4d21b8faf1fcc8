//! Public keys of identity providers.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};

/// `rsa-sha256` of RFC 6931, by which requests are signed too.
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

/// A public key that signatures can be verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kind: Kind,
    /// As RFC 8017 or SEC 1 write it.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
}

impl Key {
    /// The key of a certificate, if it is of a kind that is known. Nothing else in the certificate
    /// counts: it is trusted because it stands in the metadata.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
        let info = certificate.public_key();
        let parameter = info.algorithm.parameters.as_ref();
        let curve = parameter.and_then(|parameter| parameter.as_oid().ok());
        let curve = curve.map(|oid| oid.to_id_string());
        let kind = match (
            info.algorithm.algorithm.to_id_string().as_str(),
            curve.as_deref(),
        ) {
            ("1.2.840.113549.1.1.1", _) => Kind::Rsa,
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Kind::P256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Kind::P384,
            _ => return None,
        };
        let bytes = info.subject_public_key.data.to_vec();
        Some(Self { kind, bytes })
    }

    /// Whether `signature` by an algorithm of this name is this key's on `message`. SHA-1 is unknown
    /// here, and so are keys below 2048 bits.
    pub fn has_signed(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.kind, algorithm) {
            (Kind::Rsa, RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384") => {
                &RSA_PKCS1_2048_8192_SHA384
            }
            (Kind::Rsa, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512") => {
                &RSA_PKCS1_2048_8192_SHA512
            }
            (Kind::P256, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256") => {
                &ECDSA_P256_SHA256_FIXED
            }
            (Kind::P384, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384") => {
                &ECDSA_P384_SHA384_FIXED
            }
            _ => return false,
        };
        let key = UnparsedPublicKey::new(algorithm, &self.bytes);
        key.verify(message, signature).is_ok()
    }
}
