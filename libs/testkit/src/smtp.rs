//! A mail server that keeps what it is given, and misbehaves when told to.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use smtp_proto::Request;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

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
                connections.spawn(async move { drop(serve(socket, &state).await) });
            }
        });
    }
}

async fn serve(socket: TcpStream, state: &State) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::clone(&state.tls));
    if state.options.tls == Tls::Implicit {
        let secured = acceptor.accept(socket).await?;
        Session::new(secured, state, true).run().await?;
        return Ok(());
    }
    let mut plain = Session::new(socket, state, false);
    if plain.run().await? == Next::StartTls {
        let secured = acceptor.accept(plain.stream.into_inner()).await?;
        let mut secured = Session::new(secured, state, true);
        secured.is_greeted = true;
        secured.run().await?;
    }
    Ok(())
}

/// One conversation.
struct Session<'a, S> {
    stream: BufReader<S>,
    state: &'a State,
    is_encrypted: bool,
    is_greeted: bool,
    login: Option<String>,
    from: String,
    recipients: Vec<String>,
}

/// How a conversation ended.
#[derive(PartialEq, Eq)]
enum Next {
    Nothing,
    StartTls,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    fn new(stream: S, state: &'a State, is_encrypted: bool) -> Self {
        Self {
            stream: BufReader::new(stream),
            state,
            is_encrypted,
            is_greeted: false,
            login: None,
            from: String::new(),
            recipients: Vec::new(),
        }
    }

    async fn run(&mut self) -> io::Result<Next> {
        if !self.is_greeted {
            self.answer("", "220 sink").await?;
        }
        loop {
            let line = self.line().await?;
            let Ok(request) = Request::parse(&mut line.as_bytes().iter()) else {
                self.answer(&line, "500 what?").await?;
                continue;
            };
            match request {
                Request::Ehlo { .. } => self.hello(&line).await?,
                Request::StartTls => {
                    self.answer(&line, "220 go on").await?;
                    return Ok(Next::StartTls);
                }
                Request::Auth { .. } => self.authenticate(&line).await?,
                Request::Mail { from } => {
                    let wants_login = self.state.options.login.is_some() && self.login.is_none();
                    let answer = if wants_login {
                        "530 5.7.0 sign in"
                    } else {
                        "250 ok"
                    };
                    self.from = from.address.into_owned();
                    self.recipients.clear();
                    self.answer(&line, answer).await?;
                }
                Request::Rcpt { to } => {
                    if self.answer(&line, "250 ok").await? {
                        self.recipients.push(to.address.into_owned());
                    }
                }
                Request::Data => self.data(&line).await?,
                Request::Quit => {
                    self.answer(&line, "221 bye").await?;
                    return Ok(Next::Nothing);
                }
                _ => drop(self.answer(&line, "250 ok").await?),
            }
        }
    }

    async fn hello(&mut self, line: &str) -> io::Result<()> {
        let mut offers = self.state.options.extensions.clone();
        if self.state.options.tls == Tls::StartTls && !self.is_encrypted {
            offers.push("STARTTLS");
        }
        let mut lines = vec!["250-sink".to_owned()];
        lines.extend(offers.iter().map(|offer| format!("250-{offer}")));
        lines.push("250 HELP".to_owned());
        self.answer(line, &lines.join("\r\n")).await?;
        Ok(())
    }

    async fn authenticate(&mut self, line: &str) -> io::Result<()> {
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let words: Vec<_> = line.split_whitespace().collect();
        let given = if let ["AUTH", "PLAIN", response] = words.as_slice() {
            let response = decode(response);
            let mut parts = response.split('\0').skip(1).map(str::to_owned);
            parts.next().zip(parts.next())
        } else {
            self.answer(line, "334 VXNlcm5hbWU6").await?;
            let name = self.line().await?;
            self.answer("", "334 UGFzc3dvcmQ6").await?;
            Some((decode(&name), decode(&self.line().await?)))
        };
        if given.is_some() && given == self.state.options.login {
            self.login = given.map(|(name, _)| name);
            self.answer("", "235 welcome").await?;
        } else {
            self.answer("", "535 5.7.8 no").await?;
        }
        Ok(())
    }

    async fn data(&mut self, line: &str) -> io::Result<()> {
        self.freed_from(|behaviour| matches!(behaviour, Behaviour::HangsBeforeData))
            .await;
        if !self.answer(line, "354 go on").await? {
            return Ok(());
        }
        if matches!(self.behaviour(), Behaviour::DiesInData) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut message = Vec::new();
        loop {
            let line = self.line().await?;
            if line == ".\r\n" {
                break;
            }
            message.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
        }
        let behaviour = self.behaviour();
        if let Behaviour::Answers {
            request: ".",
            answer,
        } = behaviour
        {
            self.say(answer).await?;
            return Ok(());
        }
        lock(&self.state.mails).push(Mail {
            from: self.from.clone(),
            recipients: self.recipients.clone(),
            message,
            is_encrypted: self.is_encrypted,
            login: self.login.clone(),
        });
        if matches!(behaviour, Behaviour::DiesAfterDot) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.freed_from(|behaviour| matches!(behaviour, Behaviour::HangsAfterDot))
            .await;
        self.say("250 delivered").await
    }

    /// Waits until it no longer behaves in a certain way.
    async fn freed_from(&self, mut is_such: impl FnMut(&Behaviour) -> bool) {
        let mut behaviour = self.state.behaviour.subscribe();
        // Only a server that is gone can no longer be told.
        behaviour.wait_for(|now| !is_such(now)).await.ok();
    }

    /// Answers as it should, or as it was told to; tells whether the answer was positive.
    async fn answer(&mut self, request: &str, usual: &str) -> io::Result<bool> {
        let answer = match self.behaviour() {
            Behaviour::Answers {
                request: told,
                answer,
            } if (told.is_empty() && request.is_empty())
                || (!told.is_empty() && told != "." && request.contains(told)) =>
            {
                answer
            }
            Behaviour::Slow(pause) => {
                tokio::time::sleep(pause).await;
                usual
            }
            _ => usual,
        };
        self.say(answer).await?;
        Ok(answer.starts_with(['2', '3']))
    }

    async fn say(&mut self, answer: &str) -> io::Result<()> {
        self.stream
            .write_all(format!("{answer}\r\n").as_bytes())
            .await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        lock(&self.state.lines).push(line.clone());
        Ok(line)
    }

    fn behaviour(&self) -> Behaviour {
        self.state.behaviour.borrow().clone()
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
