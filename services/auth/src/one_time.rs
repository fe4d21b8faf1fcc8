//! One-time codes, the tokens that stand for them in links, and what is stored of both.
//!
//! A code has few digits. So the token of its link is made with a key of ours: whoever guesses codes
//! cannot make tokens, whose guesses no account would be charged for. What is stored is a hash of the
//! token: whoever reads the database learns neither of them.

use aws_lc_rs::hmac;
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha224};

use crate::{hex, pkce};

/// Bytes of a token, as many as GoTrue's have.
const TOKEN_BYTES: usize = 28;

/// Keeps the key apart from other uses of the secret it is made of.
const PURPOSE: &[u8] = b"one-time tokens";

/// Makes tokens. The same secret makes the same tokens, in every process.
#[derive(Clone)]
pub struct Tokens(hmac::Key);

impl Tokens {
    /// Tokens made with a key that comes from `secret`.
    pub fn new(secret: &SecretString) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let key = hmac::sign(&secret, PURPOSE);
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// What stands in a link for the code sent to an address or number.
    pub fn token(&self, address: &str, code: &str) -> String {
        // Neither an address nor a number has a line feed, so no two pairs are written alike.
        let tag = hmac::sign(&self.0, format!("{address}\n{code}").as_bytes());
        let bytes = tag.as_ref();
        hex::encode(bytes.get(..TOKEN_BYTES).unwrap_or(bytes))
    }

    /// What is stored for the code sent to an address or number.
    pub fn stored(&self, address: &str, code: &str) -> String {
        stored(&self.token(address, code))
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

/// What is stored for the token of a link. The mark of PKCE stays.
pub fn stored(token: &str) -> String {
    match token.strip_prefix(pkce::PREFIX) {
        Some(token) => format!("{}{}", pkce::PREFIX, hex::encode(&Sha224::digest(token))),
        None => hex::encode(&Sha224::digest(token)),
    }
}

/// A code of `digits` decimal digits.
pub fn new_code(digits: usize) -> String {
    let mut rng = rand::rng();
    (0..digits)
        .map(|_| char::from(b'0' + rng.random_range(0..10)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&SecretString::from(secret))
    }

    #[test]
    fn a_token_belongs_to_its_address_its_code_and_its_secret() {
        let token = tokens("one").token("a@b.c", "123456");
        assert_eq!(token.len(), 2 * TOKEN_BYTES);
        assert_eq!(token, tokens("one").token("a@b.c", "123456"));
        for other in [
            tokens("two").token("a@b.c", "123456"),
            tokens("one").token("a@b.d", "123456"),
            tokens("one").token("a@b.c", "123457"),
            tokens("one").token("a@b.c1", "23456"),
        ] {
            assert_ne!(token, other);
        }
    }

    #[test]
    fn what_is_stored_is_neither_the_token_nor_anything_without_the_mark() {
        let token = tokens("one").token("a@b.c", "123456");
        assert_ne!(stored(&token), token);
        assert_eq!(tokens("one").stored("a@b.c", "123456"), stored(&token));
        let marked = format!("pkce_{token}");
        assert_eq!(stored(&marked), format!("pkce_{}", stored(&token)));
    }

    #[test]
    fn codes_have_as_many_digits_as_asked_for() {
        let code = new_code(8);
        assert!(
            code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()),
            "{code}"
        );
    }
}
