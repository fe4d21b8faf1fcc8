//! The contract: current, complete, and closed to those without credentials.

use email::Email;
use http::StatusCode;
use serde_json::json;
use testkit::{Contract, contract, jwt, smtp::Sink};

use crate::support::{JWT_SECRET, mailer, refused};

#[test]
fn the_contract_in_the_repository_is_what_the_code_says() {
    contract::assert_current::<Email>();
}

#[tokio::test]
async fn every_operation_is_refused_without_credentials() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let operations = Contract::of::<Email>().operations();
    let (open, closed): (Vec<_>, Vec<_>) = operations
        .into_iter()
        .partition(|operation| operation.template.starts_with("/inbox"));
    assert_eq!((open.len(), closed.len()), (3, 9));
    for operation in closed {
        let path = operation.path_with("x");
        let request = || {
            mailer
                .client
                .request(operation.method.clone(), &path)
                .json(&json!({}))
        };
        let anon = jwt::role(JWT_SECRET, "anon");
        for (request, code) in [
            (request(), "missing_token"),
            (request().bearer("a.b.c"), "invalid_token"),
            (request().bearer(&anon), "sign_in_required"),
            (
                request().header("X-Service-Token", "guess"),
                "invalid_service_token",
            ),
        ] {
            assert_eq!(
                refused(request.send().await, StatusCode::UNAUTHORIZED),
                code,
                "{path}"
            );
        }
    }
}
