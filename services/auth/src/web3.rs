//! Signing in with a wallet: a text signed with the key behind an address of a blockchain.
//!
//! For Ethereum the text is that of EIP-4361, signed as EIP-191 says; for Solana it is the same but
//! for a word, signed with Ed25519. The text names the page it was signed for and when.

pub mod message;
pub mod signature;

/// A blockchain whose wallets are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Ethereum, and what shares its addresses.
    Ethereum,
    /// Solana.
    Solana,
}

impl Chain {
    /// Its name in requests and identities.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ethereum" => Some(Self::Ethereum),
            "solana" => Some(Self::Solana),
            _ => None,
        }
    }

    /// As [`Chain::parse`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ethereum => "ethereum",
            Self::Solana => "solana",
        }
    }

    /// As messages to people and the text itself call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ethereum => "Ethereum",
            Self::Solana => "Solana",
        }
    }
}
