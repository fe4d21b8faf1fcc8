//! Secrets that are encrypted in the database, in GoTrue's form.
//!
//! A value is a JSON object that names its key. AES-256-GCM encrypts it with a key that HKDF derives
//! from that one and the id of the row, so that a value moved to another row opens nothing. What is
//! stored in any other form is a secret as it is.

use std::{collections::BTreeMap, fmt};

use anyhow::Context as _;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const ALGORITHM: &str = "aes-gcm-hkdf";

const KEY_BYTES: usize = 32;

/// The key that keys of rows are derived from.
#[derive(Clone, Debug)]
pub struct Key(SecretSlice<u8>);

/// What secrets are encrypted with, and what they were.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The name of the key that encrypts; without one, secrets are stored as they are.
    pub current: Option<String>,
    /// All keys by their names.
    pub known: BTreeMap<String, Key>,
}

/// An encrypted secret.
#[derive(Serialize, Deserialize)]
struct Sealed {
    key_id: String,
    alg: String,
    data: String,
    nonce: String,
}

impl Key {
    /// The key of a text: 32 bytes in Base64 for URLs, without padding.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == KEY_BYTES).then(|| Self(bytes.into()))
    }

    /// The key of one row.
    fn of(&self, row: Uuid) -> anyhow::Result<LessSafeKey> {
        let row = row.to_string();
        let root = Salt::new(HKDF_SHA256, &[]).extract(self.0.expose_secret());
        let info = [row.as_bytes()];
        let derived = root.expand(&info, &AES_256_GCM);
        let derived = derived.context("no key can be derived")?;
        Ok(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

impl Keys {
    /// What is to be stored for the `secret` of a row.
    pub fn seal(&self, row: Uuid, secret: &str) -> anyhow::Result<String> {
        let Some(name) = &self.current else {
            return Ok(secret.to_owned());
        };
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut data = secret.as_bytes().to_vec();
        self.named(name)?
            .of(row)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut data)
            .context("a secret cannot be encrypted")?;
        let sealed = Sealed {
            key_id: name.clone(),
            alg: ALGORITHM.to_owned(),
            data: STANDARD.encode(data),
            nonce: STANDARD.encode(nonce),
        };
        Ok(serde_json::to_string(&sealed)?)
    }

    /// The secret that is `stored` for a row.
    pub fn open(&self, row: Uuid, stored: &str) -> anyhow::Result<String> {
        let Some(sealed) = Sealed::parse(stored) else {
            return Ok(stored.to_owned());
        };
        let key = self.named(&sealed.key_id)?.of(row)?;
        let nonce = STANDARD.decode(sealed.nonce).context("not Base64")?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).context("not a nonce")?;
        let mut data = STANDARD.decode(sealed.data).context("not Base64")?;
        let secret = key
            .open_in_place(nonce, Aad::empty(), &mut data)
            .context("a secret was not encrypted with its key for this row")?;
        Ok(String::from_utf8(secret.to_vec())?)
    }

    fn named(&self, name: &str) -> anyhow::Result<&Key> {
        let key = self.known.get(name);
        key.with_context(|| format!("there is no key {name:?} to decrypt with"))
    }
}

impl Sealed {
    fn parse(stored: &str) -> Option<Self> {
        let sealed: Self = serde_json::from_str(stored).ok()?;
        (sealed.alg == ALGORITHM).then_some(sealed)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::uuid;

    use super::*;

    const ROW: Uuid = uuid!("0198c0de-0000-7000-8000-000000000001");

    fn keys(current: Option<&str>) -> Keys {
        let one = Key::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
        let two = Key::parse(&URL_SAFE_NO_PAD.encode([7; KEY_BYTES])).unwrap();
        Keys {
            current: current.map(str::to_owned),
            known: BTreeMap::from([("one".to_owned(), one), ("two".to_owned(), two)]),
        }
    }

    #[test]
    fn what_another_implementation_encrypted_is_read() {
        let stored = r#"{"key_id":"one","alg":"aes-gcm-hkdf","data":"PKixzjs4TInYdhJ3c+mfzDRtVJ9GWF0wjcGEPWg+QmlQ","nonce":"ZGVmZ2hpamtsbW5v"}"#;
        assert_eq!(keys(None).open(ROW, stored).unwrap(), "a client's secret");
    }

    #[test]
    fn a_secret_is_read_with_the_key_it_names_in_its_row_alone() {
        let stored = keys(Some("two")).seal(ROW, "s").unwrap();
        assert!(stored.contains(r#""key_id":"two","alg":"aes-gcm-hkdf""#));
        assert_eq!(keys(Some("one")).open(ROW, &stored).unwrap(), "s");
        assert!(keys(None).open(Uuid::nil(), &stored).is_err());
        assert!(Keys::default().open(ROW, &stored).is_err());
        let confused = stored.replace("two", "one");
        assert!(keys(None).open(ROW, &confused).is_err());
        let again = keys(Some("two")).seal(ROW, "s").unwrap();
        assert_ne!(stored, again, "no nonce is used twice");
    }

    #[test]
    fn without_a_key_secrets_are_stored_and_read_as_they_are() {
        for secret in ["", "plain", "{", r#"{"alg":"none"}"#] {
            assert_eq!(keys(None).seal(ROW, secret).unwrap(), secret);
            assert_eq!(keys(Some("one")).open(ROW, secret).unwrap(), secret);
        }
    }

    #[test]
    fn a_key_has_32_bytes() {
        assert!(Key::parse(&URL_SAFE_NO_PAD.encode([7; 31])).is_none());
        assert!(Key::parse("not base64!").is_none());
        assert!(!format!("{:?}", keys(None)).contains('7'));
    }
}
