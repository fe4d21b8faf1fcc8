//! Directories that live as long as a server.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use anyhow::Result;
use tempfile::TempDir;

use super::user::User;

/// Longest directory a Unix socket fits in (the kernel allows 107 bytes for the whole path).
const MAX_SOCKET_DIRECTORY_BYTES: usize = 60;

/// A file system in memory, on systems that have one.
const MEMORY: &str = "/dev/shm";

/// How much of it, and of memory, must be free: a large test suite fills about half of this.
const MIN_FREE_KILOBYTES: u64 = 4 << 20;

static MEMORY_SUFFICES: LazyLock<bool> = LazyLock::new(|| {
    free_space(Path::new(MEMORY)).is_some_and(|free| free >= MIN_FREE_KILOBYTES)
        && free_memory().is_some_and(|free| free >= 2 * MIN_FREE_KILOBYTES)
});

/// A new directory for configuration, socket, log and temporary data, closed to everybody but the
/// account the server runs as.
pub(crate) fn directory(server: &str, user: Option<User>) -> Result<TempDir> {
    directory_in(&on_disk(user), server, user)
}

/// The same in memory, where there is plenty of it.
///
/// A cluster of PostgreSQL has a thousand files, and each new database three hundred, which take a
/// disk most of a second to create. MongoDB has few, but large ones.
pub(crate) fn fast_directory(server: &str, user: Option<User>) -> Result<TempDir> {
    if *MEMORY_SUFFICES {
        directory_in(Path::new(MEMORY), server, user)
    } else {
        directory(server, user)
    }
}

fn directory_in(base: &Path, server: &str, user: Option<User>) -> Result<TempDir> {
    let directory = tempfile::Builder::new()
        .prefix(&format!("ferrobase-{server}-"))
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(base)?;
    if let Some(user) = user {
        user.own(directory.path())?;
    }
    Ok(directory)
}

fn on_disk(user: Option<User>) -> PathBuf {
    let preferred = std::env::temp_dir();
    let is_usable = preferred.as_os_str().len() <= MAX_SOCKET_DIRECTORY_BYTES
        && user.is_none_or(|user| user.can_reach(&preferred.join("new")));
    if is_usable { preferred } else { "/tmp".into() }
}

/// Kilobytes that are free in the file system of `path`.
fn free_space(path: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-Pk").arg(path).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let fields = text.lines().nth(1)?;
    fields.split_whitespace().nth(3)?.parse().ok()
}

/// Kilobytes of memory that could be used without swapping.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}
