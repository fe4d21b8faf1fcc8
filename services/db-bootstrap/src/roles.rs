//! The roles: who they are is the table [`ROLES`], how PostgreSQL gets there is the rest.

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Row, Transaction};

use crate::{Config, Report, scram};

/// A role as it should be.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    /// The variable with its password; a role without one cannot log in.
    pub(crate) password: Option<&'static str>,
    /// The schema it owns.
    pub(crate) schema: Option<&'static str>,
    /// Roles it may become.
    member_of: &'static [&'static str],
    bypasses_rls: bool,
    replicates: bool,
    /// Applied when it logs in; sql-rest applies those of the role it becomes.
    settings: &'static [(&'static str, &'static str)],
}

/// A role of nobody, for others to differ from.
const NOBODY: Role = Role {
    name: "",
    password: None,
    schema: None,
    member_of: &[],
    bypasses_rls: false,
    replicates: false,
    settings: &[],
};

/// The roles a token may name.
pub(crate) const API_ROLES: &[&str] = &["anon", "authenticated", "service_role"];

/// All roles. One that is a member of another comes after it.
pub(crate) const ROLES: &[Role] = &[
    Role {
        name: "anon",
        settings: &[("statement_timeout", "3s")],
        ..NOBODY
    },
    Role {
        name: "authenticated",
        settings: &[("statement_timeout", "8s")],
        ..NOBODY
    },
    Role {
        name: "service_role",
        bypasses_rls: true,
        ..NOBODY
    },
    Role {
        name: "authenticator",
        password: Some("AUTHENTICATOR_PASSWORD"),
        member_of: API_ROLES,
        settings: &[("statement_timeout", "8s"), ("lock_timeout", "8s")],
        ..NOBODY
    },
    service("auth_admin", "AUTH_DB_PASSWORD", "auth"),
    service("email_admin", "EMAIL_DB_PASSWORD", "email"),
];

/// The login of a service that owns a schema.
const fn service(name: &'static str, password: &'static str, schema: &'static str) -> Role {
    Role {
        name,
        password: Some(password),
        schema: Some(schema),
        ..NOBODY
    }
}

/// What PostgreSQL says about a role.
const STATE: &str = "
select r.rolcanlogin, r.rolinherit, r.rolbypassrls, r.rolreplication,
       r.rolsuper or r.rolcreaterole or r.rolcreatedb as is_powerful,
       r.rolpassword,
       coalesce(s.setconfig, '{}') as settings,
       array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
              where m.member = r.oid) as member_of
  from pg_authid r
  left join pg_db_role_setting s on s.setrole = r.oid and s.setdatabase = 0
 where r.rolname = $1";

/// Roles belong to all databases of a server, and so must the lock that guards changing them.
const LOCK: &str = "lock table pg_authid in share row exclusive mode";

/// A statement, and what to say when it was run.
type Change = (String, String);

/// Creates what is missing and corrects what differs.
pub(crate) async fn apply(
    transaction: &Transaction<'_>,
    config: &Config,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut locked = false;
    for role in ROLES {
        let mut changes = changes(transaction, config, role).await?;
        if !changes.is_empty() && !locked {
            transaction.batch_execute(LOCK).await?;
            locked = true;
            changes = self::changes(transaction, config, role).await?;
        }
        for (statement, description) in changes {
            transaction
                .batch_execute(&statement)
                .await
                .with_context(|| description.clone())?;
            report.changed(description);
        }
    }
    Ok(())
}

async fn changes(
    transaction: &Transaction<'_>,
    config: &Config,
    role: &Role,
) -> anyhow::Result<Vec<Change>> {
    let password = role.password.and_then(|name| config.passwords.get(name));
    let state = transaction.query_opt(STATE, &[&role.name]).await?;
    Ok(match state {
        None => role.creation(password),
        Some(state) => role.corrections(&state, password),
    })
}

impl Role {
    /// Statements that make the role, which does not exist.
    fn creation(&self, password: Option<&SecretString>) -> Vec<Change> {
        let name = self.name;
        let password = password.map_or_else(String::new, password_clause);
        let creation = (
            format!("create role {name} {} {password}", self.attributes()),
            format!("role {name}: created"),
        );
        let memberships = self.member_of.iter().map(|group| self.membership(group));
        let settings = self.settings.iter().map(|setting| self.setting(*setting));
        std::iter::once(creation)
            .chain(memberships)
            .chain(settings)
            .collect()
    }

    /// Statements that make an existing role what it should be.
    fn corrections(&self, state: &Row, password: Option<&SecretString>) -> Vec<Change> {
        let name = self.name;
        let mut changes = Vec::new();
        let is_right = state.get::<_, bool>("rolcanlogin") == self.password.is_some()
            && state.get::<_, bool>("rolinherit") != self.is_noinherit()
            && state.get::<_, bool>("rolbypassrls") == self.bypasses_rls
            && state.get::<_, bool>("rolreplication") == self.replicates
            && !state.get::<_, bool>("is_powerful");
        if !is_right {
            changes.push((
                format!("alter role {name} {}", self.attributes()),
                format!("role {name}: attributes corrected"),
            ));
        }
        let stored: Option<&str> = state.get("rolpassword");
        if let Some(password) = password
            && !stored.is_some_and(|stored| scram::matches(stored, password.expose_secret()))
        {
            changes.push(self.new_password(password));
        }
        let member_of: Vec<&str> = state.get("member_of");
        let missing = |group: &&&str| !member_of.contains(*group);
        changes.extend(
            self.member_of
                .iter()
                .filter(missing)
                .map(|group| self.membership(group)),
        );
        // A value that somebody chose stays; only a missing one is set.
        let settings: Vec<&str> = state.get("settings");
        let is_missing = |(key, _): &&(&str, &str)| {
            let prefix = format!("{key}=");
            !settings.iter().any(|setting| setting.starts_with(&prefix))
        };
        let missing = self.settings.iter().filter(is_missing);
        changes.extend(missing.map(|setting| self.setting(*setting)));
        changes
    }

    fn attributes(&self) -> String {
        let no = |flag: bool| if flag { "" } else { "no" };
        format!(
            "{}login {}inherit {}bypassrls {}replication nosuperuser nocreatedb nocreaterole",
            no(self.password.is_some()),
            no(!self.is_noinherit()),
            no(self.bypasses_rls),
            no(self.replicates),
        )
    }

    /// A role that becomes others has none of their rights until it does.
    fn is_noinherit(&self) -> bool {
        !self.member_of.is_empty()
    }

    fn new_password(&self, password: &SecretString) -> Change {
        let name = self.name;
        (
            format!("alter role {name} {}", password_clause(password)),
            format!("role {name}: password changed"),
        )
    }

    fn membership(&self, group: &str) -> Change {
        let name = self.name;
        (
            format!("grant {group} to {name}"),
            format!("role {name}: member of {group}"),
        )
    }

    fn setting(&self, (key, value): (&str, &str)) -> Change {
        let name = self.name;
        (
            format!("alter role {name} set {key} = '{value}'"),
            format!("role {name}: {key} = {value}"),
        )
    }
}

/// A verifier needs no escaping: it consists of base64, digits, `$`, `:` and `-`.
fn password_clause(password: &SecretString) -> String {
    format!("password '{}'", scram::verifier(password.expose_secret()))
}
