//! The SQL files, and when each is run.

use anyhow::Context;
use tokio_postgres::Transaction;

use crate::{Config, Report, roles::ROLES};

/// A file of SQL.
struct Script {
    name: &'static str,
    sql: &'static str,
    rule: Rule,
}

/// When a script is run. Conditions are SQL expressions.
enum Rule {
    /// When its text is not the one that was run last, or something of it is gone.
    Maintained { intact: &'static str },
    /// Once; what becomes of it afterwards is the user's affair.
    Once { possible: &'static str },
}

/// Creates the table that records the other scripts.
const FOUNDATION: &str = include_str!("../sql/foundation.sql");

const SCRIPTS: &[Script] = &[
    Script {
        name: "helpers",
        sql: include_str!("../sql/helpers.sql"),
        rule: Rule::Maintained {
            intact: "num_nulls(to_regprocedure('auth.uid()'), to_regprocedure('auth.role()'),
                to_regprocedure('auth.email()'), to_regprocedure('auth.jwt()')) = 0",
        },
    },
    Script {
        name: "exposure",
        sql: include_str!("../sql/exposure.sql"),
        rule: Rule::Maintained {
            intact: "to_regprocedure('ferrobase.expose(text)') is not null",
        },
    },
    Script {
        name: "row_security",
        sql: include_str!("../sql/row_security.sql"),
        rule: Rule::Maintained {
            intact: "exists (select from pg_event_trigger where evtname = 'ferrobase_row_security')",
        },
    },
    Script {
        name: "reload",
        sql: include_str!("../sql/reload.sql"),
        rule: Rule::Maintained {
            intact: "2 = (select count(*) from pg_event_trigger
                where evtname in ('pgrst_ddl_watch', 'pgrst_drop_watch'))",
        },
    },
];

const QUICK_START: Script = Script {
    name: "quick_start",
    sql: include_str!("../sql/quick_start.sql"),
    rule: Rule::Once {
        possible: "num_nonnulls(to_regclass('public.users'), to_regclass('public.posts'),
            to_regclass('public.projects')) = 0",
    },
};

/// Runs the scripts whose time has come, and exposes the schemas of the configuration.
pub(crate) async fn apply(
    transaction: &Transaction<'_>,
    config: &Config,
    report: &mut Report,
) -> anyhow::Result<()> {
    foundation(transaction, report).await?;
    for script in SCRIPTS {
        script.apply(transaction, report).await?;
    }
    expose(transaction, config, report).await?;
    if config.quick_start && config.exposed_schemas.iter().any(|name| name == "public") {
        QUICK_START.apply(transaction, report).await?;
    }
    Ok(())
}

async fn foundation(transaction: &Transaction<'_>, report: &mut Report) -> anyhow::Result<()> {
    let is_laid = "select to_regclass('ferrobase.scripts') is not null";
    if !transaction.query_one(is_laid, &[]).await?.get::<_, bool>(0) {
        let result = transaction.batch_execute(FOUNDATION).await;
        result.context("foundation.sql")?;
        report.changed("schemas ferrobase and extensions: created");
    }
    let closed: Vec<&str> = ROLES.iter().filter_map(|role| role.schema).collect();
    let insert = "insert into ferrobase.schemas (name, is_exposed)
        select name, false from unnest($1::text[]) as name on conflict (name) do nothing";
    transaction.execute(insert, &[&closed]).await?;
    Ok(())
}

async fn expose(
    transaction: &Transaction<'_>,
    config: &Config,
    report: &mut Report,
) -> anyhow::Result<()> {
    for schema in &config.exposed_schemas {
        let row = transaction
            .query_one("select ferrobase.expose($1)", &[schema])
            .await
            .with_context(|| format!("schema {schema} cannot be exposed"))?;
        if row.get(0) {
            report.changed(format!("schema {schema}: exposed"));
        }
    }
    Ok(())
}

impl Script {
    async fn apply(
        &self,
        transaction: &Transaction<'_>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if !self.is_due(transaction).await? {
            return Ok(());
        }
        let result = transaction.batch_execute(self.sql).await;
        result.with_context(|| format!("{}.sql", self.name))?;
        let record = "insert into ferrobase.scripts (name, checksum) values ($1, md5($2))
            on conflict (name) do update set checksum = excluded.checksum, applied_at = now()";
        transaction
            .execute(record, &[&self.name, &self.sql])
            .await?;
        report.changed(format!("{}: applied", self.name));
        Ok(())
    }

    async fn is_due(&self, transaction: &Transaction<'_>) -> anyhow::Result<bool> {
        let (Rule::Maintained { intact: condition }
        | Rule::Once {
            possible: condition,
        }) = self.rule;
        let query = format!(
            "select (select checksum = md5($2) from ferrobase.scripts where name = $1), {condition}"
        );
        let row = transaction
            .query_one(&query, &[&self.name, &self.sql])
            .await
            .with_context(|| format!("whether {}.sql is due", self.name))?;
        // Null when the script was never run.
        let is_current: Option<bool> = row.get(0);
        let holds: bool = row.get(1);
        Ok(match self.rule {
            Rule::Maintained { .. } => is_current != Some(true) || !holds,
            Rule::Once { .. } => is_current.is_none() && holds,
        })
    }
}
