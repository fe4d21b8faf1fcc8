//! Whether the key behind an address signed a text.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest, Keccak256};

use super::{Chain, message::Message};
use crate::hex;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A signature as clients send it.
#[derive(Clone, Debug)]
pub enum Signed {
    /// r, s and v of secp256k1.
    Ethereum([u8; 65]),
    /// Of Ed25519.
    Solana([u8; 64]),
}

impl Signed {
    /// Reads a signature: hexadecimal digits for Ethereum, base64 of either alphabet for Solana.
    pub fn parse(chain: Chain, text: &str) -> Result<Self, &'static str> {
        match chain {
            Chain::Ethereum => {
                let digits = text.strip_prefix("0x").unwrap_or(text);
                let bytes = hex::decode(digits).and_then(|bytes| bytes.try_into().ok());
                bytes.map(Self::Ethereum).ok_or(
                    "signature must be 65 bytes long, encoded as a 130 character-long \
                     hexadecimal string",
                )
            }
            Chain::Solana => {
                let text = text.replace('+', "-").replace('/', "_");
                let bytes = BASE64.decode(text);
                let bytes = bytes.ok().and_then(|bytes| bytes.try_into().ok());
                bytes
                    .map(Self::Solana)
                    .ok_or("signature must be 64 bytes encoded as base64 with or without padding")
            }
        }
    }

    /// Whether the key behind the address of `message` signed `text`.
    pub fn is_of(&self, message: &Message, text: &str) -> bool {
        match self {
            Self::Ethereum(signature) => {
                signer(signature, text).is_some_and(|address| address == message.address)
            }
            Self::Solana(signature) => {
                let key = bs58::decode(&message.address)
                    .into_vec()
                    .unwrap_or_default();
                let key = UnparsedPublicKey::new(&ED25519, key);
                key.verify(text.as_bytes(), signature).is_ok()
            }
        }
    }
}

/// The address whose key signed `text`, as EIP-191 says.
fn signer(signature: &[u8; 65], text: &str) -> Option<String> {
    let (scalars, recovery) = signature.split_at(64);
    // Wallets add 27, which once told signatures of compressed keys.
    let recovery = *recovery.first()?;
    let recovery = RecoveryId::from_byte(recovery.checked_sub(27).unwrap_or(recovery))?;
    let scalars = Signature::from_slice(scalars).ok()?;
    let prefix = format!("\x19Ethereum Signed Message:\n{}", text.len());
    let digest = Keccak256::new().chain_update(prefix).chain_update(text);
    let digest = digest.finalize();
    let key = VerifyingKey::recover_from_prehash(&digest, &scalars, recovery).ok()?;
    let point = key.to_sec1_point(false);
    let digest = Keccak256::digest(point.as_bytes().get(1..)?);
    Some(format!("0x{}", hex::encode(digest.get(12..)?)))
}
