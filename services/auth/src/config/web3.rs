//! Wallets as a way to sign in.

use common::config::{Env, FromEnv};
use time::Duration;

use super::duration;
use crate::web3::Chain;

/// Which wallets are good, and for how long what they sign is.
#[derive(Clone, Debug)]
pub struct Web3 {
    ethereum: Wallets,
    solana: Wallets,
}

#[derive(Clone, Debug)]
struct Wallets {
    enabled: bool,
    validity: Duration,
}

impl FromEnv for Web3 {
    fn from_env(env: &mut Env) -> Self {
        let ten_minutes = Duration::minutes(10);
        Self {
            ethereum: Wallets {
                enabled: env.flag("GOTRUE_EXTERNAL_WEB3_ETHEREUM_ENABLED", false),
                validity: duration(
                    env,
                    "GOTRUE_EXTERNAL_WEB3_ETHEREUM_MAXIMUM_VALIDITY_DURATION",
                    ten_minutes,
                ),
            },
            solana: Wallets {
                enabled: env.flag("GOTRUE_EXTERNAL_WEB3_SOLANA_ENABLED", false),
                validity: duration(
                    env,
                    "GOTRUE_EXTERNAL_WEB3_SOLANA_MAXIMUM_VALIDITY_DURATION",
                    ten_minutes,
                ),
            },
        }
    }
}

impl Web3 {
    /// Whether no wallet is good.
    pub fn is_off(&self) -> bool {
        !self.ethereum.enabled && !self.solana.enabled
    }

    /// Whether wallets of `chain` are good.
    pub fn allows(&self, chain: Chain) -> bool {
        self.wallets(chain).enabled
    }

    /// How far from now a text may have been made.
    pub fn validity(&self, chain: Chain) -> Duration {
        self.wallets(chain).validity
    }

    fn wallets(&self, chain: Chain) -> &Wallets {
        match chain {
            Chain::Ethereum => &self.ethereum,
            Chain::Solana => &self.solana,
        }
    }
}
