//! Where the database is and who we are there.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use tokio_postgres::config::Host;

use super::{ssl_options::SslOptions, tls::Tls};

const DEFAULT_PORT: u16 = 5432;
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A parsed connection string. Debug output shows no password.
#[derive(Clone, Default)]
pub struct Target {
    config: tokio_postgres::Config,
    tls: Option<Tls>,
}

/// One place where a server may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// A connection string that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It is written in another way.
    #[error("it is not a PostgreSQL connection string")]
    Syntax,
    /// It asks for encryption in a way nobody knows.
    #[error("its sslmode is none of disable, prefer, require, verify-ca and verify-full")]
    SslMode,
    /// The authority it names cannot be trusted, because it cannot be read.
    #[error("its sslrootcert is not a file of certificates")]
    RootCertificate,
    /// Our own certificate cannot be read, or not its key.
    #[error("its sslcert and sslkey are not files of a certificate and its key")]
    ClientCertificate,
}

impl Target {
    /// Everything the connection string says but how it is encrypted.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        let hosts = self.config.get_hosts();
        let ports = self.config.get_ports();
        let port = |index: usize| {
            let port = ports.get(index).or_else(|| ports.first());
            port.copied().unwrap_or(DEFAULT_PORT)
        };
        if hosts.is_empty() {
            return vec![Address::Tcp("localhost".to_owned(), port(0))];
        }
        let address = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => Address::Tcp(name.clone(), port(index)),
            Host::Unix(folder) => Address::Unix(folder.join(format!(".s.PGSQL.{}", port(index)))),
        };
        hosts.iter().enumerate().map(address).collect()
    }

    pub(super) fn user(&self) -> &str {
        self.config.get_user().unwrap_or("postgres")
    }

    pub(super) fn password(&self) -> Option<&[u8]> {
        self.config.get_password()
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        let given = self.config.get_connect_timeout().copied();
        given.unwrap_or(DEFAULT_CONNECT_TIMEOUT)
    }

    /// How connections by TCP are encrypted, if they are.
    pub(super) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Parameters of the start-up message.
    pub(super) fn parameters(&self) -> Vec<(&str, &str)> {
        let name = self.config.get_application_name().unwrap_or("ferrobase");
        let mut parameters = vec![
            ("client_encoding", "UTF8"),
            ("application_name", name),
            ("user", self.user()),
        ];
        parameters.extend(self.config.get_dbname().map(|name| ("database", name)));
        parameters.extend(self.config.get_options().map(|text| ("options", text)));
        parameters
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, options) = SslOptions::take(text)?;
        let config = rest.parse().map_err(|_| InvalidTarget::Syntax)?;
        let tls = Tls::new(&options)?;
        Ok(Self { config, tls })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("addresses", &self.addresses())
            .field("user", &self.user())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn a_password_is_never_shown() {
        let target = target("postgres://me:hunter2@db:5433/app");
        assert!(!format!("{target:?}").contains("hunter2"));
        assert_eq!(target.addresses(), [Address::Tcp("db".to_owned(), 5433)]);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let cases = [
            ("nonsense", InvalidTarget::Syntax),
            ("postgres://me@db/app?sslmode=maybe", InvalidTarget::SslMode),
            (
                "postgres://me@db/app?sslmode=verify-ca&sslrootcert=/nowhere",
                InvalidTarget::RootCertificate,
            ),
            (
                "postgres://me@db/app?sslcert=/nowhere&sslkey=/nowhere",
                InvalidTarget::ClientCertificate,
            ),
            (
                "postgres://me@db/app?sslcert=/nowhere",
                InvalidTarget::ClientCertificate,
            ),
        ];
        for (text, problem) in cases {
            assert_eq!(text.parse::<Target>().err(), Some(problem), "{text}");
        }
    }

    #[test]
    fn a_folder_as_host_means_a_unix_socket() {
        let target = target("postgres://me@%2Frun%2Fpg/app");
        let socket = PathBuf::from("/run/pg/.s.PGSQL.5432");
        assert_eq!(target.addresses(), [Address::Unix(socket)]);
    }

    #[test]
    fn several_hosts_are_all_candidates() {
        let target = target("host=a,b port=1,2 user=me");
        let expected = [
            Address::Tcp("a".to_owned(), 1),
            Address::Tcp("b".to_owned(), 2),
        ];
        assert_eq!(target.addresses(), expected);
    }
}
