//! Servers: their life, and above all their end.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use testkit::{
    postgres::connect,
    servers::{Mongo, Postgres, Redis, mongo, postgres},
    wait::eventually,
};
use tokio::{io::AsyncReadExt, net::TcpStream};

const LONG: Duration = Duration::from_secs(30);

/// Tells the test below that it is the process to be killed.
const VICTIM: &str = "TESTKIT_VICTIM";

fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The directory that a server with data in `data` deletes.
fn runtime_of(data: &Path) -> PathBuf {
    data.parent().unwrap().to_owned()
}

#[tokio::test]
async fn servers_end_with_a_process_that_is_killed() {
    if std::env::var_os(VICTIM).is_some() {
        return be_killed().await;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("servers::servers_end_with_a_process_that_is_killed")
        .env(VICTIM, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let mut servers = Vec::new();
    for line in output.lines().map(Result::unwrap) {
        if let Some(server) = line.strip_prefix("server ") {
            let (pid, directory) = server.split_once(' ').unwrap();
            servers.push((pid.parse().unwrap(), PathBuf::from(directory)));
        }
        if line == "ready" {
            break;
        }
    }
    assert_eq!(servers.len(), 3);
    for (pid, directory) in &servers {
        assert!(is_running(*pid) && directory.exists());
    }

    victim.kill().unwrap();
    victim.wait().unwrap();
    for (pid, directory) in &servers {
        let gone = async || (!is_running(*pid) && !directory.exists()).then_some(());
        eventually("the end of a server and its directory", LONG, gone).await;
    }
}

/// Starts one of each, says so, and waits for the end.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
async fn be_killed() {
    let postgres = Postgres::temporary().await.unwrap();
    let mongo = Mongo::temporary().await.unwrap();
    let redis = Redis::temporary().await.unwrap();
    for (pid, directory) in [
        (postgres.pid(), runtime_of(postgres.data())),
        (mongo.pid(), runtime_of(mongo.data())),
        (redis.pid(), redis.directory().to_owned()),
    ] {
        println!("server {} {}", pid.unwrap(), directory.display());
    }
    println!("ready");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_dropped_server_is_gone_at_once() {
    let server = Postgres::temporary().await.unwrap();
    let (pid, directory) = (server.pid().unwrap(), runtime_of(server.data()));
    drop(server);
    assert!(!is_running(pid));
    assert!(!directory.exists());
}

#[tokio::test]
async fn postgres_keeps_port_password_and_data_over_restart_and_crash() {
    let mut server = Postgres::temporary().await.unwrap();
    let url = server.url("postgres");
    let client = connect(&url).await.unwrap();
    client
        .batch_execute("create table things (id int)")
        .await
        .unwrap();

    server.restart().await.unwrap();
    let client = connect(&url).await.unwrap();
    client
        .batch_execute("insert into things values (1)")
        .await
        .unwrap();

    server.kill().await.unwrap();
    assert!(client.query("select 1", &[]).await.is_err());
    assert!(connect(&url).await.is_err());

    server.resume().await.unwrap();
    let client = connect(&url).await.unwrap();
    assert_eq!(
        client
            .query("select * from things", &[])
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn processes_that_start_together_initialise_one_cluster() {
    let cache = tempfile::tempdir().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "postgres::a_database_is_reached_by_its_url"])
            .env("XDG_CACHE_HOME", cache.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut process in [start(), start(), start()] {
        assert!(process.wait().unwrap().success());
    }
    let kept = std::fs::read_dir(cache.path().join("ferrobase/postgres")).unwrap();
    let names: Vec<_> = kept.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "a cluster and a lock: {names:?}");
}

/// The directory is closed to everybody else, so that this also shows that the account which root
/// runs PostgreSQL as need not be able to go there.
#[tokio::test]
async fn a_persistent_postgres_keeps_its_data_and_takes_a_new_password() {
    let directory = tempfile::tempdir().unwrap();
    let options = |password: &str| postgres::Options {
        data: Some(directory.path().join("postgres")),
        password: Some(password.to_owned()),
        ..postgres::Options::default()
    };
    let mut server = Postgres::start(options("first")).await.unwrap();
    let client = server.connect("postgres").await.unwrap();
    client
        .batch_execute("create table things (id int)")
        .await
        .unwrap();
    let row = client.query_one("show fsync", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "on");
    server.stop().await.unwrap();
    drop(server);

    let server = Postgres::start(options("se/co@nd%")).await.unwrap();
    let client = connect(&server.url("postgres")).await.unwrap();
    client.query("select * from things", &[]).await.unwrap();
}

#[tokio::test]
async fn two_servers_do_not_share_data() {
    let directory = tempfile::tempdir().unwrap();
    let options = postgres::Options {
        data: Some(directory.path().join("postgres")),
        ..postgres::Options::default()
    };
    let _first = Postgres::start(options.clone()).await.unwrap();
    let error = Postgres::start(options).await.unwrap_err();
    assert!(format!("{error:#}").contains("postmaster.pid"), "{error:#}");
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let first = Postgres::temporary().await.unwrap();
    let options = postgres::Options {
        port: Some(first.port()),
        ..postgres::Options::default()
    };
    let error = Postgres::start(options).await.unwrap_err();
    assert!(format!("{error:#}").contains("in use"), "{error:#}");
}

#[tokio::test]
async fn a_persistent_mongo_keeps_its_data_on_another_port() {
    let directory = tempfile::tempdir().unwrap();
    let options = || mongo::Options {
        data: Some(directory.path().join("mongo")),
        ..mongo::Options::default()
    };
    let mut server = Mongo::start(options()).await.unwrap();
    let port = server.port();
    server.kill().await.unwrap();
    server.resume().await.unwrap();
    assert_eq!(server.port(), port);
    server.stop().await.unwrap();
    drop(server);

    let server = Mongo::start(options()).await.unwrap();
    TcpStream::connect(("127.0.0.1", server.port()))
        .await
        .unwrap();
}

#[tokio::test]
async fn redis_comes_back_on_its_port() {
    let mut server = Redis::temporary().await.unwrap();
    let address = ("127.0.0.1", server.port());
    let mut stream = TcpStream::connect(address).await.unwrap();
    server.kill().await.unwrap();
    assert!(stream.read_u8().await.is_err());
    server.resume().await.unwrap();
    TcpStream::connect(address).await.unwrap();
}
