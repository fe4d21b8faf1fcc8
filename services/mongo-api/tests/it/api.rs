//! The service without a socket, on a database of its own.

use std::time::Duration;

use common::{
    lifecycle::Lifecycle,
    service::{self, Service},
};
use mongo_api::{Config, Limits, MongoApi};
use mongodb::bson::Document;
use secrecy::SecretString;
use serde_json::Value;
use testkit::{
    Client, Contract,
    client::{RequestBuilder, Response},
    jwt,
};

const SECRET: &str = "the-secret-of-these-tests-0123456789";

/// Users of the tests.
pub(crate) const ANN: &str = "a0000000-0000-4000-8000-000000000001";
pub(crate) const BOB: &str = "b0000000-0000-4000-8000-000000000002";

/// A running service and the database behind it.
pub(crate) struct Api {
    client: Client,
    unchecked: Client,
    token: String,
    database: mongodb::Database,
}

impl Api {
    /// The service on an empty database, called by Ann.
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    /// The service with limits of the test's choice.
    pub(crate) async fn with(limits: Limits) -> Self {
        let database = testkit::mongo::database().await;
        Self::on(&database.uri, &database.name, limits).await
    }

    /// The service on a server of the test's choice.
    pub(crate) async fn on(uri: &str, database: &str, limits: Limits) -> Self {
        let config = Config {
            jwt_secret: SecretString::from(SECRET),
            jwt_keys: common::identity::PublicKeys::default(),
            mongo_uri: SecretString::from(uri),
            database: database.to_owned(),
            limits,
        };
        let lifecycle = Lifecycle::default();
        let app = MongoApi::build(config, &lifecycle)
            .await
            .expect("the service is built");
        let router = service::router::<MongoApi>(app, &lifecycle).expect("a router");
        let direct = mongodb::Client::with_uri_str(uri).await.expect("a URI");
        Self {
            unchecked: Client::new(router.clone()),
            client: Client::new(router).checked_by(Contract::of::<MongoApi>()),
            token: jwt::user(SECRET, ANN),
            database: direct.database(database),
        }
    }

    /// The same service, called by another user.
    pub(crate) fn user(&self, id: &str) -> Self {
        self.called_with(jwt::user(SECRET, id))
    }

    /// The same service, called by the service role.
    pub(crate) fn service(&self) -> Self {
        self.called_with(jwt::role(SECRET, "service_role"))
    }

    /// The same service, called by nobody in particular.
    pub(crate) fn anonymous(&self) -> Self {
        self.called_with(jwt::role(SECRET, "anon"))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder<'_> {
        self.client.get(path).bearer(&self.token)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder<'_> {
        self.client.post(path).bearer(&self.token).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> RequestBuilder<'_> {
        self.client.put(path).bearer(&self.token).json(body)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> RequestBuilder<'_> {
        self.client.patch(path).bearer(&self.token).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder<'_> {
        self.client.delete(path).bearer(&self.token)
    }

    /// The token of the caller.
    pub(crate) fn token(&self) -> String {
        self.token.clone()
    }

    /// A client without credentials.
    pub(crate) fn bare(&self) -> &Client {
        &self.client
    }

    /// A client of the paths that are in no contract, such as health.
    pub(crate) fn bare_unchecked(&self) -> &Client {
        &self.unchecked
    }

    /// Stores a document in `collection` and gives its id.
    pub(crate) async fn create(&self, collection: &str, body: Value) -> String {
        let response = self
            .post(&format!("/collections/{collection}/documents"), &body)
            .send()
            .await;
        assert_eq!(response.status, 201, "{}", response.text());
        let id = &response.json()["data"]["_id"];
        id.as_str().expect("an id").to_owned()
    }

    /// What is really stored in `collection`.
    pub(crate) fn stored(&self, collection: &str) -> mongodb::Collection<Document> {
        self.database.collection(collection)
    }

    /// Everything in `collection` that matches, in the order asked for.
    pub(crate) async fn all(
        &self,
        collection: &str,
        filter: Document,
        sort: Document,
    ) -> Vec<Document> {
        let stored = self.stored(collection);
        let mut found = stored.find(filter).sort(sort).await.expect("documents");
        let mut documents = Vec::new();
        while found.advance().await.expect("a document") {
            documents.push(found.deserialize_current().expect("a document"));
        }
        documents
    }

    /// Puts documents into `collection` behind the service's back.
    pub(crate) async fn fill(
        &self,
        collection: &str,
        documents: impl IntoIterator<Item = Document>,
    ) {
        let documents: Vec<Document> = documents.into_iter().collect();
        let inserted = self.stored(collection).insert_many(documents).await;
        inserted.expect("the documents are stored");
    }

    /// The database behind the service.
    pub(crate) fn database(&self) -> &mongodb::Database {
        &self.database
    }

    fn called_with(&self, token: String) -> Self {
        Self {
            client: self.client.clone(),
            unchecked: self.unchecked.clone(),
            token,
            database: self.database.clone(),
        }
    }
}

/// `name=value` for a query string.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    format!("?{}", pairs.join("&"))
}

/// Fails unless the response is a refusal with this status and code.
#[track_caller]
pub(crate) fn assert_refused(response: &Response, status: u16, code: &str) {
    assert_eq!(
        (
            response.status.as_u16(),
            response.json()["error"]["code"].as_str()
        ),
        (status, Some(code)),
        "{}",
        response.text()
    );
}

/// Limits under which a slow query ends soon.
pub(crate) fn hasty() -> Limits {
    Limits {
        query_time: Duration::from_millis(50),
        ..Limits::default()
    }
}
