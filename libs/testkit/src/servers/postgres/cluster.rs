//! Initialised data directories.
//!
//! `initdb` takes a second or more, copying its result a tenth: every server gets a copy of a
//! cluster that is initialised once and kept in the cache directory.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use super::SUPERUSER;
use crate::servers::{
    binary::{cache_directory, newest_version, on_path},
    runtime,
    user::User,
};

/// How a cluster is initialised. Who may connect is said at each start, not here.
const INITDB: &[&str] = &[
    "--encoding=UTF8",
    "--data-checksums",
    "--no-sync",
    "--auth-local=peer",
    "--auth-host=reject",
];

/// Locales to try: byte order with Unicode letters where the system has it.
const LOCALES: &[&str] = &["--locale=C.UTF-8", "--locale=C"];

/// The directory of `postgres` and `initdb`.
pub(super) fn programs(given: Option<PathBuf>) -> Result<PathBuf> {
    let is_complete = |directory: &PathBuf| {
        ["postgres", "initdb"]
            .iter()
            .all(|name| directory.join(name).is_file())
    };
    let from_path = || {
        Some(
            on_path("postgres")?
                .canonicalize()
                .ok()?
                .parent()?
                .to_owned(),
        )
    };
    let debian = || newest_version(Path::new("/usr/lib/postgresql"), "bin");
    given
        .or_else(|| from_path().filter(is_complete))
        .or_else(debian)
        .filter(is_complete)
        .context("PostgreSQL is not installed: neither on PATH nor in /usr/lib/postgresql")
}

/// Makes `data` a cluster unless it is one already.
pub(super) fn create_once(programs: &Path, data: &Path, user: Option<User>) -> Result<()> {
    if data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    if let Some(parent) = data.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
    }
    let staged = data.with_extension("new");
    if staged.exists() {
        std::fs::remove_dir_all(&staged)?;
    }
    copy_prepared(programs, &staged, user)?;
    // Fails when there is a directory with something else in it.
    std::fs::rename(&staged, data).with_context(|| format!("cannot create {}", data.display()))
}

/// Makes `data` a copy of the cluster in the cache, which is initialised on the first use.
pub(super) fn copy_prepared(programs: &Path, data: &Path, user: Option<User>) -> Result<()> {
    let cache = cache_directory().join("postgres");
    let prepared = cache.join(cache_key(programs)?);
    if !prepared.is_dir() {
        std::fs::create_dir_all(&cache)?;
        let lock = File::create(cache.join("lock"))?;
        lock.lock().context("the cache cannot be locked")?;
        if !prepared.is_dir() {
            fill(programs, &prepared, user)?;
        }
    }
    copy(&prepared, data)
}

/// Initialises a cluster outside the cache, which the server's account may not reach, and moves
/// it in under its final name in one step.
fn fill(programs: &Path, prepared: &Path, user: Option<User>) -> Result<()> {
    let workshop = runtime::fast_directory("initdb", user)?;
    let fresh = workshop.path().join("data");
    initdb(programs, &fresh, user)?;
    let staged = prepared.with_extension("new");
    if staged.exists() {
        std::fs::remove_dir_all(&staged)?;
    }
    copy(&fresh, &staged)?;
    std::fs::rename(&staged, prepared)?;
    Ok(())
}

fn initdb(programs: &Path, data: &Path, user: Option<User>) -> Result<()> {
    let mut complaint = String::new();
    for locale in LOCALES {
        let mut command = Command::new(programs.join("initdb"));
        command
            .arg("-D")
            .arg(data)
            .arg(format!("--username={SUPERUSER}"))
            .args(INITDB)
            .arg(locale)
            .current_dir("/");
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
        let output = command.output().context("initdb")?;
        if output.status.success() {
            return Ok(());
        }
        complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    bail!("initdb failed: {complaint}")
}

/// Copies a directory with owners and modes, sharing blocks where the file system can.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(
        status.success(),
        "cannot copy {} to {}",
        from.display(),
        to.display()
    );
    Ok(())
}

/// Differs for every build of PostgreSQL and every way to initialise a cluster.
fn cache_key(programs: &Path) -> Result<String> {
    let program = programs.join("postgres");
    let metadata = std::fs::metadata(&program)?;
    let mut hasher = DefaultHasher::new();
    (
        &program,
        metadata.len(),
        metadata.modified()?,
        INITDB,
        LOCALES,
    )
        .hash(&mut hasher);
    User::unprivileged()?
        .map(|user| (user.uid, user.gid))
        .hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}
