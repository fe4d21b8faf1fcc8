//! MongoDB goes away and comes back: the service says so, recovers by itself, and loses nothing
//! that it acknowledged.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::Duration,
};

use mongo_api::Limits;
use mongodb::bson::doc;
use serde_json::{Value, json};
use testkit::{
    servers::{Mongo, mongo::ReplicaSet},
    wait::eventually,
};

use crate::api::{ANN, Api, assert_refused};

/// Long enough for a restart or an election on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

const NOTES: &str = "/collections/notes/documents";

/// The service on a server of this test's own, impatient so that failures show.
async fn on(mongo: &Mongo) -> Api {
    let uri = format!("mongodb://127.0.0.1:{}/?replicaSet=rs0", mongo.port());
    impatient(&uri).await
}

async fn impatient(uri: &str) -> Api {
    let uri = format!("{uri}&serverSelectionTimeoutMS=500");
    Api::on(&uri, "outage", Limits::default()).await
}

#[tokio::test]
async fn a_service_without_its_database_says_so_and_recovers() {
    let mut mongo = Mongo::temporary().await.unwrap();
    mongo.stop().await.unwrap();
    let api = on(&mongo).await;
    assert_refused(&api.get(NOTES).send().await, 503, "database_unavailable");
    let created = api.post(NOTES, &json!({})).send().await;
    assert_refused(&created, 503, "database_unavailable");
    assert_eq!(ready(&api).await.0, 503);

    mongo.resume().await.unwrap();
    eventually("a write", DEADLINE, async || {
        let response = api.post(NOTES, &json!({})).send().await;
        (response.status == 201).then_some(())
    })
    .await;
    let (status, report) = ready(&api).await;
    assert_eq!((status, &report["checks"]["mongodb"]), (200, &json!("ok")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_under_load_loses_no_acknowledged_write() {
    let mut mongo = Mongo::temporary().await.unwrap();
    let load = Load::start(on(&mongo).await).await;
    mongo.kill().await.unwrap();
    load.until_refused().await;
    mongo.resume().await.unwrap();
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_down_under_load_loses_no_acknowledged_write() {
    let mongo = Mongo::temporary().await.unwrap();
    let load = Load::start(on(&mongo).await).await;
    let direct = mongodb::Client::with_uri_str(mongo.uri()).await.unwrap();
    let step_down = doc! { "replSetStepDown": 1, "secondaryCatchUpPeriodSecs": 0, "force": true };
    direct
        .database("admin")
        .run_command(step_down)
        .await
        .unwrap();
    load.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_member_takes_over_under_load_and_no_acknowledged_write_is_lost() {
    let mut set = ReplicaSet::temporary(3).await.unwrap();
    let load = Load::start(impatient(&set.uri()).await).await;
    set.kill_primary().await.unwrap();
    load.until_acknowledged(50).await;
    // The former primary rejoins, and must roll back nothing that was acknowledged.
    set.resume().await.unwrap();
    load.finish().await;
}

/// Whether the service says it is ready, and why not.
async fn ready(api: &Api) -> (u16, Value) {
    let response = api.bare_unchecked().get("/health/ready").send().await;
    (response.status.as_u16(), response.json())
}

/// Writers that go on whatever they are told.
struct Load {
    api: Arc<Api>,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicI32>,
    acknowledged: Arc<AtomicI32>,
    writers: tokio::task::JoinSet<Vec<i32>>,
}

impl Load {
    async fn start(api: Api) -> Self {
        let mut load = Self {
            api: Arc::new(api),
            stop: Arc::default(),
            refused: Arc::default(),
            acknowledged: Arc::default(),
            writers: tokio::task::JoinSet::new(),
        };
        for writer in 0..4 {
            let (api, stop) = (Arc::clone(&load.api), Arc::clone(&load.stop));
            let (refused, acknowledged) =
                (Arc::clone(&load.refused), Arc::clone(&load.acknowledged));
            load.writers.spawn(async move {
                let mut written = Vec::new();
                for n in (writer..).step_by(4) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let response = api.post(NOTES, &json!({ "n": n })).send().await;
                    match response.status.as_u16() {
                        201 => {
                            acknowledged.fetch_add(1, Ordering::Relaxed);
                            written.push(n);
                        }
                        503 => {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        status => assert_eq!(status, 503, "{}", response.text()),
                    }
                }
                written
            });
        }
        load.until_acknowledged(50).await;
        load
    }

    /// Waits until as many more writes are acknowledged.
    async fn until_acknowledged(&self, more: i32) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + more;
        eventually("acknowledged writes", DEADLINE, async || {
            (self.acknowledged.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    async fn until_refused(&self) {
        eventually("a refused write", DEADLINE, async || {
            (self.refused.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
    }

    /// Waits for the recovery, ends the load, and looks for everything that was acknowledged.
    async fn finish(mut self) {
        self.until_acknowledged(50).await;
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = Vec::new();
        while let Some(written) = self.writers.join_next().await {
            acknowledged.extend(written.expect("a writer"));
        }
        let stored = self
            .api
            .all("notes", doc! { "owner_id": ANN }, doc! {})
            .await;
        let stored: BTreeSet<i32> = stored
            .iter()
            .filter_map(|one| one.get_i32("n").ok())
            .collect();
        let lost: Vec<i32> = acknowledged
            .into_iter()
            .filter(|n| !stored.contains(n))
            .collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    }
}
