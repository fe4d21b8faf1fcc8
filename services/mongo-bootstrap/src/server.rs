//! What the job asks of the server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::{Error, ErrorKind},
    options::{ClientOptions, Credential, ServerAddress},
};
use secrecy::{ExposeSecret, SecretString};

/// Pause between two looks at a server that is not ready yet.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the driver looks for the server in one attempt.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// The administrator.
const ROOT: &str = "root";

const ALREADY_INITIALIZED: i32 = 23;
const UNAUTHORIZED: i32 = 13;
const USER_EXISTS: i32 = 51003;

/// One server, spoken to directly, as nobody or as the administrator.
pub(crate) struct Server(Database);

impl Server {
    /// A server at `address`, as the administrator if a password is given.
    pub(crate) fn new(address: &str, root_password: Option<&SecretString>) -> Result<Self> {
        let credential = root_password.map(|password| {
            Credential::builder()
                .username(ROOT.to_owned())
                .password(password.expose_secret().to_owned())
                .build()
        });
        let options = ClientOptions::builder()
            .hosts(vec![ServerAddress::parse(address)?])
            .direct_connection(true)
            .server_selection_timeout(SELECTION_TIMEOUT)
            .app_name("mongo-bootstrap".to_owned())
            .credential(credential)
            .build();
        Ok(Self(Client::with_options(options)?.database("admin")))
    }

    /// Waits until the server answers.
    pub(crate) async fn answers(&self, deadline: Instant) -> Result<()> {
        loop {
            match self.0.run_command(doc! { "hello": 1 }).await {
                Ok(_) => return Ok(()),
                Err(error) if is_refusal(&error) => {
                    return Err(error).context("MongoDB refuses the administrator's password");
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("MongoDB does not answer");
                }
                Err(error) => tracing::info!(%error, "waiting for MongoDB"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the server is the primary of its set.
    pub(crate) async fn is_primary(&self, deadline: Instant) -> Result<()> {
        loop {
            let hello = self.0.run_command(doc! { "hello": 1 }).await?;
            if hello.get_bool("isWritablePrimary").unwrap_or_default() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("MongoDB has no primary");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Makes a replica set of one; tells whether there was none. A server that knows its users
    /// already refuses, and has a set.
    pub(crate) async fn form_set(&self, name: &str, member: &str) -> Result<bool> {
        let only = doc! { "_id": 0, "host": member };
        let set = doc! { "replSetInitiate": { "_id": name, "members": [only] } };
        changed(
            self.0.run_command(set).await,
            &[ALREADY_INITIALIZED, UNAUTHORIZED],
        )
        .context("the replica set cannot be made")
    }

    /// Makes the administrator; tells whether there was none.
    pub(crate) async fn create_root(&self, password: &SecretString) -> Result<bool> {
        let user = doc! {
            "createUser": ROOT,
            "pwd": password.expose_secret(),
            "roles": [{ "role": "root", "db": "admin" }],
        };
        changed(self.0.run_command(user).await, &[USER_EXISTS, UNAUTHORIZED])
            .context("the administrator cannot be made")
    }

    /// Makes a user of `database`, or gives the existing one this password; tells whether it is new.
    pub(crate) async fn ensure_user(
        &self,
        name: &str,
        password: &SecretString,
        database: &str,
    ) -> Result<bool> {
        let rights = doc! {
            "pwd": password.expose_secret(),
            "roles": [
                { "role": "readWrite", "db": database },
                { "role": "dbAdmin", "db": database },
            ],
        };
        let mut create = doc! { "createUser": name };
        create.extend(rights.clone());
        let is_new = changed(self.0.run_command(create).await, &[USER_EXISTS])
            .with_context(|| format!("the user {name} cannot be made"))?;
        if !is_new {
            let mut update = doc! { "updateUser": name };
            update.extend(rights);
            self.0
                .run_command(update)
                .await
                .with_context(|| format!("the user {name} cannot be changed"))?;
        }
        Ok(is_new)
    }
}

/// Whether the server is there and does not accept the login.
fn is_refusal(error: &Error) -> bool {
    matches!(*error.kind, ErrorKind::Authentication { .. })
}

/// Whether a command changed something, where refusals with one of `codes` mean that it was done
/// before.
fn changed(result: Result<Document, Error>, codes: &[i32]) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(true),
        Err(error) => match &*error.kind {
            ErrorKind::Command(refusal) if codes.contains(&refusal.code) => Ok(false),
            _ => Err(error),
        },
    }
}
