//! E-mail addresses and phone numbers as users give them.

use crate::error::{Error, Result};

/// Longest e-mail address.
const MAX_EMAIL_BYTES: usize = 255;

/// The address in the form it is stored in, if it is one.
pub fn email(text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(Error::invalid("An email address is required"));
    }
    if text.len() > MAX_EMAIL_BYTES {
        return Err(Error::invalid("An email address is too long"));
    }
    let address = text.to_lowercase();
    if is_email(&address) {
        Ok(address)
    } else {
        Err(Error::invalid(
            "Unable to validate email address: invalid format",
        ))
    }
}

/// The number in the form it is stored in, if it is one (E.164 without `+`).
pub fn phone(text: &str) -> Result<String> {
    let number = stored_phone(text);
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (2..=15).contains(&number.len()) && !number.starts_with('0') {
        Ok(number)
    } else {
        Err(Error::invalid(
            "Invalid phone number format (E.164 required)",
        ))
    }
}

/// A number without what people write around it; not checked.
pub fn stored_phone(text: &str) -> String {
    text.trim_start_matches('+').replace(' ', "")
}

/// The form of HTML's `input type=email`, with a domain of at least two labels or `localhost`.
fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let is_local = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (1..=64).contains(&local.len())
        && local.chars().all(is_local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.split('.').all(is_label)
        && (domain.contains('.') || domain == "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_stored_in_lower_case() {
        assert_eq!(email("Ada+x@Example.COM").unwrap(), "ada+x@example.com");
        assert_eq!(email("a@localhost").unwrap(), "a@localhost");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "a",
            "@example.com",
            "a@",
            "a@b",
            "a b@example.com",
            " a@example.com",
            "a@-x.com",
            "a@x..com",
            "a..b@x.com",
            ".a@x.com",
            "a@x.com\r\nbcc: b@x.com",
            "a@b@c.com",
        ] {
            assert!(email(text).is_err(), "{text}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        assert_eq!(
            email(&long).unwrap_err().to_string(),
            "An email address is too long"
        );
        assert_eq!(
            email("").unwrap_err().to_string(),
            "An email address is required"
        );
    }

    #[test]
    fn numbers_lose_their_plus_and_blanks() {
        assert_eq!(phone("+1 555 0100").unwrap(), "15550100");
        for text in ["", "0123456", "12a45", "1234567890123456", "1"] {
            assert!(phone(text).is_err(), "{text}");
        }
    }
}
