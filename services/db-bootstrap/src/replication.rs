//! Server settings that logical replication needs. They are of the whole server and cannot be
//! changed in a transaction.

use tokio_postgres::Client;

use crate::Report;

/// How much log a replication slot may hold back. Without a limit, a slot that nobody reads fills
/// the disk and stops the database.
const MAX_SLOT_WAL: &str = "4GB";

/// What is in force, where it comes from, and what the next start will use.
const STATE: &str = "
select s.setting, s.source,
       (select f.setting from pg_file_settings f where f.name = s.name order by seqno desc limit 1)
  from pg_settings s where s.name = $1";

/// A setting of the server.
struct Setting {
    value: String,
    source: String,
    in_file: Option<String>,
}

/// Asks for logical decoding and bounds what it may cost.
pub(crate) async fn apply(client: &Client, report: &mut Report) -> anyhow::Result<()> {
    let wal_level = setting(client, "wal_level").await?;
    if wal_level.value != "logical" {
        if wal_level.is_ours_to_change() && wal_level.in_file.as_deref() != Some("logical") {
            client
                .batch_execute("alter system set wal_level = 'logical'")
                .await?;
            report.changed("wal_level = logical");
        }
        report.restart_needed = Some(format!(
            "wal_level is {}, and live subscriptions need logical",
            wal_level.value
        ));
    }
    let limit = setting(client, "max_slot_wal_keep_size").await?;
    if limit.value == "-1" && limit.source == "default" {
        let statement = format!("alter system set max_slot_wal_keep_size = '{MAX_SLOT_WAL}'");
        client.batch_execute(&statement).await?;
        client.query("select pg_reload_conf()", &[]).await?;
        report.changed(format!("max_slot_wal_keep_size = {MAX_SLOT_WAL}"));
    }
    Ok(())
}

async fn setting(client: &Client, name: &str) -> anyhow::Result<Setting> {
    let row = client.query_one(STATE, &[&name]).await?;
    Ok(Setting {
        value: row.get(0),
        source: row.get(1),
        in_file: row.get(2),
    })
}

impl Setting {
    /// The command line and the environment win over `alter system`.
    fn is_ours_to_change(&self) -> bool {
        ["default", "configuration file"].contains(&self.source.as_str())
    }
}
