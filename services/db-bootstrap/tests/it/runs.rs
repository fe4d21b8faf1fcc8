//! Running the job once, twice, and with other passwords.

use std::{io::Write, net::TcpListener, time::Duration};

use testkit::{
    postgres::connect,
    servers::{
        Postgres,
        postgres::{Certificate, Options},
    },
};

use crate::support::{AUTH_PASSWORD, AUTHENTICATOR_PASSWORD, EMAIL_PASSWORD, config, config_with};

const NEW_PASSWORD: &str = "authenticator-password-2";

/// Roles belong to the server, so these tests have one of their own.
async fn server() -> (Postgres, String) {
    let server = Postgres::temporary().await.unwrap();
    let url = server.url("postgres");
    (server, url)
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let (_server, url) = server().await;
    let first = db_bootstrap::run(&config(&url)).await.unwrap();
    assert!(
        first.changes.contains(&"role anon: created".to_owned()),
        "{first:?}"
    );
    let second = db_bootstrap::run(&config(&url)).await.unwrap();
    assert_eq!(second, db_bootstrap::Report::default());
}

#[tokio::test]
async fn login_roles_have_the_configured_passwords() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    for (role, password) in [
        ("authenticator", AUTHENTICATOR_PASSWORD),
        ("auth_admin", AUTH_PASSWORD),
        ("email_admin", EMAIL_PASSWORD),
    ] {
        let url = server.url_for(role, password, "postgres");
        connect(&url).await.unwrap();
    }
}

#[tokio::test]
async fn a_changed_password_takes_effect_and_is_not_told() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    let changed = config_with(&url, &[("AUTHENTICATOR_PASSWORD", NEW_PASSWORD)]);
    let report = db_bootstrap::run(&changed).await.unwrap();
    assert_eq!(report.changes, ["role authenticator: password changed"]);

    let login = |password| server.url_for("authenticator", password, "postgres");
    connect(&login(NEW_PASSWORD)).await.unwrap();
    assert!(connect(&login(AUTHENTICATOR_PASSWORD)).await.is_err());
}

#[tokio::test]
async fn no_password_reaches_the_log_of_the_server() {
    let options = Options {
        settings: vec!["log_statement=all".to_owned()],
        ..Options::default()
    };
    let server = Postgres::start(options).await.unwrap();
    let url = server.url("postgres");
    db_bootstrap::run(&config(&url)).await.unwrap();
    let changed = config_with(&url, &[("AUTHENTICATOR_PASSWORD", NEW_PASSWORD)]);
    db_bootstrap::run(&changed).await.unwrap();
    let log = server.log().unwrap();
    assert!(log.contains("create role authenticator"), "{log}");
    for password in [
        AUTHENTICATOR_PASSWORD,
        AUTH_PASSWORD,
        EMAIL_PASSWORD,
        NEW_PASSWORD,
    ] {
        assert!(!log.contains(password));
    }
}

#[tokio::test]
async fn a_second_run_waits_for_no_table() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    let client = server.connect("postgres").await.unwrap();
    client
        .batch_execute("begin; lock table public.users, public.posts, public.projects")
        .await
        .unwrap();
    let config = config(&url);
    let run = tokio::time::timeout(Duration::from_secs(10), db_bootstrap::run(&config));
    run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_role_that_was_given_more_is_put_back() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    let client = server.connect("postgres").await.unwrap();
    client
        .batch_execute("alter role anon bypassrls login")
        .await
        .unwrap();
    let report = db_bootstrap::run(&config(&url)).await.unwrap();
    assert_eq!(report.changes, ["role anon: attributes corrected"]);
}

#[tokio::test]
async fn a_timeout_chosen_by_hand_stays() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    let client = server.connect("postgres").await.unwrap();
    client
        .batch_execute("alter role anon set statement_timeout = '10s'")
        .await
        .unwrap();
    let report = db_bootstrap::run(&config(&url)).await.unwrap();
    assert!(report.changes.is_empty(), "{report:?}");
}

#[tokio::test]
async fn what_was_removed_comes_back_except_the_quick_start() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    let client = server.connect("postgres").await.unwrap();
    let remove = "drop event trigger ferrobase_row_security; drop table public.posts, public.projects cascade";
    client.batch_execute(remove).await.unwrap();
    let report = db_bootstrap::run(&config(&url)).await.unwrap();
    assert_eq!(report.changes, ["row_security: applied"]);
}

#[tokio::test]
async fn tables_of_the_same_name_keep_the_quick_start_away() {
    let (server, url) = server().await;
    let client = server.connect("postgres").await.unwrap();
    client
        .batch_execute("create table public.posts (mine int)")
        .await
        .unwrap();
    db_bootstrap::run(&config(&url)).await.unwrap();
    client
        .query("select mine from public.posts", &[])
        .await
        .unwrap();
    assert!(client.query("select from public.users", &[]).await.is_err());
}

#[tokio::test]
async fn runs_at_the_same_time_on_several_databases_succeed() {
    let (server, url) = server().await;
    let client = server.connect("postgres").await.unwrap();
    client
        .batch_execute("create database second")
        .await
        .unwrap();
    let (same, other) = (config(&url), config(&server.url("second")));
    let (one, two, three) = tokio::join!(
        db_bootstrap::run(&same),
        db_bootstrap::run(&same),
        db_bootstrap::run(&other)
    );
    one.and(two).and(three).unwrap();
}

#[tokio::test]
async fn a_server_that_is_still_starting_is_waited_for() {
    let (mut server, url) = server().await;
    server.stop().await.unwrap();
    let config = config(&url);
    let (report, resumed) = tokio::join!(db_bootstrap::run(&config), server.resume());
    resumed.unwrap();
    report.unwrap();
}

#[tokio::test]
async fn a_server_that_never_comes_ends_the_wait() {
    let (mut server, url) = server().await;
    server.stop().await.unwrap();
    let config = config_with(&url, &[("DATABASE_WAIT_SECONDS", "1")]);
    let error = db_bootstrap::run(&config).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("does not answer"),
        "{error:#}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_the_end() {
    // The system takes connections in, and nobody accepts them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://postgres@{}", silent.local_addr().unwrap());
    let config = config_with(&url, &[("DATABASE_WAIT_SECONDS", "1")]);
    let error = db_bootstrap::run(&config).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("does not answer in time"),
        "{error:#}"
    );
}

#[tokio::test]
async fn a_server_can_be_prepared_in_secret() {
    let (server, url) = server().await;
    let certificate = Certificate::self_signed("localhost").unwrap();
    server.offer_tls(&certificate).await.unwrap();
    let mut root = tempfile::NamedTempFile::new().unwrap();
    root.write_all(certificate.pem.as_bytes()).unwrap();
    let options = format!("?sslmode=verify-full&sslrootcert={}", root.path().display());
    let url = format!("{}{options}", url.replace("127.0.0.1", "localhost"));
    // It begins to offer encryption in a moment, and is waited for like one that is not there.
    let report = db_bootstrap::run(&config(&url)).await.unwrap();
    assert!(!report.changes.is_empty());

    let other = Certificate::self_signed("localhost").unwrap();
    std::fs::write(root.path(), &other.pem).unwrap();
    let config = config_with(&url, &[("DATABASE_WAIT_SECONDS", "1")]);
    let error = db_bootstrap::run(&config).await.unwrap_err();
    assert!(
        format!("{error:#}").contains("does not answer"),
        "{error:#}"
    );
}

#[tokio::test]
async fn a_superuser_is_required() {
    let (server, url) = server().await;
    db_bootstrap::run(&config(&url)).await.unwrap();
    let login = server.url_for("authenticator", AUTHENTICATOR_PASSWORD, "postgres");
    let error = db_bootstrap::run(&config(&login)).await.unwrap_err();
    assert!(error.to_string().contains("not a superuser"), "{error:#}");
}

#[tokio::test]
async fn logical_decoding_is_asked_for_once_and_works_after_a_restart() {
    let settings = vec!["wal_level=replica".to_owned()];
    let options = Options {
        settings,
        ..Options::default()
    };
    let mut server = Postgres::start(options).await.unwrap();
    let config = config(&server.url("postgres"));

    let first = db_bootstrap::run(&config).await.unwrap();
    assert!(first.changes.contains(&"wal_level = logical".to_owned()));
    assert!(first.restart_needed.is_some());
    let second = db_bootstrap::run(&config).await.unwrap();
    assert!(second.changes.is_empty(), "{second:?}");
    assert!(second.restart_needed.is_some());

    server.restart().await.unwrap();
    let third = db_bootstrap::run(&config).await.unwrap();
    assert_eq!(third, db_bootstrap::Report::default());
}
