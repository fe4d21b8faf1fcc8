//! Functions of the operator's own, called as hooks.

use sqlx::PgConnection;

/// Longest time a function may take, as PostgreSQL reads it.
const TIMEOUT: &str = "2s";

/// What the function answers to `event`; the rest of the transaction keeps its own limits.
pub async fn call(
    connection: &mut PgConnection,
    (schema, function): (&str, &str),
    event: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query("select set_config('statement_timeout', $1, true)")
        .bind(TIMEOUT)
        .execute(&mut *connection)
        .await?;
    let answer = sqlx::query_scalar("select auth.call_hook($1, $2, $3)")
        .bind(schema)
        .bind(function)
        .bind(event)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query("set local statement_timeout to default")
        .execute(connection)
        .await?;
    Ok(answer)
}
