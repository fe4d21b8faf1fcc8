//! HTTP: from request to answer.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use common::context::RequestContext;
use http::{
    HeaderName,
    header::{AUTHORIZATION, ORIGIN},
    request::Parts,
};

use crate::{
    AppState, body,
    catalog::Catalog,
    config::{OpenApiMode, TransactionEnd},
    cors,
    error::Error,
    jwt::Identity,
    media::MediaType,
    openapi::{self, Visible},
    payload::Payload,
    plan::{self, Access, QueryPlan, Source, write::WriteKind},
    request::{Action, ApiRequest, Incoming, prefer},
    response,
    schema_cache::Snapshot,
    session::{self, Context},
    sql,
    timing::Timing,
    transaction::{self, End, Work},
};

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// All paths lead to one handler, which reads them itself; they are named for metrics alone.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/", any(handle))
        .route("/{relation}", any(handle))
        .route("/rpc/{function}", any(handle))
        .fallback(handle)
}

/// Why a request is not answered.
enum Refusal {
    Error(Error),
    TooLarge,
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

async fn handle(State(state): State<AppState>, request: Request) -> Response {
    let snapshot = state.schema_cache.snapshot();
    let settings = &snapshot.settings;
    let origins = settings.cors_origins.as_deref();
    let (parts, body) = request.into_parts();
    if let Some(response) = cors::preflight(&parts.method, &parts.headers, origins) {
        return response;
    }
    let mut timing = Timing::start("jwt");
    let mut response = match serve(&state, &snapshot, &parts, body, &mut timing).await {
        Ok(response) => response,
        Err(Refusal::TooLarge) => response::too_large(),
        Err(Refusal::Error(error)) => {
            log(&error);
            response::failure(&error, settings.verbosity)
        }
    };
    let headers = response.headers_mut();
    if settings.server_timing {
        headers.extend(timing.header().map(|value| (SERVER_TIMING, value)));
    }
    if let Some(name) = &settings.trace_header
        && let Some(value) = parts.headers.get(name)
    {
        headers.insert(name.clone(), value.clone());
    }
    if let Some(origin) = parts.headers.get(ORIGIN) {
        cors::expose(&mut response, origin, origins);
    }
    response
}

async fn serve(
    state: &AppState,
    snapshot: &Arc<Snapshot>,
    parts: &Parts,
    body: Body,
    timing: &mut Timing,
) -> Result<Response, Refusal> {
    // Settings come with the catalogue: until then nobody knows who the anonymous are.
    let catalog = snapshot.catalog.as_deref().ok_or(Error::NoSchemaCache)?;
    let identity = identify(snapshot, parts)?;
    timing.enter("parse");
    let incoming = Incoming {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
    };
    let request = ApiRequest::parse(&incoming, &snapshot.settings.core)?;
    match request.action {
        Action::Info => {
            timing.enter("response");
            Ok(response::options(&plan::allow(&request, catalog)?))
        }
        Action::Inspect { .. } if snapshot.settings.openapi_mode == OpenApiMode::Disabled => {
            Err(Error::RootDisabled.into())
        }
        Action::Inspect { .. }
        | Action::Read { .. }
        | Action::Insert
        | Action::Update
        | Action::Upsert
        | Action::Delete
        | Action::Call(_) => {
            let body = read_body(&request, body, state.max_body_bytes).await?;
            let exchange = Exchange {
                state,
                snapshot,
                catalog,
                parts,
                identity: &identity,
                request: &request,
            };
            let answered = match request.action {
                Action::Inspect { .. } => exchange.inspect(timing).await,
                _ => exchange.query(&body, timing).await,
            };
            Ok(answered?)
        }
    }
}

fn identify(snapshot: &Snapshot, parts: &Parts) -> Result<Arc<Identity>, Error> {
    let authorization = parts.headers.get(AUTHORIZATION);
    // What is no text is no token, and must not be taken for none.
    let authorization = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let identity = snapshot.authenticator.identify(authorization.as_deref())?;
    if let Some(context) = RequestContext::current()
        && !identity.subject.is_empty()
    {
        context.set_user(&identity.subject);
    }
    Ok(identity)
}

async fn read_body(request: &ApiRequest, body: Body, limit: usize) -> Result<Bytes, Refusal> {
    if request.action.takes_body() {
        body::whole(body, limit).await.ok_or(Refusal::TooLarge)
    } else {
        Ok(Bytes::new())
    }
}

/// A request that runs a statement, and everything known about it.
struct Exchange<'a> {
    state: &'a AppState,
    snapshot: &'a Arc<Snapshot>,
    catalog: &'a Catalog,
    parts: &'a Parts,
    identity: &'a Arc<Identity>,
    request: &'a ApiRequest,
}

impl Exchange<'_> {
    async fn query(&self, body: &Bytes, timing: &mut Timing) -> Result<Response, Error> {
        let settings = &self.snapshot.settings;
        let payload = Payload::inspect(body, self.request)?;
        timing.enter("plan");
        let plan = QueryPlan::new(self.request, payload, self.catalog, &settings.core)?;
        let statement = sql::statement(&plan);
        let estimate = sql::estimate(&plan);
        let function_settings = match &plan.source {
            Source::Call(call) => call.function.settings.as_slice(),
            Source::Read(_) | Source::Write(_) => &[],
        };
        let context = self.context(plan.access, function_settings);
        let session = session::session(&context, settings, &self.snapshot.roles);
        let pre_request = settings.pre_request.as_ref().map(session::call);
        let work = Work {
            statement: &statement,
            is_write: matches!(plan.source, Source::Write(_)),
            estimate: estimate.as_ref(),
            pre_request: pre_request.as_deref(),
            end: self.end(&plan),
            is_logged: self.state.logs_statements,
        };
        timing.enter("transaction");
        let check = |rows| plan.check(rows);
        let answered = transaction::run(&self.state.pool, &session, &work, check).await;
        let answer = answered.map_err(|failure| self.error(failure))?;
        timing.enter("response");
        response::answer(self.request, &plan, answer, settings.core.max_rows)
    }

    /// The root document. Making it takes long for a large schema, so it happens aside.
    async fn inspect(&self, timing: &mut Timing) -> Result<Response, Error> {
        plan::inspect(self.request)?;
        timing.enter("plan");
        let settings = &self.snapshot.settings;
        let statement = Visible::statement(&self.request.schema);
        let context = self.context(Access::ReadOnly, &[]);
        let session = session::session(&context, settings, &self.snapshot.roles);
        let pre_request = settings.pre_request.as_ref().map(session::call);
        let work = Work {
            statement: &statement,
            is_write: false,
            estimate: None,
            pre_request: pre_request.as_deref(),
            end: End::Commit,
            is_logged: self.state.logs_statements,
        };
        timing.enter("transaction");
        let answered = transaction::run(&self.state.pool, &session, &work, |_| Ok(())).await;
        let answer = answered.map_err(|failure| self.error(failure))?;
        timing.enter("response");
        let address = openapi::Address::new(settings.proxy_uri.as_ref(), &self.parts.headers);
        let snapshot = Arc::clone(self.snapshot);
        let schema = self.request.schema.clone();
        let written = tokio::task::spawn_blocking(move || {
            let catalog = snapshot.catalog.as_deref()?;
            let scope = openapi::Scope {
                catalog,
                settings: &snapshot.settings,
                schema: &schema,
                visible: &Visible::read(&answer.body),
                address: &address,
            };
            openapi::document(&scope).ok()
        });
        let document = written.await.ok().flatten();
        let document = document.ok_or_else(|| Error::Internal("no root document".to_owned()))?;
        Ok(response::document(self.request, document))
    }

    /// Missing rights mean one thing to the anonymous and another to others.
    fn error(&self, failure: transaction::Failure) -> Error {
        let anonymous = self.snapshot.settings.anonymous_role.as_ref();
        failure.into_error(anonymous != Some(&self.identity.role))
    }

    fn context<'b>(
        &'b self,
        access: Access,
        function_settings: &'b [(String, String)],
    ) -> Context<'b> {
        Context {
            identity: self.identity,
            method: &self.parts.method,
            path: self.parts.uri.path(),
            headers: &self.parts.headers,
            schema: &self.request.schema,
            access,
            timezone: self.request.preferences.timezone.as_deref(),
            function_settings,
        }
    }

    fn end(&self, plan: &QueryPlan) -> End {
        let settings = &self.snapshot.settings;
        let preferred = self.request.preferences.transaction;
        let preferred = preferred.filter(|_| settings.core.tx_override);
        let rolls_back = match preferred {
            Some(prefer::TransactionEnd::Rollback) => true,
            Some(prefer::TransactionEnd::Commit) => false,
            None => settings.transaction_end == TransactionEnd::Rollback,
        };
        if rolls_back {
            End::Rollback
        } else if plan.access == Access::ReadWrite && decides_by_rows(plan) {
            End::CommitIf
        } else {
            End::Commit
        }
    }
}

/// Whether the number of rows decides about the commit.
fn decides_by_rows(plan: &QueryPlan) -> bool {
    let replaces_one =
        matches!(&plan.source, Source::Write(write) if write.kind == WriteKind::Upsert);
    replaces_one || plan.max_affected.is_some() || matches!(plan.media, MediaType::Singular { .. })
}

/// Logs what is not the client's fault.
fn log(error: &Error) {
    if error.status().is_server_error() {
        tracing::error!(error = %error, error.code = error.code(), "request failed");
    } else {
        tracing::debug!(error.code = error.code(), "request refused");
    }
}
