//! `ferrobase doctor` and `status` on a running stack.

use serde_json::Value;

use crate::running::Running;

/// Each of these is something that doctor warns of.
const UNSAFE: &str = "\
create table public.unprotected (id int);
alter table public.unprotected disable row level security;
create table public.examples (owner_id uuid);
create policy wide_open on public.examples for select using (true);
create policy each_row on public.examples for update using (auth.uid() = owner_id);
create policy once on public.examples for delete using ((select auth.uid()) = owner_id);
create view public.everything as select * from public.examples;
create view public.own with (security_invoker = on) as select * from public.examples;
create materialized view public.copied as select * from public.examples;
create view public.internal as select * from public.examples;
revoke all on public.internal from anon, authenticated;";

/// The severity and message of a check.
fn finding<'a>(findings: &'a Value, check: &str) -> (&'a str, &'a str) {
    let mut findings = findings.as_array().unwrap().iter();
    let found = findings.find(|finding| finding["check"] == check).unwrap();
    let text = |name: &str| found[name].as_str().unwrap();
    (text("severity"), text("message"))
}

#[tokio::test]
async fn doctor_finds_tables_and_policies_that_are_unsafe_or_slow() {
    let running = Running::start().await;
    let (clean, findings) = running.run(&["doctor", "--json"]).await;
    assert!(clean, "{findings:#}");
    for check in [
        "secrets",
        "permissions",
        "row security",
        "policies",
        "policy speed",
        "views",
    ] {
        assert_eq!(finding(&findings, check).0, "ok", "{check}");
    }

    let database = testkit::postgres::connect(&running.admin_url)
        .await
        .unwrap();
    database.batch_execute(UNSAFE).await.unwrap();
    let (clean, findings) = running.run(&["doctor", "--json"]).await;
    assert!(!clean, "{findings:#}");
    let (severity, message) = finding(&findings, "row security");
    assert_eq!(severity, "error");
    assert!(message.contains("public.unprotected"), "{message}");
    let (severity, message) = finding(&findings, "policies");
    assert_eq!(severity, "warning");
    assert!(
        message.contains("wide_open on public.examples"),
        "{message}"
    );
    let (severity, message) = finding(&findings, "views");
    assert_eq!(severity, "warning");
    assert!(
        message.ends_with(": public.copied, public.everything"),
        "{message}"
    );
    let (severity, message) = finding(&findings, "policy speed");
    assert_eq!(severity, "warning");
    assert!(message.contains("each_row on public.examples"), "{message}");
    assert!(!message.contains("once on public.examples"), "{message}");
}

#[tokio::test]
async fn status_asks_every_service() {
    let running = Running::start().await;
    let (ready, answers) = running.run(&["status", "--json"]).await;
    assert!(ready, "{answers:#}");
    for service in ["auth", "gateway", "mongo-api", "sql-rest"] {
        assert_eq!(answers[service]["ready"], true, "{service}");
    }
}
