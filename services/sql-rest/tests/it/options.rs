//! What OPTIONS says can be done.

use http::{Method, StatusCode};

use crate::stack::stack_with;

#[tokio::test]
async fn each_relation_and_function_tells_its_methods() {
    let stack = stack_with("options", include_str!("options.sql"), &[]).await;
    let all = "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE";
    let without_key = "OPTIONS,GET,HEAD,POST,PATCH,DELETE";
    let read = "OPTIONS,GET,HEAD";
    let cases = [
        ("/", read),
        ("/items", all),
        ("/keyless", without_key),
        ("/shared", all),
        ("/simple", all),
        ("/without_key", without_key),
        ("/summed", read),
        ("/kept", read),
        ("/all_ways", all),
        ("/all_ways_without_key", without_key),
        ("/insert_only", "OPTIONS,GET,HEAD,POST"),
        ("/update_only", "OPTIONS,GET,HEAD,PATCH"),
        ("/delete_only", "OPTIONS,GET,HEAD,DELETE"),
        ("/rpc/change", "OPTIONS,POST"),
        ("/rpc/look", "OPTIONS,GET,HEAD,POST"),
        ("/rpc/compute", "OPTIONS,GET,HEAD,POST"),
    ];
    for (path, allowed) in cases {
        let answer = stack.client.request(Method::OPTIONS, path).send().await;
        let answer = answer.expect(StatusCode::OK);
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
        assert_eq!(answer.header("content-length"), Some("0"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(answer.bytes.is_empty());
    }
    for path in ["/unknown", "/rpc/unknown"] {
        let answer = stack.client.request(Method::OPTIONS, path).send().await;
        answer.expect(StatusCode::NOT_FOUND);
    }
}
