//! sql-rest is told about changes of the schema.

use std::{future::poll_fn, time::Duration};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::support::bootstrapped;

/// A listener on `pgrst`, and a client for changes.
struct Watch {
    // Listens as long as it lives.
    _listener: Client,
    client: Client,
    messages: UnboundedReceiver<String>,
    _task: JoinSet<()>,
}

async fn watch() -> Watch {
    let database = bootstrapped().await;
    let (listener, mut connection) = tokio_postgres::connect(&database.url().await, NoTls)
        .await
        .unwrap();
    let (sender, messages) = unbounded_channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = sender.send(notification.payload().to_owned());
            }
        }
    });
    listener.batch_execute("listen pgrst").await.unwrap();
    let client = database.connect().await;
    Watch {
        _listener: listener,
        client,
        messages,
        _task: task,
    }
}

impl Watch {
    /// What is announced by `statements`; "end" is announced last by ourselves.
    async fn announced_by(&mut self, statements: &str) -> Vec<String> {
        let all = format!("{statements}; notify pgrst, 'end'");
        for statement in all.split(';') {
            self.client.batch_execute(statement).await.unwrap();
        }
        let mut announced = Vec::new();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), self.messages.recv()).await;
            match next.unwrap().unwrap() {
                end if end == "end" => return announced,
                message => announced.push(message),
            }
        }
    }
}

#[tokio::test]
async fn a_change_of_the_users_schema_is_announced() {
    let mut watch = watch().await;
    for statement in [
        "create table public.things (id int)",
        "alter table public.things add column name text",
        "comment on table public.things is 'x'",
        "create view public.names as select name from public.things",
        "create function public.one() returns int language sql return 1",
        "drop function public.one()",
        "alter table public.things drop column name cascade",
        "drop table public.things",
        "create schema app",
        "drop schema app",
    ] {
        let announced = watch.announced_by(statement).await;
        assert!(
            announced.contains(&"reload schema".to_owned()),
            "{statement}"
        );
    }
}

#[tokio::test]
async fn temporary_and_internal_objects_are_not_announced() {
    let mut watch = watch().await;
    let announced = watch
        .announced_by(
            "create temp table things (id int); drop table things;
             create table auth.things (id int); drop table auth.things",
        )
        .await;
    assert!(announced.is_empty(), "{announced:?}");
}
