//! MongoDB: how to connect, and what its errors mean.

use std::time::Duration;

use mongodb::{
    Client,
    bson::{Bson, Document, doc},
    error::{Error as DriverError, ErrorKind, WriteFailure},
    options::{Acknowledgment, ClientOptions, WriteConcern},
};
use secrecy::{ExposeSecret, SecretString};

/// Longest wait for a server that takes writes; long enough for most elections.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for the other members to have a write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Most connections at a time.
const MAX_POOL_SIZE: u32 = 20;

/// Codes of a server that is not the primary, is stopping, or cannot reach the others.
const UNAVAILABLE: &[i32] = &[
    6, 7, 64, 89, 91, 94, 133, 189, 202, 234, 262, 9001, 10107, 11600, 11601, 11602, 13388, 13435,
    13436, 50915,
];

/// Code of an operation that took longer than it was given.
const MAX_TIME_EXPIRED: i32 = 50;

/// Codes of credentials or rights that are wrong: a fault of the installation.
const UNAUTHORIZED: &[i32] = &[13, 18];

/// A client of the replica set at `uri`; connects when first used.
///
/// What the connection string says of timeouts and pool size is kept. An acknowledged write is
/// always on the disks of a majority.
pub(crate) async fn client(uri: &SecretString) -> anyhow::Result<Client> {
    let mut options = ClientOptions::parse(uri.expose_secret()).await?;
    options.app_name.get_or_insert("mongo-api".to_owned());
    options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    options.max_pool_size.get_or_insert(MAX_POOL_SIZE);
    options
        .server_selection_timeout
        .get_or_insert(SELECTION_TIMEOUT);
    options.retry_reads = Some(true);
    options.retry_writes = Some(true);
    options.write_concern = Some(
        WriteConcern::builder()
            .w(Acknowledgment::Majority)
            .journal(true)
            .w_timeout(WRITE_TIMEOUT)
            .build(),
    );
    Ok(Client::with_options(options)?)
}

/// The same write concern for commands that the driver passes on as they are.
pub(crate) fn write_concern() -> Document {
    doc! { "w": "majority", "j": true, "wtimeout": i64::try_from(WRITE_TIMEOUT.as_millis()).unwrap_or(0) }
}

/// Asks for a sign of life; the text tells what is wrong and holds no secret.
pub(crate) async fn ping(client: &Client) -> Result<(), String> {
    let answer = client
        .database("admin")
        .run_command(doc! { "ping": 1 })
        .await;
    match answer.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(Failure::Unavailable(_) | Failure::TimedOut) => Err("unreachable".to_owned()),
        Err(_) => Err("refuses this service".to_owned()),
    }
}

/// Why MongoDB did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No server takes the operation now; another attempt may succeed.
    #[error("MongoDB is unavailable")]
    Unavailable(#[source] DriverError),
    /// The operation was ended because it took too long.
    #[error("the operation took too long")]
    TimedOut,
    /// MongoDB understood the operation and refused it.
    #[error("MongoDB refused the operation with code {}", .0.code)]
    Refused(Refusal),
    /// Anything else: a fault of this service or of its installation.
    #[error("MongoDB cannot be used")]
    Broken(#[source] DriverError),
}

/// MongoDB's own reason.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    pub(crate) message: String,
    /// Particulars, such as the rule of a validator that was broken.
    pub(crate) info: Option<Document>,
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        let refusal = match error.kind.as_ref() {
            ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::Authentication { .. }
            | ErrorKind::Shutdown
            | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => {
                return Self::Unavailable(error);
            }
            ErrorKind::Command(refused) => Refusal {
                code: refused.code,
                message: refused.message.clone(),
                info: info_of(&error),
            },
            ErrorKind::Write(WriteFailure::WriteError(refused)) => Refusal {
                code: refused.code,
                message: refused.message.clone(),
                info: refused.details.clone(),
            },
            _ => return Self::Broken(error),
        };
        match refusal.code {
            MAX_TIME_EXPIRED => Self::TimedOut,
            code if UNAVAILABLE.contains(&code) => Self::Unavailable(error),
            code if UNAUTHORIZED.contains(&code) => Self::Broken(error),
            _ => Self::Refused(refusal),
        }
    }
}

/// Particulars of a refused command; the driver keeps them in the whole response only.
fn info_of(error: &DriverError) -> Option<Document> {
    let response = error.server_response()?;
    match Bson::try_from(response.get("errInfo").ok()??).ok()? {
        Bson::Document(info) => Some(info),
        _ => None,
    }
}
