//! Where connections come from: a port, or a Unix socket.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::PathBuf,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

/// Something that connections come from.
pub trait Listen: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// What is known of the one who connected.
    type Peer: Into<Option<SocketAddr>> + Copy + Send + Sync + 'static;

    /// Waits for the next connection.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = self.accept().await?;
        // Small writes must not wait for the acknowledgement of earlier ones.
        socket.set_nodelay(true).ok();
        Ok((socket, peer))
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;
    type Peer = Option<SocketAddr>;

    async fn next(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        self.accept().await.map(|(socket, _)| (socket, None))
    }
}

/// A Unix socket to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Where it is.
    pub path: PathBuf,
    /// Who may connect, as the mode of a file.
    pub mode: u32,
}

impl UnixSocket {
    /// Listens there, in place of the socket that an earlier process left behind.
    pub fn bind(&self) -> io::Result<UnixListener> {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(&self.path)?;
        }
        let listener = UnixListener::bind(&self.path)?;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(self.mode))?;
        Ok(listener)
    }
}
