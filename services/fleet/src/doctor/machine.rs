//! Checks of the machine and of `.env`.

use std::{
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
};

use common::config::{MIN_SECRET_BYTES, weakness};

use super::Finding;
use crate::{cli::Place, dotenv::Variables};

/// Free space below which databases are in danger, in KiB.
const MIN_FREE_KIB: u64 = 1024 * 1024;

/// Variables that must be strong.
const SECRETS: [&str; 6] = [
    "JWT_SECRET",
    "POSTGRES_PASSWORD",
    "AUTHENTICATOR_PASSWORD",
    "AUTH_DB_PASSWORD",
    "EMAIL_DB_PASSWORD",
    "EMAIL_SERVICE_TOKEN",
];

/// Whether every secret is there and strong.
pub(super) fn secrets(variables: &Variables) -> Vec<Finding> {
    let problems: Vec<_> = SECRETS
        .into_iter()
        .filter_map(|name| {
            let value = variables.get(name).map_or("", String::as_str);
            let weakness = weakness(value, MIN_SECRET_BYTES)?;
            Some(Finding::error("secrets", format!("{name}: {weakness}")))
        })
        .collect();
    if problems.is_empty() {
        vec![Finding::ok("secrets", "all are strong")]
    } else {
        problems
    }
}

/// Whether only the owner can read the file with the secrets.
pub(super) fn permissions(env_file: &Path) -> Finding {
    let name = env_file.display();
    match std::fs::metadata(env_file) {
        Ok(metadata) if is_private(metadata.permissions().mode()) => {
            Finding::ok("permissions", format!("{name} is for its owner only"))
        }
        Ok(_) => Finding::error(
            "permissions",
            format!("{name} can be read by others; run: chmod 600 {name}"),
        ),
        Err(error) => Finding::error("permissions", format!("{name}: {error}")),
    }
}

/// Whether a file mode gives nothing to group and others.
fn is_private(mode: u32) -> bool {
    mode.trailing_zeros() >= 6
}

/// Whether the gateway's port is free.
pub(super) fn port(variables: &Variables) -> Finding {
    let port = variables.get("GATEWAY_PORT").map_or("8000", String::as_str);
    let Ok(port) = port.parse::<u16>() else {
        return Finding::error("ports", "GATEWAY_PORT is not a port");
    };
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Finding::ok("ports", format!("{port} is free")),
        Err(error) => Finding::error(
            "ports",
            format!("{port} cannot be used ({error}); set GATEWAY_PORT in .env"),
        ),
    }
}

/// Whether the disk below the data has room.
pub(super) async fn disk(place: &Place) -> Finding {
    match free_kib(&place.data).await {
        Some(free) if free < MIN_FREE_KIB => {
            Finding::error("disk", format!("only {} MiB are free", free / 1024))
        }
        Some(free) => Finding::ok("disk", format!("{} GiB are free", free / 1024 / 1024)),
        None => Finding::warning("disk", "the free space could not be found out"),
    }
}

async fn free_kib(data: &Path) -> Option<u64> {
    let existing = data
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("."));
    let output = tokio::process::Command::new("df")
        .args(["-Pk", "--"])
        .arg(existing)
        .stderr(Stdio::null())
        .output()
        .await
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn a_missing_or_weak_secret_is_an_error() {
        let findings = secrets(&Variables::from([(
            "JWT_SECRET".to_owned(),
            "short".to_owned(),
        )]));
        assert_eq!(findings.len(), SECRETS.len());
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity == Severity::Error)
        );
        assert!(
            findings
                .iter()
                .all(|finding| !finding.message.contains("short"))
        );
    }

    #[test]
    fn a_file_that_others_can_read_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(permissions(file.path()).severity, Severity::Ok);
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(file.path(), open).unwrap();
        assert_eq!(permissions(file.path()).severity, Severity::Error);
    }
}
