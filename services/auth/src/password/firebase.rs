//! Hashes of users who come from Firebase, in the form GoTrue gives them:
//! `$fbscrypt$v=1,n=14,r=8,p=1,ss=<salt separator>,sk=<signer key>$<salt>$<hash>`.
//!
//! Firebase derives a key with scrypt (RFC 7914) and encrypts the project's signer key with it.

use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    error::Unspecified,
    iv::FixedLength,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

/// How such a hash begins.
pub const PREFIX: &str = "$fbscrypt$";

/// Most memory a hash may ask for, in bytes.
const MAX_MEMORY: u64 = 128 * 1024 * 1024;

/// Most memory-passes a hash may ask for, in bytes.
const MAX_WORK: u64 = 2 * MAX_MEMORY;

/// A hash taken apart, affordable to verify.
#[derive(Clone)]
pub struct Hash {
    params: scrypt::Params,
    /// The salt and the project's separator.
    salt: Vec<u8>,
    signer_key: Vec<u8>,
    expected: Vec<u8>,
}

impl Hash {
    /// Reads a hash; `None` when it is no such hash, or one that would cost too much to verify.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.split('$');
        let (settings, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let setting = |name: &str| {
            settings.split(',').find_map(|setting| {
                let (key, value) = setting.split_once('=')?;
                (key == name).then_some(value)
            })
        };
        let number = |name: &str| setting(name)?.parse::<u32>().ok();
        if number("v")? != 1 {
            return None;
        }
        let mut salt = STANDARD.decode(salt).ok()?;
        salt.extend(STANDARD.decode(setting("ss").unwrap_or_default()).ok()?);
        let hash = Self {
            params: affordable(number("n")?, number("r")?, number("p")?)?,
            salt,
            signer_key: STANDARD.decode(setting("sk")?).ok()?,
            expected: STANDARD.decode(hash).ok()?,
        };
        (!hash.signer_key.is_empty()).then_some(hash)
    }

    /// Whether `password` is the one that was hashed. Takes its time on purpose.
    pub fn fits(&self, password: &str) -> bool {
        let mut key = [0; 32];
        scrypt::scrypt(password.as_bytes(), &self.salt, &self.params, &mut key).is_ok()
            && self
                .encrypted_signer_key(&key)
                .is_ok_and(|made| made.ct_eq(&self.expected).into())
    }

    fn encrypted_signer_key(&self, key: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, key)?)?;
        let mut bytes = self.signer_key.clone();
        // The key is used for this one text, so Firebase counts from nought.
        let counter = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        key.less_safe_encrypt(&mut bytes, counter)?;
        Ok(bytes)
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash")
    }
}

fn affordable(log_n: u32, r: u32, p: u32) -> Option<scrypt::Params> {
    let memory = 1_u64.checked_shl(log_n)?.checked_mul(128 * u64::from(r))?;
    if log_n >= 32 || memory > MAX_MEMORY || memory.checked_mul(u64::from(p))? > MAX_WORK {
        return None;
    }
    scrypt::Params::new(u8::try_from(log_n).ok()?, r, p).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Firebase's own description of the algorithm.
    const EXAMPLE: &str = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,\
        sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==\
        $42xEC+ixf3L2lw==\
        $lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";

    #[test]
    fn the_example_of_firebase_fits() {
        let hash = Hash::parse(EXAMPLE).unwrap();
        assert!(hash.fits("user1password"));
        assert!(!hash.fits("user2password"));
    }

    #[test]
    fn what_is_no_such_hash_or_too_costly_is_none() {
        for (from, to) in [
            ("v=1", "v=2"),
            ("n=14", "n=18"),
            ("n=14", "n=64"),
            ("r=8", "r=4294967295"),
            ("p=1", "p=100"),
            ("sk=", "xx="),
            ("ss=Bw==", "ss=?"),
            ("$42x", "$4$2x"),
        ] {
            assert!(Hash::parse(&EXAMPLE.replace(from, to)).is_none(), "{to}");
        }
    }
}
