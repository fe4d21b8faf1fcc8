//! `GET /health`

use common::extract::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// Who answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct About {
    version: &'static str,
    name: &'static str,
    description: &'static str,
}

/// Tells that the service is there, under the name clients know.
#[utoipa::path(get, path = "/health", responses((status = 200, body = About)))]
pub async fn health() -> Json<About> {
    Json(About {
        version: concat!("v", env!("CARGO_PKG_VERSION")),
        name: "GoTrue",
        description: "GoTrue is a user registration and authentication API",
    })
}
