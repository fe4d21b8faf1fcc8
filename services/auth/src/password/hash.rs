//! Hashes of passwords: argon2id for new ones, and the forms that imported users bring.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};

use super::firebase;
use crate::error::{Error, Result};

/// Most work an imported bcrypt hash may ask for, as a power of two.
const MAX_BCRYPT_COST: u32 = 15;

/// Most memory an imported argon2 hash may ask for, in KiB.
const MAX_ARGON2_MEMORY: u32 = 256 * 1024;

/// Most memory-passes an imported argon2 hash may ask for, in KiB.
const MAX_ARGON2_WORK: u64 = 1024 * 1024;

/// Whether a password fits its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not.
    Wrong,
    /// It does, and the hash is of the current form.
    Right,
    /// It does, but the hash should be made anew.
    Outdated,
}

/// Hashes with argon2id. Takes tens of milliseconds on purpose.
pub fn hash(password: &SecretString) -> Result<String> {
    Argon2::default()
        .hash_password(password.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::Internal(anyhow::anyhow!("hashing failed: {error}")))
}

/// Compares `password` with a hash of any form that GoTrue stores.
pub fn verify(password: &SecretString, hash: &str) -> Verdict {
    let password = password.expose_secret();
    if is_importable(hash).is_err() {
        return Verdict::Wrong;
    }
    let (right, current) = if is_bcrypt(hash) {
        (bcrypt::verify(password, hash).unwrap_or(false), false)
    } else if let Some(firebase) = firebase::Hash::parse(hash) {
        (firebase.fits(password), false)
    } else {
        let verified = Argon2::default().verify_password(password.as_bytes(), hash);
        (verified.is_ok(), hash.starts_with(&current_form()))
    };
    match (right, current) {
        (false, _) => Verdict::Wrong,
        (true, true) => Verdict::Right,
        (true, false) => Verdict::Outdated,
    }
}

/// Fails when `hash` has a form we cannot verify, or would cost too much to.
pub fn is_importable(hash: &str) -> Result<()> {
    let affordable = if is_bcrypt(hash) {
        hash.len() == 60
            && hash
                .split('$')
                .nth(2)
                .and_then(|cost| cost.parse::<u32>().ok())
                .is_some_and(|cost| (4..=MAX_BCRYPT_COST).contains(&cost))
    } else if hash.starts_with(firebase::PREFIX) {
        firebase::Hash::parse(hash).is_some()
    } else {
        hash.starts_with("$argon2") && argon2_is_affordable(hash)
    };
    if affordable {
        Ok(())
    } else {
        Err(Error::invalid("Unsupported password hash"))
    }
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| hash.starts_with(prefix))
}

fn argon2_is_affordable(hash: &str) -> bool {
    let parameter = |name: &str| {
        hash.split(['$', ',']).find_map(|part| {
            part.strip_prefix(name)?
                .strip_prefix('=')?
                .parse::<u32>()
                .ok()
        })
    };
    match (parameter("m"), parameter("t"), parameter("p")) {
        (Some(memory), Some(passes), Some(lanes)) => {
            memory <= MAX_ARGON2_MEMORY
                && u64::from(memory) * u64::from(passes) <= MAX_ARGON2_WORK
                && lanes <= 16
        }
        _ => false,
    }
}

/// How the hashes made by [`hash()`] begin.
fn current_form() -> String {
    let params = argon2::Params::default();
    format!(
        "$argon2id$v=19$m={},t={},p={}$",
        params.m_cost(),
        params.t_cost(),
        params.p_cost()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_hash_fits_its_password_only() {
        let hash = hash(&secret("correct horse")).unwrap();
        assert_eq!(verify(&secret("correct horse"), &hash), Verdict::Right);
        assert_eq!(verify(&secret("correct house"), &hash), Verdict::Wrong);
    }

    #[test]
    fn hashes_of_other_forms_fit_and_are_outdated() {
        let bcrypt = bcrypt::hash("password", 4).unwrap();
        // Test vectors of the reference implementation of argon2.
        let argon2i = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$\
                       wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA";
        let argon2id = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$\
                        CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for hash in [bcrypt.as_str(), argon2i, argon2id] {
            assert_eq!(verify(&secret("password"), hash), Verdict::Outdated);
            assert_eq!(verify(&secret("passwort"), hash), Verdict::Wrong);
        }
    }

    #[test]
    fn ruinous_or_unknown_hashes_are_not_imported() {
        let bcrypt = bcrypt::hash("password", 4).unwrap();
        assert!(is_importable(&bcrypt).is_ok());
        for hash in [
            &bcrypt.replace("$04$", "$31$"),
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$aGFzaA",
            "$argon2id$v=19$m=1024,t=1000000,p=1$c29tZXNhbHQ$aGFzaA",
            "$fbscrypt$v=1,n=30,r=8,p=1,ss=Bw==,sk=c2lnbmVy$c2FsdA==$aGFzaA==",
            "plain",
            "",
        ] {
            assert!(is_importable(hash).is_err(), "{hash}");
        }
    }
}
