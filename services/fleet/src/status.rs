//! `ferrobase status`: asks each service of a running stack how it is.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::{cli::Place, state::State};

/// What one service answered.
#[derive(Debug, Serialize)]
struct Answer {
    url: String,
    ready: bool,
    detail: Value,
}

/// Prints one line for each service; tells whether all are ready.
pub(crate) async fn run(place: &Place, json: bool) -> Result<bool> {
    let state = State::read(&place.data)?;
    let http = common::client::internal(Duration::from_secs(3))?;
    let mut answers = BTreeMap::new();
    for (name, url) in state.services {
        let (ready, detail) = match http.get(format!("{url}/health/ready")).send().await {
            Ok(response) => {
                let ready = response.status().is_success();
                (ready, response.json().await.unwrap_or(Value::Null))
            }
            Err(_) => (false, Value::from("no answer")),
        };
        answers.insert(name, Answer { url, ready, detail });
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&answers)?);
    } else {
        for (name, answer) in &answers {
            let word = if answer.ready { "ready" } else { "NOT READY" };
            println!("{name:12} {word:10} {:28} {}", answer.url, answer.detail);
        }
    }
    Ok(answers.values().all(|answer| answer.ready))
}
