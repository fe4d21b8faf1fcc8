//! The contract: current, complete, and closed to those without credentials.

use mongo_api::MongoApi;
use serde_json::json;
use testkit::{Contract, contract};

use crate::api::{Api, assert_refused};

#[test]
fn the_contract_in_the_repository_is_what_the_code_says() {
    contract::assert_current::<MongoApi>();
}

#[tokio::test]
async fn every_operation_is_refused_without_credentials() {
    let api = Api::start().await;
    let operations = Contract::of::<MongoApi>().operations();
    assert!(operations.len() >= 20, "{operations:?}");
    for operation in operations {
        let path = operation.path_with("x");
        let bare = api.bare().request(operation.method.clone(), &path);
        assert_refused(&bare.json(&json!({})).send().await, 401, "missing_token");
        let forged = api.bare().request(operation.method.clone(), &path);
        let forged = forged.bearer("a.b.c").json(&json!({})).send().await;
        assert_refused(&forged, 401, "invalid_token");
    }
}

#[tokio::test]
async fn every_admin_operation_is_refused_to_users() {
    let api = Api::start().await;
    let operations = Contract::of::<MongoApi>().operations();
    for operation in operations {
        if !operation.template.starts_with("/admin") {
            continue;
        }
        let path = operation.path_with("x");
        for caller in [&api, &api.anonymous()] {
            let response = caller.get(&path).send().await;
            let status = response.status.as_u16();
            assert!([403, 405].contains(&status), "{path}: {}", response.text());
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_wear_the_envelope() {
    let api = Api::start().await;
    assert_refused(&api.get("/nowhere").send().await, 404, "route_not_found");
    let response = api.put("/collections/x/documents", &json!({})).send().await;
    assert_refused(&response, 405, "method_not_allowed");
}
