//! The tables of the quick start, between two users and a stranger.

use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{Caller, ask, assert_refused, superuser, texts};

const ADA: Caller = Caller::User(Uuid::from_u128(0xada));
const BOB: Caller = Caller::User(Uuid::from_u128(0xb0b));

/// A database where Ada wrote a draft and a published post.
async fn with_posts() -> Client {
    let mut client = superuser().await;
    for sql in [
        "insert into posts (title, body) values ('draft', 'b')",
        "insert into posts (title, published) values ('news', true)",
    ] {
        ask(&mut client, ADA, &sql.replace("posts", "public.posts"))
            .await
            .unwrap();
    }
    client
}

async fn titles(client: &mut Client, caller: Caller) -> Vec<String> {
    let sql = "select title from public.posts order by id";
    texts(&ask(client, caller, sql).await.unwrap())
}

#[tokio::test]
async fn a_first_post_needs_no_more_than_a_title() {
    let client = &mut superuser().await;
    let insert = "insert into public.posts (title) values ('first') returning author_id";
    let rows = ask(client, ADA, insert).await.unwrap();
    assert_eq!(rows[0].get::<_, Uuid>(0), Uuid::from_u128(0xada));
    let rows = ask(client, ADA, "select id from public.users")
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn drafts_are_their_authors_and_published_posts_everybodys() {
    let client = &mut with_posts().await;
    assert_eq!(titles(client, ADA).await, ["draft", "news"]);
    assert_eq!(titles(client, BOB).await, ["news"]);
    assert_eq!(titles(client, Caller::Anon).await, ["news"]);
    assert_eq!(titles(client, Caller::Service).await, ["draft", "news"]);
}

#[tokio::test]
async fn nobody_writes_in_anothers_name() {
    let client = &mut with_posts().await;
    let forged = format!(
        "insert into public.posts (title, author_id) values ('forged', '{}')",
        Uuid::from_u128(0xada)
    );
    assert_refused(ask(client, BOB, &forged).await);
    assert_refused(ask(client, Caller::Anon, &forged).await);
    let anonymous = "insert into public.posts (title) values ('anonymous')";
    assert_refused(ask(client, Caller::Anon, anonymous).await);
}

#[tokio::test]
async fn a_refused_post_leaves_no_profile() {
    let client = &mut superuser().await;
    let forged = format!(
        "insert into public.posts (title, author_id) values ('forged', '{}')",
        Uuid::from_u128(0xdead)
    );
    assert_refused(ask(client, BOB, &forged).await);
    let rows = ask(client, Caller::Service, "select id from public.users")
        .await
        .unwrap();
    assert!(rows.is_empty());
}

#[tokio::test]
async fn nobody_changes_or_deletes_anothers_post() {
    let client = &mut with_posts().await;
    for sql in [
        "update public.posts set title = 'mine' returning title",
        "delete from public.posts returning title",
    ] {
        assert!(ask(client, BOB, sql).await.unwrap().is_empty(), "{sql}");
        assert!(
            ask(client, Caller::Anon, sql).await.unwrap().is_empty(),
            "{sql}"
        );
    }
    assert_eq!(titles(client, ADA).await, ["draft", "news"]);
}

#[tokio::test]
async fn an_author_changes_and_deletes_but_cannot_give_away() {
    let client = &mut with_posts().await;
    let sql = "update public.posts set published = true where title = 'draft'";
    ask(client, ADA, sql).await.unwrap();
    assert_eq!(titles(client, BOB).await, ["draft", "news"]);

    ask(
        client,
        BOB,
        "insert into public.users (name) values ('Bob')",
    )
    .await
    .unwrap();
    let give = format!(
        "update public.posts set author_id = '{}'",
        Uuid::from_u128(0xb0b)
    );
    assert_refused(ask(client, ADA, &give).await);

    ask(
        client,
        ADA,
        "delete from public.posts where title = 'draft'",
    )
    .await
    .unwrap();
    assert_eq!(titles(client, ADA).await, ["news"]);
}

#[tokio::test]
async fn projects_are_strictly_their_owners() {
    let client = &mut superuser().await;
    let insert = "insert into public.projects (name) values ('secret')";
    ask(client, ADA, insert).await.unwrap();
    for (caller, expected) in [(ADA, 1), (BOB, 0), (Caller::Anon, 0), (Caller::Service, 1)] {
        let rows = ask(client, caller, "select * from public.projects")
            .await
            .unwrap();
        assert_eq!(rows.len(), expected);
    }
    assert_refused(ask(client, Caller::Anon, insert).await);
    let take = format!(
        "update public.projects set owner_id = '{}'",
        Uuid::from_u128(0xb0b)
    );
    assert_refused(ask(client, ADA, &take).await);
    assert!(
        ask(client, BOB, "delete from public.projects returning id")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_profile_is_seen_by_others_once_its_owner_has_published() {
    let client = &mut superuser().await;
    let names = "select name from public.users";
    ask(
        client,
        ADA,
        "insert into public.users (name) values ('Ada')",
    )
    .await
    .unwrap();
    assert_eq!(texts(&ask(client, ADA, names).await.unwrap()), ["Ada"]);
    assert!(ask(client, Caller::Anon, names).await.unwrap().is_empty());

    let publish = "insert into public.posts (title, published) values ('news', true)";
    ask(client, ADA, publish).await.unwrap();
    let embedded = "select u.name from public.posts p join public.users u on u.id = p.author_id";
    assert_eq!(
        texts(&ask(client, Caller::Anon, embedded).await.unwrap()),
        ["Ada"]
    );
}

#[tokio::test]
async fn nobody_touches_anothers_profile() {
    let client = &mut with_posts().await;
    for sql in [
        "update public.users set name = 'x' returning id",
        "delete from public.users returning id",
    ] {
        assert!(ask(client, BOB, sql).await.unwrap().is_empty(), "{sql}");
    }
    let forged = format!(
        "insert into public.users (id) values ('{}')",
        Uuid::from_u128(0xdead)
    );
    assert_refused(ask(client, BOB, &forged).await);
}

#[tokio::test]
async fn a_profile_takes_its_posts_along() {
    let client = &mut with_posts().await;
    ask(client, ADA, "delete from public.users").await.unwrap();
    assert!(titles(client, Caller::Service).await.is_empty());
}

#[tokio::test]
async fn a_policy_asks_for_the_caller_once_per_statement() {
    let client = &mut with_posts().await;
    let plan = ask(client, BOB, "explain select * from public.projects")
        .await
        .unwrap();
    let text = texts(&plan).join("\n");
    assert!(text.contains("InitPlan"), "{text}");
}
