//! SCRAM-SHA-256 verifiers (RFC 5802), made here so that no password travels or is logged.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// PostgreSQL's own number of iterations.
const ITERATIONS: u32 = 4096;

type Block = [u8; 32];

/// What PostgreSQL stores for `password`, with a new salt.
pub(crate) fn verifier(password: &str) -> String {
    verifier_with(password, ITERATIONS, &rand::random::<[u8; 16]>())
}

/// Whether `stored` was made from `password`.
pub(crate) fn matches(stored: &str, password: &str) -> bool {
    recompute(stored, password).is_some_and(|expected| expected == stored)
}

/// The verifier of `password` with the salt and iterations of `stored`.
fn recompute(stored: &str, password: &str) -> Option<String> {
    let (iterations, rest) = stored.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
    let (salt, _) = rest.split_once('$')?;
    let salt = STANDARD.decode(salt).ok()?;
    Some(verifier_with(password, iterations.parse().ok()?, &salt))
}

fn verifier_with(password: &str, iterations: u32, salt: &[u8]) -> String {
    let salted = salted_password(password.as_bytes(), iterations, salt);
    let stored_key: Block = Sha256::digest(hmac(&salted, &[b"Client Key"])).into();
    let server_key = hmac(&salted, &[b"Server Key"]);
    format!(
        "SCRAM-SHA-256${iterations}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

/// PBKDF2 for one block of output.
fn salted_password(password: &[u8], iterations: u32, salt: &[u8]) -> Block {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut result = last;
    for _ in 1..iterations {
        last = hmac(password, &[&last]);
        for (byte, other) in result.iter_mut().zip(last) {
            *byte ^= other;
        }
    }
    result
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Block {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys from the example exchange of RFC 7677.
    #[test]
    fn the_example_of_the_standard_gives_its_keys() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = verifier_with("pencil", 4096, &salt);
        let expected = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        assert_eq!(verifier, expected);
    }

    #[test]
    fn only_its_own_password_matches_a_verifier() {
        let stored = verifier("right");
        assert!(matches(&stored, "right"));
        assert!(!matches(&stored, "wrong"));
        assert!(!matches("md5abc", "right"));
    }
}
