//! The part of the service's OpenAPI document that does not depend on the database. What a database
//! exposes is described by the document at `/`.

use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, ObjectBuilder, OpenApi,
    OpenApiBuilder, PathItem, PathsBuilder, Ref, ResponseBuilder,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::{Schema, Type},
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};

const DESCRIPTION: &str = "REST over PostgreSQL, compatible with PostgREST. Each relation and \
                           function of the exposed schemas is a path; the document at `/` lists \
                           them with their columns and parameters.";
const ERROR: &str = "Error";
const BEARER: &str = "bearer";

/// The service's OpenAPI document.
pub(crate) fn contract() -> OpenApi {
    let components = ComponentsBuilder::new()
        .schema(ERROR, error())
        .security_scheme(BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .build();
    let paths = PathsBuilder::new()
        .path("/", root())
        .path("/{relation}", relation())
        .path("/rpc/{function}", function());
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("sql-rest").description(Some(DESCRIPTION)).build())
        .paths(paths.build())
        .components(Some(components))
        .security(Some([
            SecurityRequirement::default(),
            SecurityRequirement::new(BEARER, [] as [&str; 0]),
        ]))
        .build()
}

fn root() -> PathItem {
    PathItem::new(HttpMethod::Get, operation("What the exposed schemas hold", &[], &["200"]))
}

fn relation() -> PathItem {
    let name = path_parameter("relation", "A table, view or foreign table");
    let reading = [
        name.clone(),
        query_parameter("select", "Columns and embedded relations"),
        query_parameter("order", "Columns to sort by"),
        query_parameter("limit", "The most rows to give"),
        query_parameter("offset", "Rows to skip"),
        header_parameter("Range", "Rows to give, as `first-last`"),
        header_parameter("Prefer", "`count=exact`, `count=planned` or `count=estimated`"),
        header_parameter("Accept", "Media type of the answer"),
    ];
    let writing = [
        name,
        query_parameter("select", "Columns and embedded relations to return"),
        query_parameter("columns", "Columns of the body to use"),
        header_parameter("Prefer", "`return=`, `resolution=`, `missing=`, `tx=` and others"),
    ];
    let mut item = PathItem::new(
        HttpMethod::Get,
        operation("Rows; further parameters filter them", &reading, &["200", "206"]),
    );
    item.post = Some(with_body(operation("Adds rows", &writing, &["200", "201"])));
    item.patch = Some(with_body(operation("Changes rows", &writing, &["200", "204"])));
    item.put = Some(with_body(operation("Adds or replaces one row", &writing, &["200", "201", "204"])));
    item.delete = Some(operation("Removes rows", &writing, &["200", "204"]));
    item
}

fn function() -> PathItem {
    let name = path_parameter("function", "A function");
    let parameters = [
        name,
        query_parameter("select", "Columns and embedded relations of the result"),
        header_parameter("Prefer", "`count=`, `tx=`, `max-affected=` and others"),
    ];
    let call = |summary| operation(summary, &parameters, &["200", "204", "206"]);
    let mut item = PathItem::new(
        HttpMethod::Get,
        call("Calls a function that only reads; arguments are parameters"),
    );
    item.post = Some(with_body(call("Calls a function; arguments are the members of the body")));
    item
}

fn operation(summary: &str, parameters: &[Parameter], statuses: &[&str]) -> Operation {
    let failure = ContentBuilder::new().schema(Some(Ref::from_schema_name(ERROR))).build();
    let mut operation = OperationBuilder::new()
        .summary(Some(summary))
        .parameters(Some(parameters.to_vec()));
    for status in statuses {
        let success = ResponseBuilder::new().description("As asked for");
        operation = operation.response(*status, success.build());
    }
    let failure = ResponseBuilder::new()
        .description("Why not")
        .content("application/json", failure);
    operation.response("default", failure.build()).build()
}

fn with_body(mut operation: Operation) -> Operation {
    let json = ContentBuilder::new().build();
    let body = RequestBodyBuilder::new().content("application/json", json).build();
    operation.request_body = Some(body);
    operation
}

fn path_parameter(name: &str, description: &str) -> Parameter {
    parameter(name, description, ParameterIn::Path)
}

fn query_parameter(name: &str, description: &str) -> Parameter {
    parameter(name, description, ParameterIn::Query)
}

fn header_parameter(name: &str, description: &str) -> Parameter {
    parameter(name, description, ParameterIn::Header)
}

fn parameter(name: &str, description: &str, place: ParameterIn) -> Parameter {
    let required = matches!(place, ParameterIn::Path);
    ParameterBuilder::new()
        .name(name)
        .description(Some(description))
        .parameter_in(place)
        .required(required.into())
        .schema(Some(text()))
        .build()
}

fn error() -> Schema {
    let error = ["code", "message", "details", "hint"]
        .into_iter()
        .fold(ObjectBuilder::new(), |error, name| error.property(name, text()));
    error.required("code").required("message").build().into()
}

fn text() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).build().into()
}
