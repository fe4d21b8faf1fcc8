//! Parts of OpenAPI documents that services with the common error envelope share.

use std::collections::BTreeMap;

use utoipa::openapi::{
    Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, schema::Schema,
};

/// Responses in the error envelope, from lists of status and description.
///
/// For implementations of [`utoipa::IntoResponses`]; the document must hold the schema of
/// [`FailureEnvelope`](crate::error::FailureEnvelope).
pub fn failures(lists: &[&[(&str, &str)]]) -> BTreeMap<String, RefOr<Response>> {
    let response = |(status, description): &(&str, &str)| {
        let envelope = Ref::from_schema_name("FailureEnvelope");
        let content = ContentBuilder::new().schema(Some(envelope)).build();
        let response = ResponseBuilder::new()
            .description(*description)
            .content("application/json", content)
            .build();
        ((*status).to_owned(), RefOr::T(response))
    };
    lists.concat().iter().map(response).collect()
}

/// Writes every `code` a service answers with into the schema of the envelope.
pub fn list_codes(components: &mut Components, codes: &[&str]) {
    let body = components.schemas.get_mut("FailureBody");
    if let Some(RefOr::T(Schema::Object(body))) = body
        && let Some(RefOr::T(Schema::Object(code))) = body.properties.get_mut("code")
    {
        code.enum_values = Some(codes.iter().map(|code| (*code).into()).collect());
    }
}
