//! Directories that live as long as a server.

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf};

use anyhow::Result;
use tempfile::TempDir;

use super::user::User;

/// Longest directory a Unix socket fits in (the kernel allows 107 bytes for the whole path).
const MAX_SOCKET_DIRECTORY_BYTES: usize = 60;

/// A new directory for configuration, socket, log and temporary data, closed to everybody but the
/// account the server runs as.
pub(crate) fn directory(server: &str, user: Option<User>) -> Result<TempDir> {
    let preferred = std::env::temp_dir();
    let is_usable = preferred.as_os_str().len() <= MAX_SOCKET_DIRECTORY_BYTES
        && user.is_none_or(|user| user.can_reach(&preferred.join("new")));
    let base = if is_usable {
        preferred
    } else {
        PathBuf::from("/tmp")
    };
    let directory = tempfile::Builder::new()
        .prefix(&format!("ferrobase-{server}-"))
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(base)?;
    if let Some(user) = user {
        user.own(directory.path())?;
    }
    Ok(directory)
}
