//! What is counted, under the names `PostgREST` has for it.

use std::time::Duration;

use common::postgres::{Pool, PoolState};

const POOL_AVAILABLE: &str = "pgrst_db_pool_available";
const POOL_MAX: &str = "pgrst_db_pool_max";
const POOL_TIMEOUTS: &str = "pgrst_db_pool_timeouts_total";
const POOL_WAITING: &str = "pgrst_db_pool_waiting";
const SCHEMA_CACHE_LOADS: &str = "pgrst_schema_cache_loads_total";
const SCHEMA_CACHE_TIME: &str = "pgrst_schema_cache_query_time_seconds";
const TOKEN_EVICTIONS: &str = "pgrst_jwt_cache_evictions_total";
const TOKEN_HITS: &str = "pgrst_jwt_cache_hits_total";
const TOKEN_REQUESTS: &str = "pgrst_jwt_cache_requests_total";

/// How often the pool is looked at for those who read metrics.
const POOL_PERIOD: Duration = Duration::from_secs(5);

/// Notes the state of the pool again and again.
pub(crate) async fn watch_pool(pool: Pool) {
    loop {
        record_pool(&pool);
        tokio::time::sleep(POOL_PERIOD).await;
    }
}

/// Notes the state of the pool.
pub(crate) fn record_pool(pool: &Pool) {
    let PoolState {
        available,
        waiting,
        max,
        timeouts,
    } = pool.state();
    metrics::gauge!(POOL_AVAILABLE).set(number(available));
    metrics::gauge!(POOL_WAITING).set(number(waiting));
    metrics::gauge!(POOL_MAX).set(number(max));
    metrics::counter!(POOL_TIMEOUTS).absolute(timeouts);
}

/// Counts a load of the schema cache; a successful one took `duration`.
pub(crate) fn count_load(duration: Option<Duration>) {
    let status = if duration.is_some() {
        "SUCCESS"
    } else {
        "FAIL"
    };
    metrics::counter!(SCHEMA_CACHE_LOADS, "status" => status).increment(1);
    if let Some(duration) = duration {
        metrics::gauge!(SCHEMA_CACHE_TIME).set(duration.as_secs_f64());
    }
}

/// Counts a token that was looked for among those verified before.
pub(crate) fn count_token_lookup(found: bool) {
    metrics::counter!(TOKEN_REQUESTS).increment(1);
    metrics::counter!(TOKEN_HITS).increment(u64::from(found));
}

/// Counts tokens that had to make room.
pub(crate) fn count_forgotten_tokens(tokens: usize) {
    metrics::counter!(TOKEN_EVICTIONS).increment(u64::try_from(tokens).unwrap_or(u64::MAX));
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
