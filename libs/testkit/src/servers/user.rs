//! Who a server runs as: PostgreSQL refuses to run as root.

use std::{
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// Accounts a server may run as when this process is root, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An account of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl User {
    /// The account to give root's rights up for; none when this process is not root.
    pub(crate) fn unprivileged() -> Result<Option<Self>> {
        // Where there is no /proc, nobody runs tests as root.
        if !std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            return Ok(None);
        }
        let accounts = std::fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
        match CANDIDATES.iter().find_map(|name| find(&accounts, name)) {
            Some(user) => Ok(Some(user)),
            None => bail!("PostgreSQL does not run as root and there is no account {CANDIDATES:?}"),
        }
    }

    /// Makes this account the owner of `path`.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to the server", path.display()))
    }

    /// Whether every directory above `path` lets this account through.
    pub(crate) fn can_reach(self, path: &Path) -> bool {
        path.ancestors().skip(1).all(|directory| {
            std::fs::metadata(directory).map_or(true, |metadata| {
                let bit = if metadata.uid() == self.uid {
                    0o100
                } else if metadata.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                metadata.mode() & bit != 0
            })
        })
    }
}

/// The account called `name` in the text of `/etc/passwd`.
fn find(accounts: &str, name: &str) -> Option<User> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        found.then_some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        let expected = User { uid: 101, gid: 104 };
        assert_eq!(find(accounts, "postgres"), Some(expected));
        assert_eq!(find(accounts, "nobody"), None);
    }
}
