//! MongoDB for tests: one replica set per test process, a database name per test.

use tokio::sync::OnceCell;

use crate::servers::Mongo;

/// The server of this process. It ends with the process.
static SERVER: OnceCell<Mongo> = OnceCell::const_new();

/// A database of one test; MongoDB creates it with the first write.
#[derive(Clone, Debug)]
pub struct Database {
    /// Connection string of the server.
    pub uri: String,
    /// Name of the database.
    pub name: String,
}

/// The server that all databases of this process live in.
pub async fn server() -> &'static Mongo {
    SERVER
        .get_or_try_init(Mongo::temporary)
        .await
        .expect("a private MongoDB starts")
}

/// A database that nobody else uses.
pub async fn database() -> Database {
    Database {
        uri: server().await.uri(),
        name: format!("test_{}", uuid::Uuid::new_v4().simple()),
    }
}
