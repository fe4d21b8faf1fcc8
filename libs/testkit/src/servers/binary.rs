//! Finds the programs of the servers.

use std::path::{Path, PathBuf};

/// The first directory of `PATH` that holds `program`, as the full path of the program.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Where this project keeps what it downloads and prepares once.
pub(crate) fn cache_directory() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    base.join("ferrobase")
}

/// The subdirectory of `parent` whose name is the greatest number, joined with `below`.
pub(crate) fn newest_version(parent: &Path, below: &str) -> Option<PathBuf> {
    let (_, directory) = std::fs::read_dir(parent)
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join(below)))
        })
        .filter(|(_, directory)| directory.is_dir())
        .max()?;
    Some(directory)
}
