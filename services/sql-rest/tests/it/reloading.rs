//! Loading a large catalogue while requests are answered.

use http::StatusCode;
use testkit::wait::eventually;

use crate::stack::{DEADLINE, stack};

/// Tables beside those of the schema.
const TABLES: usize = 500;
/// Requests answered while the catalogue is being read.
const REQUESTS: usize = 200;

#[tokio::test]
async fn requests_are_answered_while_the_catalogue_is_being_read() {
    let stack = stack(&[]).await;
    let get = async |path: &str| stack.client.get(path).send().await.status;
    let many = format!(
        "do $$ begin for n in 1..{TABLES} loop
           execute format('create table api.many_%s (id int primary key, name text)', n);
         end loop; end $$;
         grant select on all tables in schema api to anon"
    );
    stack.sql(&many).await;

    // Comments are read by the loader alone, so it gets no further than this lock.
    let holder = stack.database.connect().await;
    holder
        .batch_execute("begin; lock table pg_description in access exclusive mode")
        .await
        .unwrap();
    stack.sql("notify pgrst, 'reload schema'").await;
    let watcher = stack.database.connect().await;
    eventually("the loader waits", DEADLINE, async || {
        let waiting =
            "select 1 from pg_locks where not granted and relation = 'pg_description'::regclass";
        (!watcher.query(waiting, &[]).await.unwrap().is_empty()).then_some(())
    })
    .await;

    for _ in 0..REQUESTS {
        assert_eq!(get("/books?id=eq.1").await, StatusCode::OK);
    }
    assert_eq!(get("/many_1").await, StatusCode::NOT_FOUND);

    holder.batch_execute("commit").await.unwrap();
    let last = format!("/many_{TABLES}");
    eventually("the new tables are served", DEADLINE, async || {
        (get(&last).await == StatusCode::OK).then_some(())
    })
    .await;
}
