//! Opening and authenticating connections.

use std::io;

use bytes::BytesMut;
use postgres_protocol::{
    authentication::{
        self,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{
        backend::{AuthenticationSaslBody, Message},
        frontend,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_postgres::fallible_iterator::FallibleIterator;

use super::{
    Connection, Failure, ServerError, Target, connection::CancelKey, stream::Stream,
    target::Address, tls::Tls,
};

/// Opens a connection that keeps up to `cached_statements` statements prepared.
pub(super) async fn connect(
    target: &Target,
    cached_statements: usize,
) -> Result<Connection, Failure> {
    let attempt = async {
        let stream = open(target).await.map_err(absent)?;
        let mut connection = Connection::new(stream, cached_statements);
        let written = frontend::startup_message(target.parameters(), connection.outgoing());
        written.map_err(Failure::Unsendable)?;
        connection.send().await?;
        authenticate(&mut connection, target).await?;
        Ok(connection)
    };
    match timeout(target.connect_timeout(), attempt).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error @ Failure::Connect(_))) => Err(error),
        Ok(Err(error)) => Err(Failure::Connect(error.into())),
        Err(_) => Err(Failure::Connect("timeout expired".into())),
    }
}

/// Asks the server to cancel what the connection with this key runs.
pub(super) async fn cancel(target: &Target, key: CancelKey) -> Result<(), Failure> {
    let attempt = async {
        let mut stream = open(target).await.map_err(absent)?;
        let mut message = BytesMut::new();
        frontend::cancel_request(key.process_id, key.secret_key, &mut message);
        stream.write_all(&message).await.map_err(Failure::Lost)?;
        stream.flush().await.map_err(Failure::Lost)?;
        stream.shutdown().await.map_err(Failure::Lost)
    };
    let limit = target.connect_timeout();
    timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| Err(Failure::Connect("timeout expired".into())))
}

impl Target {
    /// A stream to the first server that can be reached, encrypted as the connection string says: for a
    /// driver that is to speak on it with [`Target::config`] and without encryption of its own.
    pub async fn open(&self) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        open(self).await
    }
}

fn absent(error: io::Error) -> Failure {
    Failure::Connect(error.into())
}

async fn open(target: &Target) -> io::Result<Stream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in target.addresses() {
        match open_address(&address, target.tls()).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn open_address(address: &Address, tls: Option<&Tls>) -> io::Result<Stream> {
    let (host, port) = match address {
        Address::Tcp(host, port) => (host.as_str(), *port),
        Address::Unix(path) => return UnixStream::connect(path).await.map(Stream::Unix),
    };
    let stream = open_tcp(host, port).await?;
    let Some(tls) = tls else {
        return Ok(Stream::Tcp(stream));
    };
    match tls.encrypt(stream, host).await {
        Err(_) if tls.is_optional() => open_tcp(host, port).await.map(Stream::Tcp),
        encrypted => encrypted,
    }
}

async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn authenticate(connection: &mut Connection, target: &Target) -> Result<(), Failure> {
    loop {
        match connection.next_message().await? {
            Message::AuthenticationOk
            | Message::ParameterStatus(_)
            | Message::NoticeResponse(_) => {}
            Message::AuthenticationCleartextPassword => {
                send_password(connection, password(target)?).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let user = target.user().as_bytes();
                let hash = authentication::md5_hash(user, password(target)?, body.salt());
                send_password(connection, hash.as_bytes()).await?;
            }
            Message::AuthenticationSasl(body) => {
                authenticate_scram(connection, &body, password(target)?).await?;
            }
            Message::BackendKeyData(body) => connection.set_cancel_key(CancelKey {
                process_id: body.process_id(),
                secret_key: body.secret_key(),
            }),
            Message::ReadyForQuery(_) => return Ok(()),
            Message::ErrorResponse(body) => return Err(ServerError::read(&body)?.into()),
            _ => return Err(Failure::Protocol("unsupported authentication method")),
        }
    }
}

fn password(target: &Target) -> Result<&[u8], Failure> {
    let missing = || Failure::Connect("the server wants a password and none is configured".into());
    target.password().ok_or_else(missing)
}

async fn send_password(connection: &mut Connection, password: &[u8]) -> Result<(), Failure> {
    let written = frontend::password_message(password, connection.outgoing());
    written.map_err(Failure::Unsendable)?;
    connection.send().await
}

async fn authenticate_scram(
    connection: &mut Connection,
    offer: &AuthenticationSaslBody,
    password: &[u8],
) -> Result<(), Failure> {
    let refused = |error: io::Error| Failure::Connect(error.into());
    let offered = offer
        .mechanisms()
        .any(|mechanism| Ok(mechanism == SCRAM_SHA_256));
    if !offered.map_err(refused)? {
        return Err(Failure::Protocol("unsupported SASL mechanism"));
    }
    let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
    let first =
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), connection.outgoing());
    first.map_err(Failure::Unsendable)?;
    connection.send().await?;

    match connection.next_message().await? {
        Message::AuthenticationSaslContinue(body) => scram.update(body.data()).map_err(refused)?,
        Message::ErrorResponse(body) => return Err(ServerError::read(&body)?.into()),
        _ => {
            return Err(Failure::Protocol(
                "unexpected message during authentication",
            ));
        }
    }
    let proof = frontend::sasl_response(scram.message(), connection.outgoing());
    proof.map_err(Failure::Unsendable)?;
    connection.send().await?;

    match connection.next_message().await? {
        Message::AuthenticationSaslFinal(body) => scram.finish(body.data()).map_err(refused),
        Message::ErrorResponse(body) => Err(ServerError::read(&body)?.into()),
        _ => Err(Failure::Protocol(
            "unexpected message during authentication",
        )),
    }
}
