//! Several exposed schemas.

use super::{case::*, *};

const ODD: &str = "Odd \"@/\\#~_-";

async fn start() -> Spec {
    Spec::with(&[("PGRST_DB_SCHEMAS", "shop, api, Odd \"@/\\#~_-")]).await
}

#[tokio::test]
async fn a_header_chooses_the_schema() {
    let spec = start().await;
    let read = |path: &str, schema: &str| get(path, 200).header("accept-profile", schema);
    let apple = json!([{"id": 1, "name": "apple", "kind_id": 1}]);
    spec.check([
        get("/wares", 200)
            .json(apple.clone())
            .carries("content-profile", "shop"),
        read("/wares", "shop")
            .json(apple.clone())
            .carries("content-profile", "shop"),
        read("/only_pk", "api")
            .json(json!([{"id": 1}, {"id": 2}]))
            .carries("content-profile", "api"),
        case(Method::HEAD, "/only_pk", 200)
            .header("accept-profile", "api")
            .text("")
            .carries("content-profile", "api"),
        get("/wares", 404).header("accept-profile", "api").refused(
            "PGRST205",
            "Could not find the table 'api.wares' in the schema cache",
        ),
        read("/things?select=id,things(id)&order=id", ODD)
            .json(json!([{"id": 1, "things": [{"id": 2}]}, {"id": 2, "things": []}]))
            .carries("content-profile", ODD),
        read("/things?select=id,parent(id)&order=id", ODD)
            .json(json!([{"id": 1, "parent": null}, {"id": 2, "parent": {"id": 1}}])),
        get("/rpc/wares_below?id=9&select=name,kinds(name)", 200)
            .json(json!([{"name": "apple", "kinds": {"name": "fruit"}}])),
        read("/rpc/add_them?a=1&b=2", "api")
            .json(json!(3))
            .carries("content-profile", "api"),
        get("/rpc/add_them?a=1&b=2", 404),
        get("/wares", 406)
            .header("accept-profile", "hidden")
            .json(json!({
                "code": "PGRST106",
                "details": null,
                "hint": "Only the following schemas are exposed: shop, api, Odd \"@/\\#~_-",
                "message": "Invalid schema: hidden",
            })),
    ])
    .await;
}

#[tokio::test]
async fn writes_have_a_header_of_their_own() {
    let spec = start().await;
    let into = |case: Case, schema: &'static str| {
        case.header("content-profile", schema)
            .carries("content-profile", schema)
    };
    let ware = json!({"id": 2, "name": "beet", "kind_id": 1});
    spec.check([
        post("/wares", &ware, 201)
            .rows(json!([ware]))
            .carries("content-profile", "shop"),
        into(post("/only_pk", &json!({"id": 7}), 201), "api").rows(json!([{"id": 7}])),
        into(patch("/only_pk?id=eq.7", &json!({"id": 8}), 200), "api").rows(json!([{"id": 8}])),
        into(
            case(Method::PUT, "/only_pk?id=eq.9", 201).body(r#"{"id": 9}"#),
            "api",
        )
        .rows(json!([{"id": 9}])),
        into(delete("/only_pk?id=gte.8&order=id", 200), "api").rows(json!([{"id": 8}, {"id": 9}])),
        into(
            post(
                "/things?select=id,other:other(id)",
                &json!({"id": 3, "other": 1}),
                201,
            ),
            ODD,
        )
        .rows(json!([{"id": 3, "other": {"id": 1}}])),
        into(post("/rpc/add_them", &json!({"a": 1, "b": 2}), 200), "api").json(json!(3)),
        // The header of reads means nothing to a write.
        post("/only_pk", &json!({"id": 7}), 404).header("accept-profile", "api"),
        post("/wares", &ware, 406)
            .header("content-profile", "hidden")
            .refused("PGRST106", "Invalid schema: hidden"),
    ])
    .await;
}

#[tokio::test]
async fn one_schema_needs_no_name() {
    let spec = Spec::start().await;
    spec.check([
        get("/only_pk", 200).lacks("content-profile"),
        get("/only_pk", 200)
            .header("accept-profile", "api")
            .lacks("content-profile"),
        get("/only_pk", 406)
            .header("accept-profile", "shop")
            .refused("PGRST106", "Invalid schema: shop"),
    ])
    .await;
}
