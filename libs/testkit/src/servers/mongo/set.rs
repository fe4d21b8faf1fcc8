//! A replica set of several members on this machine, for tests of a primary that is lost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Document, Mongo, Options, PRIMARY, REPLICA_SET, configuration};
use crate::{servers::process::Signal, wait::eventually};

/// How long an election may take on a busy machine.
const ELECTION_DEADLINE: Duration = Duration::from_mins(1);

/// Silence after which the others elect a new primary. MongoDB waits ten seconds; a test need not.
const ELECTION_TIMEOUT_MS: i32 = 1000;

/// Running members. Dropping it, or the end of this process, ends them.
#[derive(Debug)]
pub struct ReplicaSet {
    members: Vec<Mongo>,
}

impl ReplicaSet {
    /// A set of `size` members with random ports and an elected primary that leaves no trace.
    pub async fn temporary(size: usize) -> Result<Self> {
        let mut members = Vec::with_capacity(size);
        for _ in 0..size {
            let mut member = Mongo::prepare(Options::default())?;
            member.run_until(answers).await?;
            members.push(member);
        }
        let set = Self { members };
        let settings = Document::default().int("electionTimeoutMillis", ELECTION_TIMEOUT_MS);
        let wanted =
            configuration(1, set.members.iter().map(Mongo::address)).document("settings", settings);
        let initiate = Document::default().document("replSetInitiate", wanted);
        let first = set.members.first().context("a set needs a member")?;
        let reply = first.run(initiate).await?;
        ensure!(reply.is_ok(), "no replica set: {}", reply.text());
        set.primary().await;
        Ok(set)
    }

    /// A connection string that names every member.
    pub fn uri(&self) -> String {
        let addresses: Vec<_> = self.members.iter().map(Mongo::address).collect();
        format!(
            "mongodb://{}/?replicaSet={REPLICA_SET}",
            addresses.join(",")
        )
    }

    /// Ends the member that takes writes as a crash would; the others elect another.
    pub async fn kill_primary(&mut self) -> Result<()> {
        let primary = self.primary().await;
        for member in &mut self.members {
            if member.port() == primary {
                member.end(Signal::Kill).await?;
            }
        }
        Ok(())
    }

    /// Starts members that were ended again.
    pub async fn resume(&mut self) -> Result<()> {
        for member in &mut self.members {
            member.run_until(answers).await?;
        }
        Ok(())
    }

    /// The port of the member that takes writes, once there is one.
    async fn primary(&self) -> u16 {
        eventually("a primary", ELECTION_DEADLINE, async || {
            for member in &self.members {
                if let Ok(hello) = member.hello().await
                    && hello.is_true(PRIMARY)
                {
                    return Some(member.port());
                }
            }
            None
        })
        .await
    }
}

async fn answers(member: &Mongo) -> Result<()> {
    member.hello().await.map(drop)
}
