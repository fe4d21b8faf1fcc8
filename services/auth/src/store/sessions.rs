//! `auth.sessions` and `auth.mfa_amr_claims`

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{jwt::Method, request::Origin, session::Session};

/// A session about to be stored.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// Identifies it.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Where the sign-in came from.
    pub origin: &'a Origin,
    /// How the user signed in.
    pub method: &'a str,
    /// The OAuth client that it is for, and what that may know.
    pub client: Option<(Uuid, &'a str)>,
}

/// Begins a session.
pub async fn insert(
    connection: &mut PgConnection,
    new: NewSession<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<Session> {
    let session: Session = sqlx::query_as(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip, \
             oauth_client_id, scopes) \
         values ($1, $2, $3, $3, 'aal1', $4, $5::text::inet, $6, $7) \
         returning id, user_id, created_at, factor_id, aal::text, not_after, \
             refreshed_at at time zone 'utc' as refreshed_at, tag, oauth_client_id, scopes",
    )
    .bind(new.id)
    .bind(new.user_id)
    .bind(now)
    .bind(&new.origin.user_agent)
    .bind(new.origin.ip.map(|ip| ip.to_string()))
    .bind(new.client.map(|(client, _)| client))
    .bind(new.client.map(|(_, scopes)| scopes))
    .fetch_one(&mut *connection)
    .await?;
    add_method(connection, session.id, new.method, now).await?;
    Ok(session)
}

/// Makes a session end at `time`.
pub async fn end_at(
    connection: &mut PgConnection,
    id: Uuid,
    time: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("update auth.sessions set not_after = $2 where id = $1")
        .bind(id)
        .bind(time)
        .execute(connection)
        .await?;
    Ok(())
}

/// The session with this id, if it is the user's.
pub async fn of_user(
    connection: &mut PgConnection,
    id: Uuid,
    user: Uuid,
) -> sqlx::Result<Option<Session>> {
    sqlx::query_as(
        "select id, user_id, created_at, factor_id, aal::text, not_after, \
             refreshed_at at time zone 'utc' as refreshed_at, tag, oauth_client_id, scopes \
         from auth.sessions where id = $1 and user_id = $2",
    )
    .bind(id)
    .bind(user)
    .fetch_optional(connection)
    .await
}

/// The session with this id, nobody else changing it until the transaction ends.
pub async fn lock(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Session>> {
    sqlx::query_as(
        "select id, user_id, created_at, factor_id, aal::text, not_after, \
             refreshed_at at time zone 'utc' as refreshed_at, tag, oauth_client_id, scopes \
         from auth.sessions where id = $1 for no key update",
    )
    .bind(id)
    .fetch_optional(connection)
    .await
}

/// Whether the user has used another session that counts for the same of `tags` more recently than
/// `since`.
pub async fn has_newer(
    connection: &mut PgConnection,
    session: &Session,
    tags: &[String],
    since: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from auth.sessions where user_id = $1 and id <> $2 \
             and case when tag = any($4) then tag else $4[1] end is not distinct from $3 \
             and coalesce(refreshed_at at time zone 'utc', created_at) > $5)",
    )
    .bind(session.user_id)
    .bind(session.id)
    .bind(session.tag(tags))
    .bind(tags)
    .bind(since)
    .fetch_one(connection)
    .await
}

/// Notes a refresh.
pub async fn refreshed(
    connection: &mut PgConnection,
    id: Uuid,
    origin: &Origin,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.sessions set refreshed_at = $2::timestamptz at time zone 'utc', \
             updated_at = $2, user_agent = $3, ip = $4::text::inet \
         where id = $1",
    )
    .bind(id)
    .bind(now)
    .bind(&origin.user_agent)
    .bind(origin.ip.map(|ip| ip.to_string()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes one more way the user proved who they are.
pub async fn add_method(
    connection: &mut PgConnection,
    session: Uuid,
    method: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into auth.mfa_amr_claims \
             (session_id, created_at, updated_at, authentication_method, id) \
         values ($1, $2, $2, $3, $4) \
         on conflict (session_id, authentication_method) do update set updated_at = $2",
    )
    .bind(session)
    .bind(now)
    .bind(method)
    .bind(Uuid::new_v4())
    .execute(connection)
    .await?;
    Ok(())
}

/// How the user proved who they are, newest first.
pub async fn methods(connection: &mut PgConnection, session: Uuid) -> sqlx::Result<Vec<Method>> {
    let rows: Vec<(String, OffsetDateTime)> = sqlx::query_as(
        "select authentication_method, updated_at from auth.mfa_amr_claims \
         where session_id = $1 order by updated_at desc",
    )
    .bind(session)
    .fetch_all(connection)
    .await?;
    let method = |(method, at): (String, OffsetDateTime)| Method {
        method,
        timestamp: at.unix_timestamp(),
        provider: None,
    };
    Ok(rows.into_iter().map(method).collect())
}

/// Ends one session.
pub async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query("delete from auth.sessions where id = $1")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the sessions that an OAuth client has of a user.
pub async fn delete_of_client(
    connection: &mut PgConnection,
    (user, client): (Uuid, Uuid),
) -> sqlx::Result<()> {
    sqlx::query("delete from auth.sessions where user_id = $1 and oauth_client_id = $2")
        .bind(user)
        .bind(client)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends every session of a user, except one.
pub async fn delete_of_user(
    connection: &mut PgConnection,
    user: Uuid,
    except: Option<Uuid>,
) -> sqlx::Result<()> {
    sqlx::query("delete from auth.sessions where user_id = $1 and id is distinct from $2")
        .bind(user)
        .bind(except)
        .execute(connection)
        .await?;
    Ok(())
}

/// Raises a session to `aal2` and ends the user's sessions that have not got there.
pub async fn raise(
    connection: &mut PgConnection,
    session: &Session,
    factor: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "update auth.sessions set aal = 'aal2', factor_id = $2, updated_at = $3 where id = $1",
    )
    .bind(session.id)
    .bind(factor)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "delete from auth.sessions \
         where user_id = $1 and id <> $2 and coalesce(aal, 'aal1') < 'aal2'",
    )
    .bind(session.user_id)
    .bind(session.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back what sessions gained by a factor.
pub async fn lower(
    connection: &mut PgConnection,
    factor: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "delete from auth.mfa_amr_claims c using auth.sessions s \
         where c.session_id = s.id and s.factor_id = $1 \
           and c.authentication_method in ('totp', 'mfa/phone', 'mfa/webauthn', \
               'mfa/recovery_code')",
    )
    .bind(factor)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update auth.sessions set aal = 'aal1', factor_id = null, updated_at = $2 \
         where factor_id = $1",
    )
    .bind(factor)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
