//! Passwords: what a new one must fulfil, and the forms their hashes have.

pub mod firebase;
pub mod hash;
pub mod leaked;

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

use self::leaked::Leaked;
use crate::error::{Error, Result};

/// Longest password, in bytes. GoTrue's limit, which is bcrypt's.
const MAX_BYTES: usize = 72;

/// What a new password must fulfil.
#[derive(Clone, Debug, Default)]
pub struct Requirements {
    /// Fewest characters.
    pub min_length: usize,
    /// Sets of which every one must be represented.
    pub characters: Vec<String>,
    /// Those that attackers are known to try.
    pub leaked: Option<Arc<Leaked>>,
    /// Whether nobody gets through while those cannot be read.
    pub leaked_fail_closed: bool,
}

/// Why a password is too weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    reasons: Vec<&'static str>,
    message: String,
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
    pub async fn check(&self, password: &SecretString) -> Result<()> {
        check_length(password)?;
        self.weakness(password)
            .await?
            .map_or(Ok(()), |weakness| Err(Error::WeakPassword(weakness)))
    }

    /// What `password` lacks, if it lacks something.
    pub async fn weakness(&self, password: &SecretString) -> Result<Option<Weakness>> {
        let mut lacks = self.lacks(password.expose_secret());
        if self.is_leaked(password).await? {
            lacks.push((
                "pwned",
                "Password is known to be weak and easy to guess, please choose a different one."
                    .to_owned(),
            ));
        }
        let (reasons, messages): (Vec<_>, Vec<_>) = lacks.into_iter().unzip();
        Ok((!reasons.is_empty()).then(|| Weakness {
            reasons,
            message: messages.join(" "),
        }))
    }

    /// What the password shows by itself: reasons and texts.
    fn lacks(&self, password: &str) -> Vec<(&'static str, String)> {
        let mut lacks = Vec::new();
        let min_length = self.min_length;
        if password.chars().count() < min_length {
            let text = format!("Password should be at least {min_length} characters.");
            lacks.push(("length", text));
        }
        let is_missing = |set: &String| !password.contains(|c| set.contains(c));
        if self.characters.iter().any(is_missing) {
            let sets = self.characters.join(", ");
            let text = format!("Password should contain at least one character of each: {sets}.");
            lacks.push(("characters", text));
        }
        lacks
    }

    async fn is_leaked(&self, password: &SecretString) -> Result<bool> {
        let Some(leaked) = self.leaked.clone() else {
            return Ok(false);
        };
        let password = password.clone();
        let look = move || leaked.contains(password.expose_secret());
        let found = tokio::task::spawn_blocking(look).await;
        let found = found
            .map_err(anyhow::Error::from)
            .and_then(|read| read.map_err(anyhow::Error::from));
        match found {
            Ok(found) => Ok(found),
            Err(error) if self.leaked_fail_closed => Err(Error::Internal(
                error.context("looking for a leaked password"),
            )),
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "leaked passwords cannot be read"
                );
                Ok(false)
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_weak_password_is_told_everything_it_lacks() {
        let requirements = Requirements {
            min_length: 8,
            characters: Requirements::character_sets(r"abc:0\:1"),
            leaked: None,
            leaked_fail_closed: false,
        };
        let weakness = requirements.weakness(&secret("xyz")).await;
        let weakness = weakness.unwrap().unwrap();
        assert_eq!(weakness.reasons(), ["length", "characters"]);
        assert_eq!(
            weakness.to_string(),
            "Password should be at least 8 characters. \
             Password should contain at least one character of each: abc, 0:1."
        );
        let strong = requirements.weakness(&secret("aaaaaaa:")).await;
        assert_eq!(strong.unwrap(), None);
    }

    #[tokio::test]
    async fn a_password_of_more_than_72_bytes_is_refused() {
        let error = Requirements::default()
            .check(&secret(&"é".repeat(37)))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "Password cannot be longer than 72 characters"
        );
    }
}
