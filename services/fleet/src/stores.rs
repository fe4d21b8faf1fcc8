//! The private databases below `ferrobase up`.

use std::path::Path;

use anyhow::{Context, Result};
use testkit::servers::{Mongo, Postgres, mongo, postgres};
use url::Url;

use crate::dotenv::{Variables, port};

/// Database that the stack lives in.
const DATABASE: &str = "postgres";

/// Running database servers; they end with this value.
#[derive(Debug)]
pub(crate) struct Stores {
    pub(crate) postgres: Postgres,
    pub(crate) mongo: Mongo,
}

impl Stores {
    /// Starts the servers on the data below `data`, creating it on the first run.
    pub(crate) async fn start(data: &Path, variables: &Variables) -> Result<Self> {
        let postgres = Postgres::start(postgres::Options {
            port: port(variables, "POSTGRES_PORT")?,
            password: variables.get("POSTGRES_PASSWORD").cloned(),
            data: Some(data.join("postgres")),
            ..postgres::Options::default()
        });
        let mongo = Mongo::start(mongo::Options {
            port: port(variables, "MONGO_PORT")?,
            data: Some(data.join("mongo")),
            ..mongo::Options::default()
        });
        let (postgres, mongo) = tokio::try_join!(postgres, mongo)?;
        Ok(Self { postgres, mongo })
    }

    /// Tells the services where the databases are.
    pub(crate) fn announce(&self, variables: &mut Variables) -> Result<()> {
        postgres_variables(variables, &self.postgres.url(DATABASE))?;
        variables.insert("MONGO_URI".to_owned(), self.mongo.uri());
        Ok(())
    }

    /// Stops the servers in an orderly way.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let (postgres, mongo) = tokio::join!(self.postgres.stop(), self.mongo.stop());
        postgres.and(mongo)
    }
}

/// Derives each service's connection URL from the superuser's and the roles' passwords.
pub fn postgres_variables(variables: &mut Variables, admin_url: &str) -> Result<()> {
    const LOGINS: [(&str, &str, &str); 3] = [
        ("PGRST_DB_URI", "authenticator", "AUTHENTICATOR_PASSWORD"),
        ("GOTRUE_DB_DATABASE_URL", "auth_admin", "AUTH_DB_PASSWORD"),
        ("EMAIL_DATABASE_URL", "email_admin", "EMAIL_DB_PASSWORD"),
    ];
    variables.insert("DATABASE_ADMIN_URL".to_owned(), admin_url.to_owned());
    for (name, role, password) in LOGINS {
        let mut url = Url::parse(admin_url)?;
        let password = variables.get(password).map_or("", String::as_str);
        let named = url
            .set_username(role)
            .and_then(|()| url.set_password(Some(password)));
        named
            .ok()
            .context("the database URL cannot carry a login")?;
        variables.insert(name.to_owned(), url.to_string());
    }
    Ok(())
}
