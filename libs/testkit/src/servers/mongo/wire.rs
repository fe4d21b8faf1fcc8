//! The few bytes of MongoDB's protocol that it takes to start a replica set.
//!
//! The driver is among the heaviest dependencies of the workspace, and tests of services that do
//! not use MongoDB should not have to compile it.

use anyhow::{Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The operation code of `OP_MSG`.
const OP_MSG: i32 = 2013;

/// Longest reply that is read; those to the commands used here have a few kilobytes.
const MAX_REPLY_BYTES: usize = 1 << 20;

/// A BSON document under construction.
#[derive(Debug, Default)]
pub(super) struct Document(Vec<u8>);

impl Document {
    pub(super) fn int(self, name: &str, value: i32) -> Self {
        self.element(0x10, name, &value.to_le_bytes())
    }

    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.element(0x08, name, &[u8::from(value)])
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        let bytes = [&length(value.len() + 1), value.as_bytes(), &[0]].concat();
        self.element(0x02, name, &bytes)
    }

    pub(super) fn document(self, name: &str, value: Self) -> Self {
        self.element(0x03, name, &value.bytes())
    }

    pub(super) fn list(self, name: &str, values: impl IntoIterator<Item = Self>) -> Self {
        let array = values
            .into_iter()
            .enumerate()
            .fold(Self::default(), |array, (index, value)| {
                array.document(&index.to_string(), value)
            });
        self.element(0x04, name, &array.bytes())
    }

    fn element(mut self, kind: u8, name: &str, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.0.extend_from_slice(value);
        self
    }

    fn bytes(self) -> Vec<u8> {
        [&length(self.0.len() + 5), &*self.0, &[0]].concat()
    }
}

/// A reply, not decoded.
#[derive(Debug)]
pub(super) struct Reply(Vec<u8>);

impl Reply {
    /// Whether the reply has a field `name` that is true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.contains(&[&[0x08], name.as_bytes(), &[0, 1]].concat())
    }

    /// Whether the command was carried out.
    pub(super) fn is_ok(&self) -> bool {
        self.contains(&[&b"\x01ok\0"[..], &1_f64.to_le_bytes()].concat())
    }

    /// The reply as far as it is text, for error messages.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0)
            .chars()
            .filter(|character| !character.is_control())
            .collect()
    }

    fn contains(&self, pattern: &[u8]) -> bool {
        self.0
            .windows(pattern.len())
            .any(|window| window == pattern)
    }
}

/// Runs a command against the database `admin`.
pub(super) async fn run(port: u16, command: Document) -> Result<Reply> {
    let body = command.text("$db", "admin").bytes();
    let mut message = Vec::with_capacity(body.len() + 21);
    message.extend(length(body.len() + 21));
    // Request 1, in reply to none, without flags, one section with the body.
    for word in [1, 0, OP_MSG, 0] {
        message.extend(i32::to_le_bytes(word));
    }
    message.push(0);
    message.extend(body);

    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(&message).await?;
    let size = usize::try_from(stream.read_i32_le().await?)?;
    ensure!(size <= MAX_REPLY_BYTES, "a reply of {size} bytes");
    let Some(rest) = size.checked_sub(4) else {
        bail!("a reply without a header");
    };
    let mut reply = vec![0; rest];
    stream.read_exact(&mut reply).await?;
    Ok(Reply(reply))
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the BSON specification.
    #[test]
    fn documents_are_encoded_as_specified() {
        let hello = Document::default().text("hello", "world").bytes();
        assert_eq!(hello, b"\x16\0\0\0\x02hello\0\x06\0\0\0world\0\0");
        let one = Document::default().int("one", 1).flag("yes", true).bytes();
        assert_eq!(one, b"\x14\0\0\0\x10one\0\x01\0\0\0\x08yes\0\x01\0");
    }
}
