//! One connection and the batches it runs.

use std::io;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::{
    backend::Message,
    frontend::{self, BindError},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    Failure, Notification, Outcome, Row, ServerError, Statement,
    cache::{Cache, Lookup},
    stream::Stream,
};

/// Read and write buffers start at this size.
const BUFFER_BYTES: usize = 8 * 1024;
/// A buffer that grew beyond this for one large body is given back afterwards.
const KEPT_BUFFER_BYTES: usize = 64 * 1024;

/// Room is made for no more than this at a time, whatever a message says its length is. Up to here
/// a message has one buffer that never moves.
const MOST_READ_BYTES: usize = 64 * 1024 * 1024;

/// What identifies a connection to the server that should cancel its work.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CancelKey {
    pub(super) process_id: i32,
    pub(super) secret_key: i32,
}

/// An open, authenticated connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    incoming: BytesMut,
    /// Whether what arrived needed a large buffer.
    has_grown: bool,
    outgoing: BytesMut,
    cache: Cache,
    cancel_key: CancelKey,
    /// Whether a batch was sent whose end was not seen.
    in_flight: bool,
    /// Whether the server said it is inside a transaction.
    in_transaction: bool,
    /// The last notification that nobody has asked for.
    notified: Option<Notification>,
}

/// Where the reading of a batch's answer is.
struct Progress<'a> {
    /// Statements that ended.
    done: usize,
    /// Whether the current statement was bound.
    bound: bool,
    /// Statements sent for parsing, those to keep by their text.
    parsing: Vec<Option<&'a str>>,
    /// How many of them the server accepted.
    parsed: usize,
    /// Positions of statements that were prepared before.
    known: Vec<usize>,
    error: Option<ServerError>,
}

impl Connection {
    pub(super) fn new(stream: Stream, cached_statements: usize) -> Self {
        Self {
            stream,
            incoming: BytesMut::with_capacity(BUFFER_BYTES),
            has_grown: false,
            outgoing: BytesMut::with_capacity(BUFFER_BYTES),
            cache: Cache::new(cached_statements),
            cancel_key: CancelKey::default(),
            in_flight: false,
            in_transaction: false,
            notified: None,
        }
    }

    /// Runs statements as one transaction (unless one is open already) in one round trip.
    pub async fn run(&mut self, batch: &[Statement<'_>]) -> Result<Vec<Outcome>, Failure> {
        let mut outcomes = vec![Outcome::default(); batch.len()];
        self.run_each(batch, |index, row| {
            if let Some(outcome) = outcomes.get_mut(index) {
                outcome.rows.push(row);
            }
        })
        .await?;
        Ok(outcomes)
    }

    /// Like [`Self::run`], but hands over each row with its statement's position as it arrives.
    pub async fn run_each(
        &mut self,
        batch: &[Statement<'_>],
        on_row: impl FnMut(usize, Row),
    ) -> Result<(), Failure> {
        let mut progress = Progress {
            done: 0,
            bound: false,
            parsing: Vec::new(),
            parsed: 0,
            known: Vec::new(),
            error: None,
        };
        if let Err(error) = self.encode(batch, &mut progress) {
            self.outgoing.clear();
            self.forget_unparsed(&progress);
            return Err(error);
        }
        self.in_flight = true;
        self.send().await?;
        self.receive(&mut progress, on_row).await?;
        self.forget_unparsed(&progress);
        progress.error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Waits for the next notification; of those that arrived meanwhile, the last counts.
    pub async fn notification(&mut self) -> Result<Notification, Failure> {
        loop {
            if let Some(notification) = self.notified.take() {
                return Ok(notification);
            }
            if let Message::NotificationResponse(body) = self.next_message().await? {
                self.notified = Some(Notification::read(&body));
            }
        }
    }

    /// Drops everything prepared, for instance because the tables below changed.
    pub fn forget_statements(&mut self) {
        self.cache.clear();
    }

    /// Drops everything prepared, and keeps up to `most` statements prepared from now on.
    pub(super) fn keep_statements(&mut self, most: usize) {
        self.cache.resize(most);
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Whether it is between transactions, with nothing outstanding.
    pub(super) fn is_idle(&self) -> bool {
        !self.in_flight && !self.in_transaction && self.incoming.is_empty()
    }

    /// Whether it may serve someone else: idle, and the server has not hung up.
    pub(super) fn is_reusable(&self) -> bool {
        self.is_idle() && self.stream.is_quiet()
    }

    /// The key to cancel what runs now, if something does.
    pub(super) fn running(&self) -> Option<CancelKey> {
        self.in_flight.then_some(self.cancel_key)
    }

    pub(super) fn set_cancel_key(&mut self, key: CancelKey) {
        self.cancel_key = key;
    }

    pub(super) fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    pub(super) async fn send(&mut self) -> Result<(), Failure> {
        let mut sent = self.stream.write_all(&self.outgoing).await;
        if sent.is_ok() {
            sent = self.stream.flush().await;
        }
        if self.outgoing.capacity() > KEPT_BUFFER_BYTES {
            self.outgoing = BytesMut::with_capacity(BUFFER_BYTES);
        } else {
            self.outgoing.clear();
        }
        sent.map_err(Failure::Lost)
    }

    pub(super) async fn next_message(&mut self) -> Result<Message, Failure> {
        loop {
            let parsed = Message::parse(&mut self.incoming)
                .map_err(|_| Failure::Protocol("unreadable message"))?;
            if let Some(message) = parsed {
                return Ok(message);
            }
            let missing = self.missing_bytes();
            self.has_grown |= missing > KEPT_BUFFER_BYTES;
            self.incoming.reserve(missing);
            let read = self.stream.read_buf(&mut self.incoming).await;
            if read.map_err(Failure::Lost)? == 0 {
                return Err(Failure::Lost(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Lets go of a large buffer, which lives on only as long as somebody holds what arrived in it.
    fn give_back(&mut self) {
        if self.has_grown && self.incoming.is_empty() {
            self.incoming = BytesMut::with_capacity(BUFFER_BYTES);
            self.has_grown = false;
        }
    }

    /// How much to make room for: what the message that has begun to arrive still lacks, so that a
    /// large one takes few reads, within bounds.
    fn missing_bytes(&self) -> usize {
        let head = self.incoming.get(1..).and_then(<[u8]>::first_chunk);
        let length = head.map_or(0, |length| u32::from_be_bytes(*length));
        let whole = usize::try_from(length).unwrap_or_default() + 1;
        let missing = whole.saturating_sub(self.incoming.len());
        missing.clamp(BUFFER_BYTES / 2, MOST_READ_BYTES)
    }

    fn encode<'a>(
        &mut self,
        batch: &[Statement<'a>],
        progress: &mut Progress<'a>,
    ) -> Result<(), Failure> {
        let Self {
            cache, outgoing, ..
        } = self;
        let params = batch.iter().flat_map(|statement| statement.params);
        let bytes = params.map(|param| param.bytes().map_or(0, <[u8]>::len));
        outgoing.reserve(bytes.sum());
        for id in cache.take_closing() {
            frontend::close(b'S', &statement_name(id), outgoing).map_err(Failure::Unsendable)?;
        }
        for (position, statement) in batch.iter().enumerate() {
            let (name, is_new) = match cache.look_up(statement.sql, statement.keep) {
                Lookup::Known(id) => (statement_name(id), false),
                Lookup::New(id) => (statement_name(id), true),
                Lookup::Unkept => (String::new(), true),
            };
            if is_new {
                let kept = !name.is_empty();
                progress.parsing.push(kept.then_some(statement.sql));
                frontend::parse(&name, statement.sql, [], outgoing).map_err(Failure::Unsendable)?;
            } else {
                progress.known.push(position);
            }
            bind(&name, statement, outgoing)?;
            frontend::execute("", 0, outgoing).map_err(Failure::Unsendable)?;
        }
        frontend::sync(outgoing);
        Ok(())
    }

    fn forget_unparsed(&mut self, progress: &Progress<'_>) {
        for sql in progress.parsing.iter().skip(progress.parsed).flatten() {
            self.cache.forget(sql);
        }
    }

    async fn receive(
        &mut self,
        progress: &mut Progress<'_>,
        mut on_row: impl FnMut(usize, Row),
    ) -> Result<(), Failure> {
        loop {
            let message = match self.next_message().await {
                Ok(message) => message,
                // A server that ends the connection says why first.
                Err(lost) => return Err(progress.error.take().map_or(lost, Failure::from)),
            };
            match message {
                Message::ParseComplete => progress.parsed += 1,
                Message::BindComplete => progress.bound = true,
                Message::DataRow(body) => {
                    on_row(progress.done, Row::new(body.buffer_bytes().clone()));
                    // Thousands of rows may have arrived together; others want this thread too.
                    tokio::task::coop::consume_budget().await;
                }
                Message::CommandComplete(_) | Message::EmptyQueryResponse => {
                    progress.done += 1;
                    progress.bound = false;
                }
                Message::ErrorResponse(body) => {
                    let mut error = ServerError::read(&body)?;
                    error.statement = progress.done;
                    error.began = progress.bound;
                    error.was_prepared = progress.known.contains(&progress.done);
                    progress.error.get_or_insert(error);
                }
                Message::ReadyForQuery(body) => {
                    self.in_flight = false;
                    self.in_transaction = body.status() != b'I';
                    self.give_back();
                    return Ok(());
                }
                Message::NotificationResponse(body) => {
                    self.notified = Some(Notification::read(&body));
                }
                Message::CloseComplete
                | Message::NoticeResponse(_)
                | Message::ParameterStatus(_) => {}
                _ => return Err(Failure::Protocol("unexpected message")),
            }
        }
    }
}

fn statement_name(id: u32) -> String {
    format!("s{id}")
}

fn bind(name: &str, statement: &Statement<'_>, outgoing: &mut BytesMut) -> Result<(), Failure> {
    let bound = frontend::bind(
        "",
        name,
        statement.params.iter().map(|param| param.format().code()),
        statement.params,
        |param, buffer| match param.bytes() {
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        },
        statement.columns.iter().map(|format| format.code()),
        outgoing,
    );
    bound.map_err(|error| match error {
        BindError::Serialization(error) => Failure::Unsendable(error),
        BindError::Conversion(_) => Failure::Protocol("a parameter cannot be encoded"),
    })
}
