//! The service against the driver it is built on: the same operations on the same MongoDB, in
//! turns, on the same cores. Prints ratios, latencies, and what the service's process costs.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mongodb::{
    Collection,
    bson::{RawDocumentBuf, doc, oid::ObjectId},
    options::WriteConcern,
};
use testkit::{jwt, servers::Mongo, wait::eventually};
use tokio::{net::TcpStream, process::Command, task::JoinSet};

const SECRET: &str = "the-secret-of-this-benchmark-0123456789";
const OWNER: &str = "a0000000-0000-4000-8000-000000000001";
const DATABASE: &str = "bench";

/// Callers at a time, on either side.
const CALLERS: usize = 16;

/// Documents to look for.
const DOCUMENTS: usize = 10_000;

/// How long one side works before the other has its turn.
const TURN: Duration = Duration::from_secs(3);

/// Turns of each side.
const TURNS: usize = 3;

/// What is measured.
#[derive(Clone, Copy)]
enum Operation {
    Get,
    List,
    Insert,
}

/// Who calls: the driver itself, or a client of the service.
enum Caller {
    Driver(Collection<RawDocumentBuf>),
    Service {
        connection: SendRequest<Full<Bytes>>,
        token: String,
    },
}

/// Durations of the calls of one side.
#[derive(Default)]
struct Calls(Vec<Duration>);

/// What a process has used.
struct Usage {
    cpu: Duration,
    resident_kib: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let mongo = Mongo::temporary().await?;
    let port = free_port()?;
    let mut service = Command::new(env!("CARGO_BIN_EXE_mongo-api"))
        .env("MONGO_URI", mongo.uri())
        .env("MONGO_DATABASE", DATABASE)
        .env("JWT_SECRET", SECRET)
        .env("MONGO_API_PORT", port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pid = service.id().context("the service runs")?;
    let measured = measure(&mongo.uri(), port, pid).await;
    service.kill().await?;
    measured
}

async fn measure(url: &str, port: u16, pid: u32) -> Result<()> {
    eventually("the service", Duration::from_secs(30), async || {
        TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    let driver = mongodb::Client::with_uri_str(url).await?;
    let ids = fill(&driver).await?;
    println!("operation     service/s   driver/s  ratio   p99 service  p99 driver  cpu/request");
    for (name, operation) in [
        ("get by id", Operation::Get),
        ("list 20", Operation::List),
        ("insert", Operation::Insert),
    ] {
        let (mut through_service, mut raw) = (Calls::default(), Calls::default());
        let mut cpu = Duration::ZERO;
        for _ in 0..TURNS {
            let drivers = (0..CALLERS).map(|_| Caller::Driver(documents(&driver)));
            let turned = turn(drivers.collect(), operation, &ids).await?;
            raw.0.extend(turned.0);
            let clients = clients(port).await?;
            let before = usage(pid)?;
            let turned = turn(clients, operation, &ids).await?;
            through_service.0.extend(turned.0);
            cpu += usage(pid)?.cpu.saturating_sub(before.cpu);
        }
        let (ours, theirs) = (through_service.rate(), raw.rate());
        println!(
            "{name:<12} {ours:>10.0} {theirs:>10.0} {:>6.2} {:>10.1} ms {:>8.1} ms {:>9} µs",
            ours / theirs,
            through_service.p99_ms(),
            raw.p99_ms(),
            cpu.as_micros() / u128::try_from(through_service.0.len())?,
        );
    }
    println!(
        "resident memory of the service: {} MiB",
        usage(pid)?.resident_kib / 1024
    );
    Ok(())
}

/// Stores what will be looked for, with the index the service would make.
async fn fill(driver: &mongodb::Client) -> Result<Vec<ObjectId>> {
    let collection = documents(driver);
    let ids: Vec<ObjectId> = (0..DOCUMENTS).map(|_| ObjectId::new()).collect();
    let document = |id: &ObjectId| {
        let mut document = doc! { "_id": id, "owner_id": OWNER, "_version": 1_i64 };
        document.extend(body());
        RawDocumentBuf::from_document(&document)
    };
    let stored = ids.iter().map(document).collect::<Result<Vec<_>, _>>()?;
    collection.insert_many(stored).await?;
    let index = mongodb::IndexModel::builder()
        .keys(doc! { "owner_id": 1, "_id": 1 })
        .build();
    collection.create_index(index).await?;
    Ok(ids)
}

/// One turn of one side: every caller goes on until the turn is over.
async fn turn(callers: Vec<Caller>, operation: Operation, ids: &[ObjectId]) -> Result<Calls> {
    let mut running = JoinSet::new();
    for (mut caller, ids) in callers.into_iter().zip(ids.chunks(ids.len() / CALLERS)) {
        let ids = ids.to_vec();
        running.spawn(async move {
            let end = Instant::now() + TURN;
            let mut durations = Vec::new();
            for id in ids.into_iter().cycle() {
                let start = Instant::now();
                if start > end {
                    break;
                }
                caller.call(operation, id).await?;
                durations.push(start.elapsed());
            }
            anyhow::Ok(durations)
        });
    }
    let mut calls = Calls::default();
    while let Some(durations) = running.join_next().await {
        calls.0.extend(durations??);
    }
    Ok(calls)
}

impl Caller {
    async fn call(&mut self, operation: Operation, id: ObjectId) -> Result<()> {
        match self {
            Self::Driver(collection) => match operation {
                Operation::Get => get(collection, id).await,
                Operation::List => list(collection).await,
                Operation::Insert => insert(collection).await,
            },
            Self::Service { connection, token } => request(connection, token, operation, id).await,
        }
    }
}

async fn get(collection: &Collection<RawDocumentBuf>, id: ObjectId) -> Result<()> {
    let found = collection.find_one(doc! { "_id": id, "owner_id": OWNER });
    ensure!(found.await?.is_some(), "a document is missing");
    Ok(())
}

async fn list(collection: &Collection<RawDocumentBuf>) -> Result<()> {
    let find = collection.find(doc! { "owner_id": OWNER });
    let mut found = find.sort(doc! { "_id": 1 }).limit(20).await?;
    let mut documents = Vec::new();
    while found.advance().await? {
        documents.push(found.current().to_raw_document_buf());
    }
    ensure!(documents.len() == 20, "documents are missing");
    Ok(())
}

async fn insert(collection: &Collection<RawDocumentBuf>) -> Result<()> {
    let mut document = doc! { "_id": ObjectId::new(), "owner_id": OWNER };
    document.extend(body());
    let document = RawDocumentBuf::from_document(&document)?;
    collection.insert_one(document).await?;
    Ok(())
}

async fn request(
    connection: &mut SendRequest<Full<Bytes>>,
    token: &str,
    operation: Operation,
    id: ObjectId,
) -> Result<()> {
    let path = "/collections/notes/documents";
    let (method, path, body) = match operation {
        Operation::Get => (Method::GET, format!("{path}/{id}"), Bytes::new()),
        Operation::List => (Method::GET, format!("{path}?limit=20"), Bytes::new()),
        Operation::Insert => {
            let body = mongodb::bson::Bson::from(body()).into_relaxed_extjson();
            (Method::POST, path.to_owned(), body.to_string().into())
        }
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))?;
    let response = connection.send_request(request).await?;
    ensure!(response.status().is_success(), "{}", response.status());
    response.into_body().collect().await?;
    Ok(())
}

impl Calls {
    /// Calls per second.
    fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.0.len()).unwrap_or(u32::MAX))
            / (TURN * u32::try_from(TURNS).unwrap_or(1)).as_secs_f64()
    }

    fn p99_ms(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = sorted.get(sorted.len() * 99 / 100);
        at.copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

fn documents(driver: &mongodb::Client) -> Collection<RawDocumentBuf> {
    let durable = WriteConcern::builder()
        .w(mongodb::options::Acknowledgment::Majority)
        .journal(true);
    let options = mongodb::options::CollectionOptions::builder()
        .write_concern(durable.build())
        .build();
    driver
        .database(DATABASE)
        .collection_with_options("notes", options)
}

fn body() -> mongodb::bson::Document {
    doc! {
        "title": "A note of ordinary length, as people write them",
        "done": false,
        "tags": ["home", "shopping"],
        "place": { "city": "Paris", "lat": 48.8566, "lon": 2.3522 },
        "count": 3,
    }
}

/// Clients of the service, each with a connection of its own.
async fn clients(port: u16) -> Result<Vec<Caller>> {
    let mut clients = Vec::new();
    for _ in 0..CALLERS {
        clients.push(Caller::Service {
            connection: connect(port).await?,
            token: jwt::user(SECRET, OWNER),
        });
    }
    Ok(clients)
}

async fn connect(port: u16) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    #[expect(clippy::disallowed_methods, reason = "ends with its connection")]
    tokio::spawn(connection);
    Ok(sender)
}

fn usage(pid: u32) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a process")?;
    // User and system time, in hundredths of a second.
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse().unwrap_or(0))
        .sum();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|line| line.split_whitespace().next());
    Ok(Usage {
        cpu: Duration::from_millis(ticks * 10),
        resident_kib: resident.unwrap_or("0").parse()?,
    })
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(listener.local_addr()?.port())
}
