//! A mail server that keeps what it is given, and misbehaves when told to.

mod session;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::wait;

/// A mail server on a free loopback port. It ends with this value.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinSet<()>,
}

/// A mail that was delivered: the server became responsible for it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Sender of the envelope.
    pub from: String,
    /// Recipients of the envelope.
    pub recipients: Vec<String>,
    /// The message, transparency dots removed.
    pub message: Vec<u8>,
    /// Whether it came over TLS.
    pub is_encrypted: bool,
    /// Who had signed in.
    pub login: Option<String>,
}

/// What a server offers.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How its connections are protected.
    pub tls: Tls,
    /// Name and password that it wants.
    pub login: Option<(String, String)>,
    /// Lines of its answer to EHLO, such as `AUTH LOGIN`.
    pub extensions: Vec<&'static str>,
}

/// Protection of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// None is offered.
    #[default]
    None,
    /// On request.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// How the server behaves from now on.
#[derive(Clone, Debug, Default)]
pub enum Behaviour {
    /// Well.
    #[default]
    Good,
    /// Gives `answer` to every line that contains `request`, such as `RCPT` or `bob@example.com`.
    /// The dot that ends a message is the request `.`, and the greeting answers an empty one.
    Answers {
        /// Part of the line.
        request: &'static str,
        /// The whole answer.
        answer: &'static str,
    },
    /// Closes the connection where it should read a message: nothing is delivered.
    DiesInData,
    /// Delivers a message and closes the connection without an answer.
    DiesAfterDot,
    /// Delivers a message, and does not answer before it behaves otherwise.
    HangsAfterDot,
    /// Does not answer to `DATA` before it behaves otherwise.
    HangsBeforeData,
    /// Waits before each answer.
    Slow(Duration),
}

#[derive(Debug)]
struct State {
    options: Options,
    certificate: String,
    tls: Arc<ServerConfig>,
    behaviour: watch::Sender<Behaviour>,
    mails: Mutex<Vec<Mail>>,
    connections: AtomicUsize,
    lines: Mutex<Vec<String>>,
}

impl Sink {
    /// Starts a server that takes everything.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts a server with `options`.
    pub async fn with(options: Options) -> Self {
        let (certificate, tls) = tls();
        let state = State {
            options,
            certificate,
            tls,
            behaviour: watch::Sender::default(),
            mails: Mutex::default(),
            connections: AtomicUsize::new(0),
            lines: Mutex::default(),
        };
        let mut sink = Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            state: Arc::new(state),
            serving: JoinSet::new(),
        };
        sink.revive().await;
        sink
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of its TLS, in PEM.
    pub fn certificate(&self) -> &str {
        &self.state.certificate
    }

    /// What was delivered so far.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.state.mails).clone()
    }

    /// Waits until `count` mails are delivered, and gives them.
    pub async fn delivered(&self, count: usize) -> Vec<Mail> {
        wait::eventually("mails are delivered", Duration::from_secs(20), async || {
            Some(self.mails()).filter(|mails| mails.len() >= count)
        })
        .await
    }

    /// Waits until it has read a line that contains `text`, be it a request or part of a message.
    pub async fn reads(&self, text: &str) {
        wait::eventually("a line arrives", Duration::from_secs(20), async || {
            let lines = lock(&self.state.lines);
            lines.iter().any(|line| line.contains(text)).then_some(())
        })
        .await;
    }

    /// Connections that were made so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Makes it behave otherwise, from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state.behaviour.send_replace(behaviour);
    }

    /// Ends it and all its connections; what was delivered stays.
    pub async fn kill(&mut self) {
        self.serving.shutdown().await;
    }

    /// Starts it again where it was.
    pub async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address)
            .await
            .expect("the port is free");
        self.address = listener.local_addr().expect("a listener has an address");
        let state = Arc::clone(&self.state);
        self.serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                state.connections.fetch_add(1, Ordering::Relaxed);
                let state = Arc::clone(&state);
                // An error is a client that left, or was made to.
                connections.spawn(async move { drop(session::serve(socket, &state).await) });
            }
        });
    }
}

/// A certificate for this machine that nobody else trusts.
fn tls() -> (String, Arc<ServerConfig>) {
    let names = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
    let signed = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("the provider knows the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .expect("a certificate fits its key");
    (signed.cert.pem(), Arc::new(config))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
