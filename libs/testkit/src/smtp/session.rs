//! One conversation, as the server was told to behave.

use std::{io, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use smtp_proto::Request;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::{Behaviour, Mail, State, Tls, lock};

/// Serves one client to the end.
pub(super) async fn serve(socket: TcpStream, state: &State) -> io::Result<()> {
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
