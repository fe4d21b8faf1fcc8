//! `GET /admin/audit`: what happened, newest first.

use axum::{
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use common::extract::Json;
use utoipa::ToSchema;

use crate::{
    AppState,
    authentication::Admin,
    error::{Error, Result},
    paging::Page,
    request::Params,
    store::{self, audit::Entry},
};

/// A page of the audit log.
#[utoipa::path(
    operation_id = "admin_audit_list",
    get,
    path = "/admin/audit",
    params(
        ("page" = Option<u64>, Query),
        ("per_page" = Option<u64>, Query),
        ("query" = Option<String>, Query, description = "`author:`, `action:` or `type:` and a text"),
    ),
    responses((status = 200, body = [Entry]), (status = "4XX", body = crate::wire::RefusalV2)),
    security(("access_token" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    params: Params,
    uri: Uri,
) -> Result<Response> {
    let page = Page::from_params(&params)?;
    let filter = params.get("query").map(Filter::parse).transpose()?;
    let mut connection = state.store().connection().await?;
    let (entries, total) =
        store::audit::page(&mut connection, filter.as_ref(), page.range()).await?;
    let headers = page.headers(uri.path(), &params, total);
    Ok((headers, Json(entries)).into_response())
}

/// A part of the entries to search.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct Filter {
    /// Members of the payload that are looked at.
    pub members: &'static [&'static str],
    /// Text to be found in one of them.
    pub text: String,
}

impl Filter {
    fn parse(query: &str) -> Result<Self> {
        let (field, text) = query.split_once(':').unwrap_or((query, ""));
        let members: &[&str] = match field {
            "author" => &["actor_username", "actor_name"],
            "action" => &["action"],
            "type" => &["log_type"],
            _ => return Err(Error::invalid("Invalid scope or query string")),
        };
        Ok(Self {
            members,
            text: text.to_owned(),
        })
    }
}
