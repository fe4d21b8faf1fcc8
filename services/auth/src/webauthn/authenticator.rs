//! What the authenticator says (§6.1), bytes signed by it.

use uuid::Uuid;

use super::{Rejection, cbor};

/// Longest credential id (§4).
const MAX_CREDENTIAL_ID: usize = 1023;

/// Bits of the flags.
const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKUP_STATE: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// Authenticator data.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of the standard"
)]
pub(super) struct Data {
    /// SHA-256 of the domain the credential belongs to.
    pub(super) rp_id_hash: [u8; 32],
    /// Whether somebody touched it.
    pub(super) user_present: bool,
    /// Whether it knows who that was.
    pub(super) user_verified: bool,
    /// Whether the credential can leave the authenticator.
    pub(super) backup_eligible: bool,
    /// Whether it has.
    pub(super) backup_state: bool,
    /// Grows with every use, or stays nought.
    pub(super) sign_count: u32,
    /// The new credential, when one was made.
    pub(super) attested: Option<Attested>,
}

/// A new credential.
#[derive(Debug)]
pub(super) struct Attested {
    /// Kind of authenticator.
    pub(super) aaguid: Uuid,
    /// Names the credential.
    pub(super) credential_id: Vec<u8>,
    /// Its key in COSE's form.
    pub(super) public_key: Vec<u8>,
}

impl Data {
    /// Reads the whole of `bytes`.
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Rejection> {
        let rest = &mut bytes;
        let rp_id_hash = array::<32>(rest)?;
        let [flags] = array::<1>(rest)?;
        let sign_count = u32::from_be_bytes(array(rest)?);
        let is_set = |bit: u8| flags & bit != 0;
        let attested = is_set(ATTESTED)
            .then(|| Attested::parse(rest))
            .transpose()?;
        if is_set(EXTENSIONS) {
            let (extensions, after) = cbor(rest)?;
            extensions.into_map().map_err(|_| Rejection::Malformed)?;
            *rest = after;
        }
        if !rest.is_empty() || (is_set(BACKUP_STATE) && !is_set(BACKUP_ELIGIBLE)) {
            return Err(Rejection::Malformed);
        }
        Ok(Self {
            rp_id_hash,
            user_present: is_set(USER_PRESENT),
            user_verified: is_set(USER_VERIFIED),
            backup_eligible: is_set(BACKUP_ELIGIBLE),
            backup_state: is_set(BACKUP_STATE),
            sign_count,
            attested,
        })
    }
}

impl Attested {
    fn parse(rest: &mut &[u8]) -> Result<Self, Rejection> {
        let aaguid = Uuid::from_bytes(array(rest)?);
        let length = usize::from(u16::from_be_bytes(array(rest)?));
        if length == 0 || length > MAX_CREDENTIAL_ID {
            return Err(Rejection::Malformed);
        }
        let credential_id = take(rest, length)?.to_vec();
        // The key ends where its CBOR does.
        let (_, after) = cbor(rest)?;
        let public_key = take(rest, rest.len() - after.len())?.to_vec();
        Ok(Self {
            aaguid,
            credential_id,
            public_key,
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Rejection> {
    let (taken, after) = rest.split_at_checked(length).ok_or(Rejection::Malformed)?;
    *rest = after;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Rejection> {
    take(rest, N)?.try_into().map_err(|_| Rejection::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn data_is_read_to_its_end() {
        let mut bytes = vec![7; 32];
        bytes.extend([USER_PRESENT | USER_VERIFIED, 0, 0, 1, 2]);
        let data = Data::parse(&bytes).unwrap();
        assert_eq!(data.sign_count, 258);
        assert!(data.user_present && data.user_verified && data.attested.is_none());
        bytes.push(0);
        assert_eq!(Data::parse(&bytes).unwrap_err(), Rejection::Malformed);
    }

    #[test]
    fn a_backup_of_what_cannot_be_backed_up_is_malformed() {
        let mut bytes = vec![7; 32];
        bytes.extend([USER_PRESENT | BACKUP_STATE, 0, 0, 0, 0]);
        assert_eq!(Data::parse(&bytes).unwrap_err(), Rejection::Malformed);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Data::parse(&bytes);
            let mut flagged = bytes;
            if let Some(flags) = flagged.get_mut(32) {
                *flags |= ATTESTED | EXTENSIONS;
            }
            let _ = Data::parse(&flagged);
        }
    }
}
