//! Takes mails to the server, and says of each recipient what became of it.

use std::time::{Duration, Instant};

use lettre::Address;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use super::{
    config::SmtpConfig,
    connection::{Connection, SmtpError},
    tls,
};
use crate::delivery::{Fate, Fates, Parcel};

/// How long the result of a health check is good for.
const CHECK_VALIDITY: Duration = Duration::from_secs(15);

/// The way to one mail server.
pub(crate) struct Transport {
    config: SmtpConfig,
    tls: TlsConnector,
    /// Longest time one step of a delivery may take.
    timeout: Duration,
    checked: Mutex<Option<(Instant, Result<(), String>)>>,
}

/// A worker's connection: opened when first needed, kept while mails follow each other.
#[derive(Default)]
pub(crate) struct Line(Option<Connection>);

/// How far a delivery got by itself.
pub(crate) enum Prepared<'a> {
    /// Everything is decided; nothing was delivered.
    Settled(Fates),
    /// The server has the message but for its last dot.
    Waiting(Handover<'a>),
}

/// The moment before the server becomes responsible for a message. Dropping it delivers nothing.
pub(crate) struct Handover<'a> {
    connection: Connection,
    parcel: Parcel<'a>,
    fates: Fates,
    timeout: Duration,
}

impl Transport {
    /// A way to the server of `config`; connects to nothing yet.
    pub(crate) fn new(config: SmtpConfig, timeout: Duration) -> anyhow::Result<Self> {
        let tls = tls::connector(config.ca_file.as_deref())?;
        Ok(Self {
            config,
            tls,
            timeout,
            checked: Mutex::default(),
        })
    }

    /// Whether the server lets us in; the text holds no secret.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let mut checked = self.checked.lock().await;
        if let Some((at, result)) = &*checked
            && at.elapsed() < CHECK_VALIDITY
        {
            return result.clone();
        }
        let result = match Connection::open(&self.config, &self.tls).await {
            Ok(connection) => {
                connection.quit().await;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        };
        *checked = Some((Instant::now(), result.clone()));
        result
    }

    /// Brings `parcel` to the server, but for the dot.
    pub(crate) async fn prepare<'a>(&self, line: &mut Line, parcel: Parcel<'a>) -> Prepared<'a> {
        let mut fates = Fates::default();
        let bringing = self.bring(line, &parcel, &mut fates);
        let brought = tokio::time::timeout(self.timeout, bringing).await;
        let connection = match brought.map_err(SmtpError::from).flatten() {
            Ok(connection) => connection,
            Err(error) => {
                fates.settle_rest(&parcel, &Fate::of_error(&error));
                return Prepared::Settled(fates);
            }
        };
        if fates.undecided(&parcel).is_empty() {
            line.0 = Some(connection);
            return Prepared::Settled(fates);
        }
        Prepared::Waiting(Handover {
            connection,
            parcel,
            fates,
            timeout: self.timeout,
        })
    }

    async fn bring(
        &self,
        line: &mut Line,
        parcel: &Parcel<'_>,
        fates: &mut Fates,
    ) -> Result<Connection, SmtpError> {
        let mut connection = match line.kept().await {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        connection.mail(parcel.from, parcel.needs_unicode()).await?;
        for recipient in parcel.recipients {
            match connection.recipient(recipient).await {
                Ok(()) => {}
                Err(error @ SmtpError::Refused(_)) => {
                    fates.settle(recipient, Fate::of_error(&error));
                }
                Err(error) => return Err(error),
            }
        }
        if fates.undecided(parcel).is_empty() {
            connection.reset().await?;
        } else {
            connection.body(parcel.message).await?;
        }
        Ok(connection)
    }

    /// A server that does not let us in has nothing against the mail: that is never permanent.
    async fn connect(&self) -> Result<Connection, SmtpError> {
        let opened = Connection::open(&self.config, &self.tls).await;
        opened.map_err(|error| match error {
            SmtpError::Refused(mut reply) => {
                reply.is_permanent = false;
                SmtpError::Refused(reply)
            }
            other => other,
        })
    }
}

impl Line {
    /// The connection of the mail before, if it still works.
    async fn kept(&mut self) -> Option<Connection> {
        let mut kept = self.0.take()?;
        kept.is_usable().await.then_some(kept)
    }

    /// Ends the connection, if there is one.
    pub(crate) async fn hang_up(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.quit().await;
        }
    }
}

impl Handover<'_> {
    /// The recipients that the server is about to become responsible for.
    pub(crate) fn recipients(&self) -> Vec<&Address> {
        self.fates.undecided(&self.parcel)
    }

    /// Sends the dot and waits for the answer.
    pub(crate) async fn complete(mut self, line: &mut Line) -> Fates {
        let concluding = conclude(&mut self.connection);
        let fate = tokio::time::timeout(self.timeout, concluding)
            .await
            .unwrap_or_else(|elapsed| Fate::Unconfirmed(SmtpError::from(elapsed).to_string()));
        if !matches!(fate, Fate::Unconfirmed(_)) {
            line.0 = Some(self.connection);
        }
        self.fates.settle_rest(&self.parcel, &fate);
        self.fates
    }
}

async fn conclude(connection: &mut Connection) -> Fate {
    if let Err(error) = connection.still_listens().await {
        return Fate::of_error(&error);
    }
    if let Err(error) = connection.dot().await {
        return Fate::of_error(&error);
    }
    match connection.reply().await {
        Ok(_) => Fate::Delivered,
        Err(error @ SmtpError::Refused(_)) => Fate::of_error(&error),
        Err(error) => Fate::Unconfirmed(error.to_string()),
    }
}
