//! One-time codes and the hashes that stand for them.

use rand::RngExt;
use sha2::{Digest, Sha224};

use crate::hex;

/// A code of `digits` decimal digits.
pub fn new_code(digits: usize) -> String {
    let mut rng = rand::rng();
    (0..digits)
        .map(|_| char::from(b'0' + rng.random_range(0..10)))
        .collect()
}

/// What is stored and put into links: the code bound to the address it was sent to.
pub fn hash(address: &str, code: &str) -> String {
    hex::encode(&Sha224::digest(format!("{address}{code}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_gotrue() {
        // SHA-224 of "abc" (FIPS 180-4).
        let expected = "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7";
        assert_eq!(hash("a", "bc"), expected);
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
