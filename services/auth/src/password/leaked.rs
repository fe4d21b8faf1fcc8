//! Passwords that attackers are known to try, from a local file.
//!
//! The file has one of two forms, told apart by its first line:
//!
//! - SHA-1 hashes in hexadecimal, one a line, sorted, whatever follows a hash left aside: the form
//!   of Have I Been Pwned's downloads. It is searched where it lies, so its size costs no memory.
//! - passwords as they are, one a line. They are kept as eight bytes each, and there is a most.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
};

use sha1::{Digest, Sha1};

use crate::hex;

/// Most passwords of a plain list: 16 MiB of memory.
const MAX_PLAIN: usize = 2_000_000;

/// Longest line of a plain list, in bytes; longer ones are no passwords.
const MAX_LINE: u64 = 1024;

/// Hexadecimal digits of SHA-1.
const DIGITS: usize = 40;

/// Bytes read at once from a list of hashes: a line end, and the hash that follows within.
const WINDOW: usize = 256;

/// The list.
pub struct Leaked(Form);

enum Form {
    /// A sorted file of so many bytes.
    Sorted(File, u64),
    /// The first bytes of the passwords' hashes, sorted.
    Plain(Vec<u64>),
}

impl Leaked {
    /// Opens a list; a plain one is read to its end.
    pub fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut start = [0; DIGITS];
        let length = file.metadata()?.len();
        let is_hashed = length >= DIGITS as u64
            && file.read_exact_at(&mut start, 0).is_ok()
            && start.iter().all(u8::is_ascii_hexdigit);
        if is_hashed {
            return Ok(Self(Form::Sorted(file, length)));
        }
        plain(BufReader::new(file)).map(Form::Plain).map(Self)
    }

    /// Whether the list has `password`. Reads from the disk.
    pub fn contains(&self, password: &str) -> io::Result<bool> {
        let digest = Sha1::digest(password);
        match &self.0 {
            Form::Plain(known) => Ok(known.binary_search(&first_bytes(&digest)).is_ok()),
            Form::Sorted(file, length) => {
                let wanted = hex::encode(&digest).to_ascii_uppercase();
                search(file, *length, wanted.as_bytes())
            }
        }
    }
}

impl fmt::Debug for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leaked")
    }
}

fn plain(mut lines: impl BufRead) -> io::Result<Vec<u64>> {
    let mut known = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let password = line.strip_suffix(b"\n").unwrap_or(&line);
        let password = password.strip_suffix(b"\r").unwrap_or(password);
        if !password.is_empty() {
            known.push(first_bytes(&Sha1::digest(password)));
        }
        if known.len() > MAX_PLAIN {
            let message = format!(
                "it has more than {MAX_PLAIN} passwords; give their sorted SHA-1 hashes instead"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// Halves the file by bytes and looks at the line that begins next.
fn search(file: &File, length: u64, wanted: &[u8]) -> io::Result<bool> {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        match next_hash(file, middle)? {
            Some((at, hash)) if at < high => match hash.as_slice().cmp(wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = at + 1,
                std::cmp::Ordering::Greater => high = middle,
            },
            _ => high = middle,
        }
    }
    Ok(false)
}

/// The first hash of a line that begins at `from` or later, and where it begins.
fn next_hash(file: &File, from: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    let begin = from.saturating_sub(1);
    let mut window = [0; WINDOW];
    let read = fill(file, &mut window, begin)?;
    let text = window.get(..read).unwrap_or_default();
    let skipped = if from == 0 {
        0
    } else {
        match text.iter().position(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if read < WINDOW => return Ok(None),
            None => return Err(malformed()),
        }
    };
    let line = text.get(skipped..).unwrap_or_default();
    if line.is_empty() && read < WINDOW {
        return Ok(None);
    }
    let hash = line.get(..DIGITS).ok_or_else(malformed)?;
    if !hash.iter().all(u8::is_ascii_hexdigit) {
        return Err(malformed());
    }
    Ok(Some((begin + skipped as u64, hash.to_ascii_uppercase())))
}

fn fill(file: &File, buffer: &mut [u8], mut at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at) {
            Ok(0) => break,
            Ok(read) => {
                filled += read;
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn malformed() -> io::Error {
    let message = "a line of the list of leaked passwords does not begin with a hash";
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn first_bytes(digest: &[u8]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn list(text: &str) -> (tempfile::NamedTempFile, Leaked) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let leaked = Leaked::open(file.path().to_str().unwrap()).unwrap();
        (file, leaked)
    }

    fn hashed(passwords: &[String], end: &str) -> String {
        let mut lines: Vec<String> = passwords
            .iter()
            .enumerate()
            .map(|(n, password)| {
                let hex = hex::encode(&Sha1::digest(password)).to_ascii_uppercase();
                format!("{hex}:{}", 10_u64.pow(u32::try_from(n % 8).unwrap()))
            })
            .collect();
        lines.sort();
        lines.join(end) + end
    }

    #[test]
    fn every_password_of_either_form_is_found_and_no_other() {
        let passwords: Vec<String> = (0..200).map(|n| format!("password{n}")).collect();
        for text in [
            passwords.join("\n"),
            passwords.join("\r\n"),
            hashed(&passwords, "\n"),
            hashed(&passwords, "\r\n"),
            hashed(&passwords, "\n").to_lowercase(),
            hashed(&passwords, "\n").trim_end().to_owned(),
        ] {
            let (_file, leaked) = list(&text);
            for password in &passwords {
                assert!(leaked.contains(password).unwrap(), "{password}");
            }
            for n in 200..400 {
                assert!(!leaked.contains(&format!("password{n}")).unwrap());
            }
        }
    }

    #[test]
    fn a_list_of_one_or_none_is_searched() {
        let one = ["password".to_owned()];
        let (_file, leaked) = list(&hashed(&one, "\n"));
        assert!(leaked.contains("password").unwrap());
        assert!(!leaked.contains("other").unwrap());
        let (_file, leaked) = list("");
        assert!(!leaked.contains("").unwrap());
    }

    #[test]
    fn a_broken_list_is_an_error_and_not_a_no() {
        let passwords: Vec<String> = (0..50).map(|n| format!("password{n}")).collect();
        let broken = hashed(&passwords, "\n").replace(':', "\nx:");
        let (_file, leaked) = list(&broken);
        assert!(leaked.contains("nothing").is_err());
    }
}
