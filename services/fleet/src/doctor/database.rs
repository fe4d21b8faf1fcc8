//! Checks of the running database: does row-level security hold, and does nothing pile up?

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::Finding;
use crate::{dotenv::Variables, state::State};

/// Exposed tables that do not enforce row-level security.
const TABLES_WITHOUT_RLS: &str = "\
select format('%I.%I', n.nspname, c.relname)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any($1) and c.relkind in ('r', 'p') and not c.relrowsecurity
order by 1";

/// Policies of exposed tables that let everybody through, those for the service role aside.
const POLICIES_ALWAYS_TRUE: &str = "\
select format('%I on %I.%I', policyname, schemaname, tablename)
from pg_policies
where schemaname = any($1)
  and permissive = 'PERMISSIVE'
  and roles <> '{service_role}'
  and (qual = 'true' or with_check = 'true')
order by 1";

/// Policies that evaluate `auth.uid()` and friends for each row: the planner folds a call into one
/// evaluation only when it stands in a sub-select.
const POLICIES_PER_ROW: &str = r"
select format('%I on %I.%I', policyname, schemaname, tablename)
from pg_policies,
     lateral (select concat_ws(' ', qual, with_check) as expression) e,
     lateral (select regexp_replace(
         expression, 'SELECT auth\.(uid|role|email|jwt)\(\)', '', 'gi') as rest) r
where schemaname = any($1) and rest ~* 'auth\.(uid|role|email|jwt)\(\)'
order by 1";

/// What shows rows to the public roles without asking a policy: views that run with their owner's rights, and
/// relations that cannot have policies.
const RELATIONS_PAST_RLS: &str = r"
select format('%I.%I', n.nspname, c.relname)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any($1)
  and (c.relkind in ('m', 'f') or c.relkind = 'v'
       and not coalesce(c.reloptions::text ~* 'security_invoker=(true|on|yes|1)', false))
  and (has_table_privilege('anon', c.oid, 'select')
       or has_table_privilege('authenticated', c.oid, 'select'))
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1";

/// Replication slots nobody reads, which keep the log from being removed.
const IDLE_SLOTS: &str = "\
select format('%s (%s behind)', slot_name,
              pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)))
from pg_replication_slots
where not active and pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > 256 * 1024 * 1024
order by 1";

/// Looks at the database of a running stack.
pub(super) async fn check(state: &State, variables: &Variables) -> Result<Vec<Finding>> {
    let client = connect(state, variables).await?;
    let exposed: Vec<String> = variables
        .get("PGRST_DB_SCHEMAS")
        .map_or("public", String::as_str)
        .split(',')
        .map(|schema| schema.trim().to_owned())
        .collect();

    let mut findings = Vec::new();
    let unprotected = names(&client, TABLES_WITHOUT_RLS, &[&exposed]).await?;
    findings.push(if unprotected.is_empty() {
        Finding::ok("row security", "every exposed table enforces it")
    } else {
        let list = unprotected.join(", ");
        Finding::error(
            "row security",
            format!("anyone with a key can read and write: {list}; run: alter table … enable row level security"),
        )
    });
    let past = names(&client, RELATIONS_PAST_RLS, &[&exposed]).await?;
    findings.push(review(
        &past,
        "views",
        "none goes past row-level security",
        "policies do not apply to what these show; make it `with (security_invoker = true)`, or revoke select from anon and authenticated",
    ));
    let open = names(&client, POLICIES_ALWAYS_TRUE, &[&exposed]).await?;
    findings.push(review(
        &open,
        "policies",
        "none is always true",
        "these policies are always true; make sure that is meant",
    ));
    let slow = names(&client, POLICIES_PER_ROW, &[&exposed]).await?;
    findings.push(review(
        &slow,
        "policy speed",
        "helpers are evaluated once per statement",
        "write (select auth.uid()) instead of auth.uid() in",
    ));
    let slots = names(&client, IDLE_SLOTS, &[]).await?;
    findings.push(review(
        &slots,
        "replication",
        "no idle slot holds back the log",
        "idle replication slots fill the disk; drop those no longer needed",
    ));
    Ok(findings)
}

fn review(found: &[String], check: &'static str, fine: &str, advice: &str) -> Finding {
    if found.is_empty() {
        Finding::ok(check, fine)
    } else {
        Finding::warning(check, format!("{advice}: {}", found.join(", ")))
    }
}

async fn names(
    client: &Client,
    sql: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Vec<String>> {
    let rows = client.query(sql, parameters).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn connect(state: &State, variables: &Variables) -> Result<Client> {
    let password = variables
        .get("POSTGRES_PASSWORD")
        .map_or("", String::as_str);
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(state.postgres_port)
        .user("postgres")
        .password(password)
        .dbname("postgres")
        .connect_timeout(std::time::Duration::from_secs(3));
    let (client, connection) = config
        .connect(tokio_postgres::NoTls)
        .await
        .context("PostgreSQL does not answer")?;
    common::lifecycle::Lifecycle::default().spawn("postgres connection", async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection ended");
        }
    });
    Ok(client)
}
