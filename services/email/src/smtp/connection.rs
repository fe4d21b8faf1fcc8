//! One conversation with a mail server.

use std::{fmt::Display, io, time::Duration};

use lettre::{
    Address,
    transport::smtp::{
        authentication::{DEFAULT_MECHANISMS, Mechanism},
        commands::{Auth, Data, Ehlo, Mail, Noop, Quit, Rcpt, Rset, Starttls},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
        response::{Response, Severity},
    },
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::config::{Security, SmtpConfig};

/// Longest line of a reply, in bytes; twice what RFC 5321 (4.5.3.1.5) allows.
const MAX_REPLY_LINE_BYTES: u64 = 1024;

/// Longest wait for an answer that takes no thought.
const NOOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Most lines of one reply.
const MAX_REPLY_LINES: usize = 100;

/// Longest part of a reply that is kept, in characters.
const MAX_KEPT_CHARS: usize = 300;

/// Why a conversation did not go on. The texts hold no address of a server and no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SmtpError {
    #[error("the mail server cannot be reached")]
    Io(#[from] io::Error),
    #[error("the mail server took too long")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("the mail server closed the connection")]
    Closed,
    #[error("the mail server answered with something that is not SMTP")]
    Garbled,
    #[error("the mail server does not offer STARTTLS")]
    NoStartTls,
    #[error("the mail server offers no way to sign in that is known here")]
    NoAuthentication,
    #[error("the mail server takes no addresses beyond ASCII")]
    NoUnicode,
    #[error("{0}")]
    Refused(Reply),
}

/// A negative answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) is_permanent: bool,
    text: String,
}

/// A conversation that is past its greetings.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    server: ServerInfo,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Connection {
    /// Connects, protects the connection as configured and signs in.
    pub(super) async fn open(config: &SmtpConfig, tls: &TlsConnector) -> Result<Self, SmtpError> {
        let socket = TcpStream::connect((config.host.as_str(), config.port)).await?;
        // Otherwise the final dot of a mail waits for the acknowledgement of its body.
        socket.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match config.security {
            Security::Tls => Box::new(secure(socket, config, tls).await?),
            Security::None | Security::StartTls => Box::new(socket),
        };
        let mut connection = Self::over(stream);
        connection.reply().await?;
        connection.hello(config).await?;
        if config.security == Security::StartTls {
            connection = connection.upgrade(config, tls).await?;
        }
        connection.authenticate(config).await?;
        Ok(connection)
    }

    /// Whether it can be used for another mail.
    pub(super) async fn is_usable(&mut self) -> bool {
        let noop = tokio::time::timeout(NOOP_TIMEOUT, self.command(Noop));
        matches!(noop.await, Ok(Ok(_)))
    }

    /// Forgets a mail that was begun.
    pub(super) async fn reset(&mut self) -> Result<(), SmtpError> {
        self.command(Rset).await.map(drop)
    }

    /// Says goodbye.
    pub(super) async fn quit(mut self) {
        tokio::time::timeout(NOOP_TIMEOUT, self.command(Quit))
            .await
            .ok();
    }

    /// Begins a mail from `sender`.
    pub(super) async fn mail(
        &mut self,
        sender: &Address,
        needs_unicode: bool,
    ) -> Result<(), SmtpError> {
        let mut parameters = Vec::new();
        if needs_unicode {
            if !self.server.supports_feature(Extension::SmtpUtfEight) {
                return Err(SmtpError::NoUnicode);
            }
            parameters.push(MailParameter::SmtpUtfEight);
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let command = Mail::new(Some(sender.clone()), parameters);
        self.command(command).await.map(drop)
    }

    /// Adds a recipient.
    pub(super) async fn recipient(&mut self, address: &Address) -> Result<(), SmtpError> {
        let command = Rcpt::new(address.clone(), Vec::new());
        self.command(command).await.map(drop)
    }

    /// Sends everything of a message but the dot that ends it: nothing is delivered yet.
    pub(super) async fn body(&mut self, message: &[u8]) -> Result<(), SmtpError> {
        self.command(Data).await?;
        self.stream.write_all(&stuffed(message)).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Fails when the server has given up since the body was sent: then a dot would tell nothing.
    pub(super) async fn still_listens(&mut self) -> Result<(), SmtpError> {
        match tokio::time::timeout(Duration::ZERO, self.stream.fill_buf()).await {
            Err(_) => Ok(()),
            Ok(Ok([])) => Err(SmtpError::Closed),
            Ok(Ok(_)) => self.reply().await.and(Err(SmtpError::Garbled)),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    /// Sends the dot. After a success the server may have the message, whatever happens next; a
    /// failure means that it cannot have it.
    pub(super) async fn dot(&mut self) -> Result<(), SmtpError> {
        self.stream.write_all(b".\r\n").await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Reads one answer; a negative one is an error.
    pub(super) async fn reply(&mut self) -> Result<Response, SmtpError> {
        let mut text = String::new();
        for _ in 0..MAX_REPLY_LINES {
            let mut line = Vec::new();
            let mut limited = (&mut self.stream).take(MAX_REPLY_LINE_BYTES);
            limited.read_until(b'\n', &mut line).await?;
            match line.last() {
                None => return Err(SmtpError::Closed),
                Some(b'\n') => {}
                Some(_) => return Err(SmtpError::Garbled),
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            text.push_str(line);
            // A code alone is a complete answer (RFC 5321, 4.2), but not to the parser.
            text.push_str(if line.len() == 3 { " \r\n" } else { "\r\n" });
            if is_last {
                let response: Response = text.parse().map_err(|_| SmtpError::Garbled)?;
                return match Reply::of(&response) {
                    Some(refusal) => Err(SmtpError::Refused(refusal)),
                    None => Ok(response),
                };
            }
        }
        Err(SmtpError::Garbled)
    }

    fn over(stream: Box<dyn Stream>) -> Self {
        Self {
            stream: BufReader::new(stream),
            server: ServerInfo::default(),
        }
    }

    async fn command(&mut self, command: impl Display) -> Result<Response, SmtpError> {
        self.stream
            .write_all(command.to_string().as_bytes())
            .await?;
        self.stream.flush().await?;
        self.reply().await
    }

    async fn hello(&mut self, config: &SmtpConfig) -> Result<(), SmtpError> {
        let hello = Ehlo::new(ClientId::Domain(config.hello.clone()));
        let response = self.command(hello).await?;
        self.server = ServerInfo::from_response(&response).map_err(|_| SmtpError::Garbled)?;
        Ok(())
    }

    async fn upgrade(mut self, config: &SmtpConfig, tls: &TlsConnector) -> Result<Self, SmtpError> {
        if !self.server.supports_feature(Extension::StartTls) {
            return Err(SmtpError::NoStartTls);
        }
        self.command(Starttls).await?;
        if !self.stream.buffer().is_empty() {
            // Somebody in between put words into the server's mouth before TLS began.
            return Err(SmtpError::Garbled);
        }
        let secured = secure(self.stream.into_inner(), config, tls).await?;
        let mut connection = Self::over(Box::new(secured));
        connection.hello(config).await?;
        Ok(connection)
    }

    async fn authenticate(&mut self, config: &SmtpConfig) -> Result<(), SmtpError> {
        let Some(credentials) = &config.credentials else {
            return Ok(());
        };
        let mechanism = self.server.get_auth_mechanism(DEFAULT_MECHANISMS);
        let mechanism = mechanism.ok_or(SmtpError::NoAuthentication)?;
        let first = Auth::new(mechanism, credentials.clone(), None);
        let mut response = self
            .command(first.map_err(|_| SmtpError::NoAuthentication)?)
            .await?;
        // LOGIN asks for the name and then for the password; PLAIN asks nothing.
        let questions = if mechanism == Mechanism::Login { 2 } else { 0 };
        for _ in 0..questions {
            let answer = Auth::new_from_response(mechanism, credentials.clone(), &response);
            response = self
                .command(answer.map_err(|_| SmtpError::Garbled)?)
                .await?;
        }
        Ok(())
    }
}

impl Reply {
    fn of(response: &Response) -> Option<Self> {
        let is_permanent = match response.code().severity {
            Severity::PositiveCompletion | Severity::PositiveIntermediate => return None,
            Severity::TransientNegativeCompletion => false,
            // Not about the mail: the server wants another sign-in (RFC 4954, 4 and 6).
            Severity::PermanentNegativeCompletion => {
                ![530, 534, 535, 538].contains(&u16::from(response.code()))
            }
        };
        let words: Vec<_> = response.message().collect();
        let text = format!("{} {}", response.code(), words.join(" "));
        Some(Self {
            is_permanent,
            text: text
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_KEPT_CHARS)
                .collect(),
        })
    }
}

impl Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

async fn secure<S: Stream>(
    stream: S,
    config: &SmtpConfig,
    tls: &TlsConnector,
) -> Result<tokio_rustls::client::TlsStream<S>, SmtpError> {
    let name = ServerName::try_from(config.host.clone())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(tls.connect(name, stream).await?)
}

/// The message with its lines' leading dots doubled (RFC 5321, 4.5.2), ending in a line break.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_a_mail_does_not_end_it() {
        assert_eq!(
            stuffed(b"a\r\n.\r\n..b\r\n.c"),
            b"a\r\n..\r\n...b\r\n..c\r\n"
        );
        assert_eq!(stuffed(b""), b"\r\n");
    }
}
