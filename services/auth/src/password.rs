//! Passwords: what a new one must fulfil, and the forms their hashes have.

use std::fmt;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// Longest password, in bytes. GoTrue's limit, which is bcrypt's.
const MAX_BYTES: usize = 72;

/// Most work an imported bcrypt hash may ask for, as a power of two.
const MAX_BCRYPT_COST: u32 = 15;

/// Most memory an imported argon2 hash may ask for, in KiB.
const MAX_ARGON2_MEMORY: u32 = 256 * 1024;

/// Most memory-passes an imported argon2 hash may ask for, in KiB.
const MAX_ARGON2_WORK: u64 = 1024 * 1024;

/// What a new password must fulfil.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Fewest characters.
    pub min_length: usize,
    /// Sets of which every one must be represented.
    pub characters: Vec<String>,
}

/// Why a password is too weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    reasons: Vec<&'static str>,
    message: String,
}

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

impl Requirements {
    /// Reads sets separated by `:`, where `\:` is a colon in a set.
    pub fn character_sets(text: &str) -> Vec<String> {
        // No character set holds a NUL, so it can stand for the escaped colon while we split.
        text.replace(r"\:", "\0")
            .split(':')
            .filter(|set| !set.is_empty())
            .map(|set| set.replace('\0', ":"))
            .collect()
    }

    /// Fails when `password` must not become somebody's password.
    pub fn check(&self, password: &SecretString) -> Result<()> {
        check_length(password)?;
        self.weakness(password)
            .map_or(Ok(()), |weakness| Err(Error::WeakPassword(weakness)))
    }

    /// What `password` lacks, if it lacks something.
    pub fn weakness(&self, password: &SecretString) -> Option<Weakness> {
        let password = password.expose_secret();
        let mut reasons = Vec::new();
        let mut messages = Vec::new();
        if password.chars().count() < self.min_length {
            reasons.push("length");
            messages.push(format!(
                "Password should be at least {} characters.",
                self.min_length
            ));
        }
        let is_missing = |set: &String| !password.contains(|c| set.contains(c));
        if self.characters.iter().any(is_missing) {
            reasons.push("characters");
            messages.push(format!(
                "Password should contain at least one character of each: {}.",
                self.characters.join(", ")
            ));
        }
        (!reasons.is_empty()).then(|| Weakness {
            reasons,
            message: messages.join(" "),
        })
    }
}

impl Weakness {
    /// The requirements that are not fulfilled.
    pub fn reasons(&self) -> Vec<&'static str> {
        self.reasons.clone()
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Fails when `password` is longer than any hash takes in.
pub fn check_length(password: &SecretString) -> Result<()> {
    if password.expose_secret().len() > MAX_BYTES {
        let message = format!("Password cannot be longer than {MAX_BYTES} characters");
        return Err(Error::invalid(message));
    }
    Ok(())
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

/// How the hashes made by [`hash`] begin.
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
        let argon2i = "$argon2i$v=19$m=65536,t=1,p=1$c29tZXNhbHQAAAAAAAAAAA$\
                       +r0d29hqEB0yasKr55ZgICsQGSkl0v0kgwhd+U3wyRo";
        assert_eq!(verify(&secret("password"), &bcrypt), Verdict::Outdated);
        assert_eq!(verify(&secret("passwort"), &bcrypt), Verdict::Wrong);
        assert_eq!(verify(&secret("passwort"), argon2i), Verdict::Wrong);
    }

    #[test]
    fn ruinous_or_unknown_hashes_are_not_imported() {
        let bcrypt = bcrypt::hash("password", 4).unwrap();
        assert!(is_importable(&bcrypt).is_ok());
        for hash in [
            &bcrypt.replace("$04$", "$31$"),
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$aGFzaA",
            "$argon2id$v=19$m=1024,t=1000000,p=1$c29tZXNhbHQ$aGFzaA",
            "plain",
            "",
        ] {
            assert!(is_importable(hash).is_err(), "{hash}");
        }
    }

    #[test]
    fn a_weak_password_is_told_everything_it_lacks() {
        let requirements = Requirements {
            min_length: 8,
            characters: Requirements::character_sets(r"abc:0\:1"),
        };
        let weakness = requirements.weakness(&secret("xyz")).unwrap();
        assert_eq!(weakness.reasons(), ["length", "characters"]);
        assert_eq!(
            weakness.to_string(),
            "Password should be at least 8 characters. \
             Password should contain at least one character of each: abc, 0:1."
        );
        assert_eq!(requirements.weakness(&secret("aaaaaaa:")), None);
    }

    #[test]
    fn a_password_of_more_than_72_bytes_is_refused() {
        let error = Requirements::default()
            .check(&secret(&"é".repeat(37)))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "Password cannot be longer than 72 characters"
        );
    }
}
