//! Lists of messages.

use http::StatusCode;
use testkit::smtp::{Behaviour, Sink};

use crate::support::{as_service, mailer, note};

#[tokio::test]
async fn messages_are_listed_by_status_and_page() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    for number in 0..3 {
        let id = mailer
            .send(&note(&format!("user{number}@example.com")))
            .await;
        mailer.message_is(&id, "sent").await;
    }
    sink.behave(Behaviour::Answers {
        request: "RCPT",
        answer: "550 no",
    });
    let dead = mailer.send(&note("nobody@example.com")).await;
    mailer.message_is(&dead, "dead").await;

    let list = async |query: &str| {
        let request = as_service(mailer.client.get(&format!("/messages{query}")));
        request.send().await.expect(StatusCode::OK).json()
    };
    let page = list("?status=sent&limit=2&offset=1").await;
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    let pagination = &page["meta"]["pagination"];
    assert_eq!(pagination["total"], 3);
    assert_eq!(
        (&pagination["limit"], &pagination["offset"]),
        (&2.into(), &1.into())
    );
    let page = list("?status=dead").await;
    assert_eq!(page["data"][0]["id"], dead.as_str());
    assert_eq!(
        list("?limit=1000").await["meta"]["pagination"]["limit"],
        100
    );
}
