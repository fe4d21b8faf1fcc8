//! Forgets what nobody will ask for again, where that is switched on.

use std::time::Duration;

use crate::{AppState, store};

/// Time between two looks, when there was little to remove.
const PAUSE: Duration = Duration::from_mins(1);

/// Removes what is of no use any more, again and again.
pub async fn run(state: AppState) {
    loop {
        match remove_some(&state).await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "rows of no use any more were removed"),
            Err(error) => tracing::warn!(%error, "rows of no use any more could not be removed"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes some of what is of no use any more; tells how many rows.
pub async fn remove_some(state: &AppState) -> sqlx::Result<u64> {
    let mut connection = state.store().connection().await?;
    store::cleanup::remove_some(&mut connection, &state.config().sessions, state.now()).await
}
