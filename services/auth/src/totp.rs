//! Time-based one-time passwords (RFC 6238): SHA-1, 30 seconds, 6 digits.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use url::form_urlencoded;

/// Seconds a code is shown for.
const PERIOD: i64 = 30;

/// Bytes of a secret: those of SHA-1.
const SECRET_BYTES: usize = 20;

/// Letters of base32 (RFC 4648, 6).
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret in base32, as authenticators take it.
pub fn new_secret() -> String {
    base32(&rand::random::<[u8; SECRET_BYTES]>())
}

/// The address that carries a secret into an authenticator.
pub fn uri(issuer: &str, account: &str, secret: &str) -> String {
    let escape = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let (issuer, account) = (escape(issuer), escape(account));
    format!(
        "otpauth://totp/{issuer}:{account}?algorithm=SHA1&digits=6&issuer={issuer}&period={PERIOD}\
         &secret={secret}"
    )
    .replace('+', "%20")
}

/// Whether `code` is the one of this moment, or of the one before or after it.
pub fn is_current(secret: &str, code: &str, now: OffsetDateTime) -> bool {
    let Some(secret) = from_base32(secret) else {
        return false;
    };
    let step = now.unix_timestamp().div_euclid(PERIOD);
    (-1..=1)
        .filter_map(|skew| self::code(&secret, step + skew))
        .fold(false, |found, expected| {
            found | bool::from(expected.as_bytes().ct_eq(code.as_bytes()))
        })
}

/// The code of a step.
fn code(secret: &[u8], step: i64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 0x0f);
    let word: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    let number = u32::from_be_bytes(word) & 0x7fff_ffff;
    Some(format!("{:06}", number % 1_000_000))
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(buffer >> bits & 31) as usize]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = ALPHABET
            .iter()
            .position(|&known| known == letter.to_ascii_uppercase())?;
        buffer = (buffer << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff).ok()?);
        }
        buffer &= (1 << bits) - 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    #[test]
    fn the_codes_of_the_rfc_are_made() {
        // RFC 6238, appendix B, last six of eight digits.
        let secret = b"12345678901234567890";
        for (time, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(secret, time / PERIOD).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_before_and_after() {
        let secret = base32(b"12345678901234567890");
        let at = OffsetDateTime::UNIX_EPOCH + Duration::seconds(59);
        for (offset, expected) in [
            (-30, true),
            (0, true),
            (30, true),
            (61, false),
            (-61, false),
        ] {
            let now = at + Duration::seconds(offset);
            assert_eq!(is_current(&secret, "287082", now), expected, "{offset}");
        }
        assert!(!is_current(&secret, "", at) && !is_current("?", "287082", at));
    }

    #[test]
    fn base32_is_read_back() {
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
        assert_eq!(from_base32("MZXW6YTBOI").as_deref(), Some(&b"foobar"[..]));
        assert_eq!(new_secret().len(), 32);
    }

    #[test]
    fn a_uri_escapes_what_it_names() {
        assert_eq!(
            uri("My App", "a+b@example.com", "ABC"),
            "otpauth://totp/My%20App:a%2Bb%40example.com?algorithm=SHA1&digits=6\
             &issuer=My%20App&period=30&secret=ABC"
        );
    }
}
