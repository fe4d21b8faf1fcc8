//! The schemas of the services, each owned by the role of its service.

use tokio_postgres::Transaction;

use crate::{Report, roles::ROLES};

const OWNER: &str = "
select o.rolname::text
  from pg_namespace n join pg_roles o on o.oid = n.nspowner
 where n.nspname = $1";

/// Creates what is missing and gives every schema to its owner.
pub(crate) async fn apply(
    transaction: &Transaction<'_>,
    report: &mut Report,
) -> anyhow::Result<()> {
    for role in ROLES {
        let (role, Some(schema)) = (role.name, role.schema) else {
            continue;
        };
        let owner = transaction.query_opt(OWNER, &[&schema]).await?;
        let (statement, change) = match owner.as_ref().map(|row| row.get::<_, &str>(0)) {
            Some(owner) if owner == role => continue,
            Some(_) => (
                format!("alter schema {schema} owner to {role}"),
                format!("schema {schema}: given to {role}"),
            ),
            None => (
                format!("create schema {schema} authorization {role}"),
                format!("schema {schema}: created"),
            ),
        };
        transaction.batch_execute(&statement).await?;
        report.changed(change);
    }
    Ok(())
}
