//! A TCP proxy that misbehaves on command.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Stands between a client and a server, in front of `target`.
///
/// It ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    _tasks: JoinSet<()>,
}

/// What the proxy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Forwards in both directions.
    Forward,
    /// Accepts and keeps connections, and forwards nothing.
    Hang,
    /// Does not listen, and has closed its connections.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// How often connections were cut so far; one that is older than the last cut ends.
    cuts: u32,
}

impl Proxy {
    /// A proxy for the server at `target`, on a port of its own.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, receiver) = watch::channel(State {
            mode: Mode::Forward,
            cuts: 0,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, target, receiver));
        Ok(Self {
            address,
            state,
            _tasks: tasks,
        })
    }

    /// A proxy for a server on this machine.
    pub async fn to_port(port: u16) -> Result<Self> {
        Self::start((Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port clients connect to, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Works as it should; connections that hung go on.
    pub fn forward(&self) {
        self.change(Mode::Forward);
    }

    /// Lets everything hang: connections are accepted and stay open, nothing gets through.
    pub fn hang(&self) {
        self.change(Mode::Hang);
    }

    /// Closes all connections and refuses new ones, as when nobody listens.
    pub fn refuse(&self) {
        self.change(Mode::Refuse);
    }

    /// Closes all connections; new ones are served as before.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    fn change(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }
}

/// Accepts connections while the mode allows it.
async fn listen(listener: TcpListener, target: SocketAddr, mut state: watch::Receiver<State>) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refuses = state.borrow_and_update().mode == Mode::Refuse;
        listener = match listener {
            Some(_) if refuses => None,
            None if !refuses => TcpListener::bind(address).await.ok(),
            unchanged => unchanged,
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            client = accept(listener.as_ref()) => {
                connections.spawn(serve(client, target, state.clone()));
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// The next client; never, when nobody listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            Some(listener) => match listener.accept().await {
                Ok((client, _)) => return client,
                Err(_) => tokio::task::yield_now().await,
            },
            None => std::future::pending().await,
        }
    }
}

/// Serves one connection until it ends by itself or is cut.
async fn serve(mut client: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let mut forwarding = std::pin::pin!(async {
        let mut server = TcpStream::connect(target).await?;
        copy_bidirectional(&mut client, &mut server).await
    });
    loop {
        let now = *state.borrow_and_update();
        if now.mode == Mode::Refuse || now.cuts != cuts {
            return;
        }
        tokio::select! {
            _ = &mut forwarding, if now.mode == Mode::Forward => return,
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}
