//! A request's life, from its first header to the log line.

use std::{sync::Arc, time::Duration};

use common::{
    context::{REQUEST_ID, RequestContext, TRACEPARENT},
    identity::Verifier,
    lifecycle::Lifecycle,
};
use http::{HeaderValue, Method, StatusCode};
use tokio::time::Instant;

use crate::{
    access::{Entry, Meters},
    admission::{self, Caller, Credentials},
    body::Incoming,
    client_address::{Client, Peer, TrustedProxies},
    cors::{self, Access, Cors},
    headers::{self, Found},
    http1::RequestHead,
    keys::Keys,
    limits::{self, Limit, Limits, Subject, Verdict},
    message::{Request, Response},
    onward::{self, Departure},
    operations,
    refusal::Refusal,
    respond,
    routes::{Route, Routes, path},
    tls::PlainDoor,
    tunnel,
    upstream::Upstreams,
    workers::{Handed, PerWorker},
};

/// The door: what every request passes.
#[derive(Debug)]
pub(crate) struct Proxy {
    table: PerWorker<Table>,
    pub(crate) upstreams: Upstreams,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) limits: Limits,
    /// Answers what comes without TLS, when there is TLS.
    plain: Option<PlainDoor>,
    unmatched: Meters,
    wrong_keys: u64,
    consumers: u64,
}

/// What a reload replaces.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) routes: Routes,
    pub(crate) keys: Keys,
    pub(crate) cors: Cors,
    pub(crate) proxies: TrustedProxies,
    pub(crate) hsts: Option<HeaderValue>,
    /// Verifies users' tokens, where limits are by user.
    pub(crate) verifier: Verifier,
    /// Wrong keys an address may present before it is told to wait.
    pub(crate) wrong_keys: Limit,
}

/// A request on its way, and what was found out about it.
pub(crate) struct Exchange<'t> {
    pub(crate) context: RequestContext,
    pub(crate) access: Access<'t>,
    /// Whether the response would be another for another origin.
    pub(crate) varies: bool,
    pub(crate) verdict: Option<Verdict>,
    /// Time the upstream took.
    upstream: Option<Duration>,
    /// Time until it answered.
    answered: Option<Duration>,
    method: &'t Method,
    route: Option<&'t Route>,
    consumer: Option<usize>,
    keys: &'t Keys,
    unmatched: &'t Meters,
    /// Of the response, once there is one.
    status: Option<StatusCode>,
}

impl Proxy {
    /// A door with `table`.
    pub(crate) fn new(
        table: Table,
        upstreams: Upstreams,
        limits: Limits,
        plain: Option<PlainDoor>,
        lifecycle: Lifecycle,
    ) -> Self {
        Self {
            table: PerWorker::new(table),
            upstreams,
            lifecycle,
            limits,
            plain,
            unmatched: Meters::new("unmatched"),
            wrong_keys: limits::rule("wrong keys"),
            consumers: limits::rule("consumers"),
        }
    }

    /// The table in force.
    pub(crate) fn table(&self) -> Arc<Handed<Table>> {
        self.table.load()
    }

    /// Puts another table in force; requests under way finish with theirs.
    pub(crate) fn replace(&self, table: Table) {
        self.table.store(table);
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request, peer: Peer) -> Response {
        let table = self.table();
        let Request { head, body } = request;
        let mut exchange = Exchange::begin(&head, &table, &self.unmatched);
        let mut response = match self.pass(&table, &mut exchange, &head, body, peer).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(exchange.context.id()),
        };
        respond::decorate(&mut response.fields, &exchange, &table);
        exchange.status = Some(response.status);
        response
    }

    /// Answers what was no request.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Response {
        let table = self.table();
        let head = RequestHead::unreadable();
        let mut exchange = Exchange::begin(&head, &table, &self.unmatched);
        let mut response = refusal.response(exchange.context.id());
        respond::decorate(&mut response.fields, &exchange, &table);
        exchange.status = Some(response.status);
        response
    }

    async fn pass<'t>(
        &self,
        table: &'t Table,
        exchange: &mut Exchange<'t>,
        head: &'t RequestHead,
        body: Incoming,
        peer: Peer,
    ) -> Result<Response, Refusal> {
        let origin = head.fields.only("origin");
        exchange.access = table.cors.access(origin);
        exchange.varies = table.cors.varies();
        let found = Found::among(&head.fields)?;
        if !headers::is_served(&head.method) {
            return Err(Refusal::BadMethod);
        }
        let path = path::normalise(head.uri.path()).map_err(|_| Refusal::AmbiguousPath)?;
        if let Some(response) = self.speak_for_itself(&head.method, &path) {
            return Ok(response);
        }
        let host = onward::asked_host(head, &found).ok_or(Refusal::BadHeader)?;
        let client = table.proxies.client(peer, &found.forwarded);
        if let Some(plain) = self.plain.as_ref().filter(|_| !client.is_secure) {
            let answer = plain.answer(&path, &head.uri, host);
            return answer.ok_or(Refusal::BadHeader);
        }
        let route = &**table.routes.find(&path).ok_or(Refusal::NoRoute)?;
        exchange.route = Some(route);
        if let Some(cors) = &route.cors {
            exchange.access = cors.access(found.origin);
            exchange.varies = cors.varies();
        }
        if found.origin.is_some() && cors::is_preflight(&head.method, &head.fields) {
            return cors::preflight(exchange.access, &head.fields);
        }
        if !route.networks.allow(client.address) {
            return Err(Refusal::ForeignAddress);
        }
        let (query, query_key) = onward::split_key(head.uri.query());
        let credentials = Credentials::new(&found, query_key.as_deref());
        let admission = admission::decide(&table.keys, route, &credentials, &path);
        let admission = match admission {
            Ok(admission) => admission,
            Err(refusal) if credentials.are_wrong(refusal) => {
                Box::pin(self.count_wrong_key(table, exchange, client)).await?;
                return Err(refusal);
            }
            Err(refusal) => return Err(refusal),
        };
        exchange.consumer = admission.consumer;
        let caller = Caller {
            client,
            consumer: admission.consumer,
            token: found.authorization,
        };
        self.count(table, exchange, route, &caller).await?;
        if found
            .content_length
            .is_some_and(|length| length > route.max_body_bytes)
        {
            return Err(Refusal::TooLarge);
        }
        let is_handshake = tunnel::is_wanted(head, &found, route)?;
        if is_handshake && cors::is_foreign(exchange.access, found.origin, host) {
            return Err(Refusal::ForeignOrigin);
        }
        let departure = Departure {
            route,
            head,
            path: route.onward_path(&path),
            query: query.as_deref(),
            authorization: admission.authorization,
            client,
            host,
            found,
            is_handshake,
        };
        onward::send(departure, body, exchange).await
    }

    /// The answer, when the gateway itself is asked how it is.
    fn speak_for_itself(&self, method: &Method, path: &str) -> Option<Response> {
        if !path.starts_with("/health/") {
            return None;
        }
        operations::answer(method, path, &self.lifecycle, self.limits.are_degraded())
    }

    /// Counts the request against the limits of its route and of its consumer.
    async fn count(
        &self,
        table: &Table,
        exchange: &mut Exchange<'_>,
        route: &Route,
        caller: &Caller<'_>,
    ) -> Result<(), Refusal> {
        if let Some(limit) = route.limit {
            let subject = caller.subject(route, table);
            let verdict = self.limits.count(subject, limit).await;
            exchange.verdict = Some(verdict);
            verdict.or_refuse()?;
        }
        let consumer = caller.consumer.and_then(|index| table.keys.consumer(index));
        if let Some(consumer) = consumer
            && let Some(limit) = consumer.limit
        {
            let subject = Subject::named(self.consumers, &consumer.name);
            let verdict = self.limits.count(subject, limit).await;
            if exchange
                .verdict
                .is_none_or(|other| verdict.remaining < other.remaining)
            {
                exchange.verdict = Some(verdict);
            }
            verdict.or_refuse()?;
        }
        Ok(())
    }

    /// Counts a wrong key. A right one goes on working from the same address: keys cannot be
    /// guessed, and one client with a stale key must not shut its neighbours out.
    async fn count_wrong_key(
        &self,
        table: &Table,
        exchange: &mut Exchange<'_>,
        client: Client,
    ) -> Result<(), Refusal> {
        let subject = Subject::address(self.wrong_keys, client.address);
        let verdict = self.limits.count(subject, table.wrong_keys).await;
        exchange.verdict = Some(verdict);
        verdict.or_refuse()
    }
}

impl<'t> Exchange<'t> {
    fn begin(head: &'t RequestHead, table: &'t Table, unmatched: &'t Meters) -> Self {
        let id = head.fields.get(REQUEST_ID.as_str());
        let trace = head.fields.get(TRACEPARENT.as_str());
        Self {
            context: RequestContext::new(id, trace),
            access: Access::None,
            varies: false,
            verdict: None,
            upstream: None,
            answered: None,
            method: &head.method,
            route: None,
            consumer: None,
            keys: &table.keys,
            unmatched,
            status: None,
        }
    }

    /// Notes when the upstream was asked and when it answered.
    pub(crate) fn note_answer(&mut self, asked: Instant, answered: Instant) {
        self.upstream = Some(answered - asked);
        self.answered = Some(self.context.elapsed_at(answered.into_std()));
    }
}

/// Whatever becomes of a request, it is written down.
impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        let meters = self.route.map_or(self.unmatched, |route| &route.meters);
        meters.record(&Entry {
            context: &self.context,
            method: self.method,
            consumer: (self.consumer, self.keys.name_of(self.consumer)),
            status: self.status.unwrap_or_else(client_gone),
            // To read the clock is dear enough not to do it twice.
            duration: self.answered.unwrap_or_else(|| self.context.elapsed()),
            upstream: self.upstream,
        });
    }
}

/// What stands in log and metrics for the status when the client went away before there was one.
fn client_gone() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}
