//! Ports that stay free between choosing and using them.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
};

use anyhow::{Context, Result, bail};

use super::binary::cache_directory;

/// Below the ports that systems give to outgoing connections.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

const ATTEMPTS: u32 = 100;

/// A port on 127.0.0.1, and the lock that keeps other processes of ours from choosing it too.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: Option<File>,
}

impl Port {
    /// The given port, or a free one.
    pub(crate) fn choose(given: Option<u16>) -> Result<Self> {
        if let Some(number) = given {
            return Ok(Self {
                number,
                _lock: None,
            });
        }
        let locks = cache_directory().join("ports");
        std::fs::create_dir_all(&locks)
            .with_context(|| format!("cannot create {}", locks.display()))?;
        for _ in 0..ATTEMPTS {
            let [high, low, ..] = *uuid::Uuid::new_v4().as_bytes();
            let number = FIRST + u16::from_be_bytes([high, low]) % COUNT;
            let lock = File::create(locks.join(number.to_string()))?;
            let is_free =
                lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            if is_free {
                return Ok(Self {
                    number,
                    _lock: Some(lock),
                });
            }
        }
        bail!("no free port was found in {ATTEMPTS} attempts")
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
