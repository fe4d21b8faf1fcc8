//! Settings kept in the database: those of the service, and those of the roles it takes on.

use std::collections::HashMap;

use common::postgres::{Connection, Failure, Isolation, Param, Statement};

use crate::{catalog::QualifiedName, config::Given, quote, session::parse_isolation};

/// What comes before the names of the service's own settings.
const PREFIX: &str = "pgrst.";

/// Settings made with `alter role … set`, by role.
#[derive(Clone, Debug, Default)]
pub struct RoleSettings(HashMap<String, RoleSetting>);

#[derive(Clone, Debug, Default)]
struct RoleSetting {
    isolation: Option<Isolation>,
    others: Vec<(String, String)>,
}

/// Whether settings can be granted, which came with PostgreSQL 15.
const KNOWS_GRANTS: &str = "select current_setting('server_version_num')::int >= 150000";
const GRANTED: &str = "or has_parameter_privilege(p.name, 'set')";

/// The setting that says how transactions are isolated.
pub const ISOLATION: &str = "default_transaction_isolation";

impl RoleSettings {
    /// How transactions of a role are isolated, unless in the default way.
    pub fn isolation(&self, role: &str) -> Option<Isolation> {
        self.0.get(role)?.isolation
    }

    /// The other settings of a role.
    pub fn of(&self, role: &str) -> &[(String, String)] {
        self.0
            .get(role)
            .map(|role| role.others.as_slice())
            .unwrap_or_default()
    }

    fn add(&mut self, role: &str, name: &str, value: &str) {
        let role = self.0.entry(role.to_owned()).or_default();
        if name == ISOLATION {
            role.isolation = parse_isolation(value);
        } else {
            role.others.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Settings of the roles that our own role is a member of, as far as we may make them.
pub(super) async fn of_roles(connection: &mut Connection) -> Result<RoleSettings, Failure> {
    let mut settings = RoleSettings::default();
    let mut knows_grants = false;
    connection
        .run_each(&[Statement::once(KNOWS_GRANTS, &[])], |_, row| {
            knows_grants = row.text(0) == Some("t");
        })
        .await?;
    let granted = if knows_grants { GRANTED } else { "" };
    let sql = include_str!("roles.sql").replace("/* or granted */", granted);
    connection
        .run_each(&[Statement::once(&sql, &[])], |_, row| {
            if let (Some(role), Some(name), Some(value)) = (row.text(0), row.text(1), row.text(2)) {
                settings.add(role, name, value);
            }
        })
        .await?;
    Ok(settings)
}

/// The service's own settings: those of our role in this database win over those of our role, and
/// these over what the function `pre_config` sets.
pub(super) async fn of_database(
    connection: &mut Connection,
    pre_config: Option<&QualifiedName>,
) -> Result<Vec<(String, String)>, Failure> {
    let names: Vec<String> = Given::names()
        .map(|name| format!("{PREFIX}{name}"))
        .collect();
    let names = format!("{{{}}}", names.join(","));
    let params = [Param::Text(names.as_bytes())];
    let call = pre_config.map(call);
    let mut batch = Vec::with_capacity(2);
    batch.extend(call.as_deref().map(|sql| Statement::once(sql, &[])));
    batch.push(Statement::once(include_str!("database.sql"), &params));
    let mut found = Vec::new();
    connection
        .run_each(&batch, |_, row| {
            if let (Some(name), Some(value)) = (row.text(0), row.text(1)) {
                found.push((name.to_owned(), value.to_owned()));
            }
        })
        .await?;
    Ok(found)
}

/// What sessions of ours begin with, as far as it is said in the database.
pub(super) async fn of_sessions(connection: &mut Connection) -> Result<String, Failure> {
    let sql = include_str!("sessions.sql");
    let mut found = String::new();
    connection
        .run_each(&[Statement::once(sql, &[])], |_, row| {
            row.text(0).unwrap_or_default().clone_into(&mut found);
        })
        .await?;
    Ok(found)
}

fn call(function: &QualifiedName) -> String {
    let mut sql = "select from ".to_owned();
    quote::qualified(&mut sql, function);
    sql + "()"
}
