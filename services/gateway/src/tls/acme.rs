//! A certificate from an authority that speaks ACME (RFC 8555), kept current.
//!
//! The authority asks for a file on our plain port (http-01, section 8.3). Account and certificate
//! are kept in a directory, so that a restart asks for nothing.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use common::{clock::Clock, config::Env};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, LetsEncrypt, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use time::OffsetDateTime;

use super::{Certificates, certificates::Certificate};

const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Time between two looks at the certificate.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Pauses after a failure; authorities limit how often one may fail.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Longest time one attempt may take.
const ATTEMPT: Duration = Duration::from_mins(5);

/// How long the authority may take for each step.
const STEP: RetryPolicy = RetryPolicy::new().timeout(Duration::from_mins(1));

/// For which names, and from whom.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    domains: Vec<String>,
    email: Option<String>,
    directory: String,
    state: PathBuf,
    /// Certificate of an authority that the system does not know.
    root: Option<PathBuf>,
}

/// What the authority may ask for, by token. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Challenges(Arc<Mutex<HashMap<String, String>>>);

/// Obtains certificates.
pub(crate) struct Acme {
    settings: Settings,
    certificates: Arc<Certificates>,
    challenges: Challenges,
    clock: Clock,
}

impl Settings {
    /// The settings, when there are names to be certified.
    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        let domains = env.list("GATEWAY_ACME_DOMAINS", "");
        let email = env.optional("GATEWAY_ACME_EMAIL");
        let directory = env.text("GATEWAY_ACME_DIRECTORY", LetsEncrypt::Production.url());
        let state = env.optional("GATEWAY_ACME_STATE");
        let root = env.optional("GATEWAY_ACME_ROOT_PATH").map(PathBuf::from);
        if domains.is_empty() {
            return None;
        }
        if state.is_none() {
            env.problem("GATEWAY_ACME_STATE, a directory for account and certificate, is not set");
        }
        Some(Self {
            domains,
            email,
            directory,
            state: state.unwrap_or_default().into(),
            root,
        })
    }

    /// The file with the certificate and its key.
    pub(super) fn certificate(&self) -> PathBuf {
        self.state.join("certificate.pem")
    }

    fn account(&self) -> PathBuf {
        self.state.join("account.json")
    }
}

impl Challenges {
    /// The answer, when `path` is that of a challenge.
    pub(super) fn answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(CHALLENGES)?;
        self.lock().get(token).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Acme {
    /// Obtains what `certificates` shows, answering `challenges`.
    pub(crate) fn new(
        settings: Settings,
        certificates: Arc<Certificates>,
        challenges: Challenges,
        clock: Clock,
    ) -> Self {
        Self {
            settings,
            certificates,
            challenges,
            clock,
        }
    }

    /// Keeps the certificate current.
    pub(crate) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let current = self.certificates.current();
            if !is_due(current.as_deref(), &self.settings.domains, self.clock.now()) {
                pause = FIRST_PAUSE;
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            let renewed = tokio::time::timeout(ATTEMPT, self.renew()).await;
            self.challenges.lock().clear();
            let renewed = renewed.unwrap_or_else(|late| Err(late.into()));
            if let Err(error) = renewed {
                let error = format!("{error:#}");
                tracing::error!(error, ?pause, "no certificate was obtained, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    async fn renew(&self) -> anyhow::Result<()> {
        fs::create_dir_all(&self.settings.state).context("the directory for the certificate")?;
        let certificate = self.order().await?;
        write_private(&self.settings.certificate(), &certificate)?;
        self.certificates.refresh().map_err(anyhow::Error::msg)
    }

    /// Key and chain, in PEM.
    async fn order(&self) -> anyhow::Result<String> {
        let account = self.account().await.context("the account")?;
        let domains = self.settings.domains.iter().cloned();
        let names: Vec<_> = domains.map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let mut challenge = authorization
                .challenge(ChallengeType::Http01)
                .context("the authority does not offer http-01")?;
            let answer = challenge.key_authorization().as_str().to_owned();
            let token = challenge.token.clone();
            self.challenges.lock().insert(token, answer);
            challenge.set_ready().await?;
        }
        let status = order.poll_ready(&STEP).await?;
        ensure!(
            status == OrderStatus::Ready,
            "the authority could not fetch the challenge from port 80 of the names: {status:?}"
        );
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&STEP).await?;
        Ok(key + &chain)
    }

    /// The account of an earlier time, or a new one.
    async fn account(&self) -> anyhow::Result<Account> {
        let builder = match &self.settings.root {
            Some(root) => Account::builder_with_root(root)?,
            None => Account::builder()?,
        };
        let file = self.settings.account();
        if let Ok(kept) = fs::read(&file) {
            let credentials = serde_json::from_slice(&kept)?;
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact = self
            .settings
            .email
            .as_ref()
            .map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.settings.directory.clone();
        let (account, credentials) = builder.create(&wanted, directory, None).await?;
        write_private(&file, &serde_json::to_string(&credentials)?)?;
        Ok(account)
    }
}

/// Whether a certificate has to be obtained: there is none, it is for other names, or two thirds of
/// its time are over.
fn is_due(current: Option<&Certificate>, domains: &[String], now: OffsetDateTime) -> bool {
    let Some(current) = current else {
        return true;
    };
    let has_all = domains.iter().all(|domain| current.names.contains(domain));
    let left = current.expires - now;
    !has_all || left < (current.expires - current.begins) / 3
}

/// Puts a file, readable by us alone, in place of the old one in one step.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}
