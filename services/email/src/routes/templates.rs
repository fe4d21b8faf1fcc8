//! `/templates`: what mails are made from, for the operator's servers.

use axum::extract::State;
use common::{
    error::ApiError,
    extract::{Json, Path, Query, Success, SuccessEnvelope},
};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    contract::{Failures, FailuresOfOne},
    params::{OneTemplate, Page, PageQuery},
};
use crate::{
    AppState, Error, builtin,
    mail::Content,
    render::Source,
    request::Preview,
    sender::Operator,
    store::{Template, TemplateSummary},
    template::TemplateName,
};

/// Largest parts of a template together, in bytes.
const MAX_TEMPLATE_BYTES: usize = 64 * 1024;

/// What was removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deleted {
    /// Always true.
    deleted: bool,
}

/// Lists all templates in all languages, the built-in ones included.
#[utoipa::path(
    operation_id = "templates_list",
    get,
    path = "/templates",
    tag = "templates",
    security(("bearer" = []), ("service_token" = [])),
    params(PageQuery),
    responses(
        (status = 200, description = "A page of templates", body = SuccessEnvelope<Vec<TemplateSummary>>),
        Failures,
    )
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    _: Operator,
    Query(query): Query<PageQuery>,
) -> Result<Success<Vec<TemplateSummary>>, ApiError> {
    let page = Page::new(query.limit, query.offset);
    let (limit, offset) = (page.limit.into(), page.offset.into());
    let built_in = builtin::all().unzip();
    let (templates, total) = state.store.templates(&built_in, limit, offset).await?;
    Ok(Success::page(templates, page.pagination(total)))
}

/// Shows a template in exactly this language.
#[utoipa::path(
    operation_id = "templates_get",
    get,
    path = "/templates/{name}/{locale}",
    tag = "templates",
    security(("bearer" = []), ("service_token" = [])),
    params(OneTemplate),
    responses(
        (status = 200, description = "The template", body = SuccessEnvelope<Template>),
        FailuresOfOne,
    )
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    _: Operator,
    Path(OneTemplate { name, locale }): Path<OneTemplate>,
) -> Result<Success<Template>, ApiError> {
    let exactly = [locale.as_str().to_owned()];
    if let Some(template) = state.store.template(&name, &exactly).await? {
        return Ok(Success::ok(template));
    }
    let source = builtin::find(name.as_str(), locale.as_str()).ok_or(Error::TemplateNotFound)?;
    Ok(Success::ok(Template::built_in(name, locale, source)))
}

/// Stores a template in one language. One that is called like a built-in one takes its place.
#[utoipa::path(
    put,
    path = "/templates/{name}/{locale}",
    tag = "templates",
    security(("bearer" = []), ("service_token" = [])),
    params(OneTemplate),
    request_body = Source,
    responses(
        (status = 200, description = "Replaced", body = SuccessEnvelope<Template>),
        (status = 201, description = "Stored", body = SuccessEnvelope<Template>),
        Failures,
    )
)]
pub(crate) async fn put(
    State(state): State<AppState>,
    _: Operator,
    Path(OneTemplate { name, locale }): Path<OneTemplate>,
    Json(source): Json<Source>,
) -> Result<Success<Template>, ApiError> {
    check(&source)?;
    let (template, is_new) = state.store.put_template(&name, &locale, &source).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Success::with_status(status, template))
}

/// Removes a template in one language. A built-in one that it replaced is back.
#[utoipa::path(
    delete,
    path = "/templates/{name}/{locale}",
    tag = "templates",
    security(("bearer" = []), ("service_token" = [])),
    params(OneTemplate),
    responses(
        (status = 200, description = "Removed", body = SuccessEnvelope<Deleted>),
        FailuresOfOne,
    )
)]
pub(crate) async fn delete(
    State(state): State<AppState>,
    _: Operator,
    Path(OneTemplate { name, locale }): Path<OneTemplate>,
) -> Result<Success<Deleted>, ApiError> {
    if state.store.delete_template(&name, &locale).await? {
        Ok(Success::ok(Deleted { deleted: true }))
    } else {
        Err(Error::TemplateNotFound.into())
    }
}

/// Fills a template, or the draft of one, and shows the result.
#[utoipa::path(
    post,
    path = "/templates/{name}/preview",
    tag = "templates",
    security(("bearer" = []), ("service_token" = [])),
    params(("name" = String, Path, description = "The template")),
    request_body = Preview,
    responses(
        (status = 200, description = "What a reader would see", body = SuccessEnvelope<Content>),
        FailuresOfOne,
    )
)]
pub(crate) async fn preview(
    State(state): State<AppState>,
    _: Operator,
    Path(name): Path<TemplateName>,
    Json(preview): Json<Preview>,
) -> Result<Success<Content>, ApiError> {
    let source = if let Some(draft) = preview.draft {
        draft
    } else {
        let locale = preview.locale.unwrap_or_default();
        state.post.template(&name, &locale).await?
    };
    check(&source)?;
    let content = source.render(&preview.variables).map_err(Error::from)?;
    Ok(Success::ok(content))
}

fn check(source: &Source) -> Result<(), Error> {
    let text = source.text.as_ref().map_or(0, String::len);
    if source.subject.len() + source.html.len() + text > MAX_TEMPLATE_BYTES {
        return Err(Error::TemplateTooLarge);
    }
    Ok(source.check()?)
}
