//! The service over a database of its own.

use std::time::Duration;

use common::{
    clock::Clock,
    config::{Env, load},
    lifecycle::Lifecycle,
};
use sql_rest::{AppState, config::Config, router};
use testkit::{
    Client, jwt,
    postgres::{Database, database_from, server},
    wait::eventually,
};
use tokio::sync::OnceCell;

pub(crate) const SECRET: &str = "a-secret-of-at-least-32-characters!";
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running service.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) client: Client,
    pub(crate) state: AppState,
    pub(crate) database: Database,
}

/// The service over a copy of the schema `api`.
pub(crate) async fn stack(pairs: &[(&str, &str)]) -> Stack {
    stack_with("api", include_str!("api.sql"), pairs).await
}

/// The service over what `sql` makes; `name` stands for it.
pub(crate) async fn stack_with(name: &str, sql: &str, pairs: &[(&str, &str)]) -> Stack {
    stack_over(database_with(name, sql).await, pairs).await
}

/// A copy of what `sql` makes; `name` stands for it.
pub(crate) async fn database_with(name: &str, sql: &str) -> Database {
    database_from(name, async |database| {
        roles().await;
        database.connect().await.batch_execute(sql).await?;
        Ok(())
    })
    .await
}

/// The service over `database`, when it has loaded what is there.
pub(crate) async fn stack_over(database: Database, pairs: &[(&str, &str)]) -> Stack {
    let url = database.url_for("authenticator", "authenticator").await;
    let state = state(&url, pairs);
    let stack = Stack {
        client: Client::new(router(state.clone())),
        state,
        database,
    };
    stack.loaded().await;
    stack
}

/// The service's state over whatever is at `url`.
pub(crate) fn state(url: &str, pairs: &[(&str, &str)]) -> AppState {
    let defaults = [
        ("PGRST_DB_URI", url),
        ("PGRST_DB_ANON_ROLE", "anon"),
        ("PGRST_DB_SCHEMAS", "api"),
        ("PGRST_JWT_SECRET", SECRET),
        ("PGRST_DB_POOL", "4"),
    ];
    let all = defaults.into_iter().chain(pairs.iter().copied());
    let config = load::<Config>(&mut Env::from_pairs(all)).expect("a usable configuration");
    AppState::start(config, Clock::system(), &Lifecycle::default()).expect("a usable URL")
}

/// Makes the roles, which all databases of the server share.
pub(crate) async fn roles() {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let make = async || {
        let client = server()
            .await
            .connect("postgres")
            .await
            .expect("a connection");
        let made = client.batch_execute(include_str!("fixture.sql")).await;
        made.expect("the roles are made");
    };
    MADE.get_or_init(make).await;
}

impl Stack {
    async fn loaded(&self) {
        eventually("the schema cache is loaded", DEADLINE, async || {
            self.state.schema_cache().check().ok()
        })
        .await;
    }

    /// Runs SQL as superuser.
    pub(crate) async fn sql(&self, sql: &str) {
        let client = self.database.connect().await;
        client.batch_execute(sql).await.expect("the statement runs");
    }
}

/// A token of a signed-in user.
pub(crate) fn user(sub: &str) -> String {
    jwt::user(SECRET, sub)
}
