//! What goes out once a request's changes are stored: mails, or a text message.

use std::{sync::Arc, time::Duration};

use common::lifecycle::Lifecycle;
use tokio::{sync::Semaphore, time::sleep};

use crate::{
    AppState,
    error::{Error, Result},
    mailer,
    mails::{self, Mail},
    request::Origin,
    texts::{self, Text},
};

/// Pauses between the attempts to hand a mail over, in seconds: four minutes altogether.
const PAUSES: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Most messages that are on their way while their requests are answered.
const MAX_WAITING: usize = 1000;

/// Mails or a text message.
#[derive(Debug)]
pub enum Message {
    /// Mails of one request.
    Mails(Vec<Mail>),
    /// A text message.
    Text(Text),
}

/// The messages that leave after the answer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Posts {
    lifecycle: Lifecycle,
    room: Arc<Semaphore>,
}

impl Message {
    /// Sends it. It is on its way once this succeeds.
    pub async fn send(&self, state: &AppState, origin: &Origin) -> Result<()> {
        match self {
            Self::Mails(mails) => mails::send(state, mails, origin).await,
            Self::Text(text) => texts::send(state, text, origin).await,
        }
    }

    /// Sends it after the answer. A stranger must not learn whether there was something to send:
    /// neither from its failure nor from the time it takes.
    pub fn post(self, state: &AppState, origin: &Origin) {
        let posts = state.posts();
        let Ok(room) = Arc::clone(&posts.room).try_acquire_owned() else {
            tracing::error!("too many messages are waiting, one is dropped");
            return;
        };
        let (state, origin) = (state.clone(), origin.clone());
        posts.lifecycle.spawn("message", async move {
            if let Err(error) = self.insist(&state, &origin).await {
                common::error::log(&error);
            }
            drop(room);
        });
    }

    /// Sends it, again and again while the email service is down. That knows a mail it has had.
    async fn insist(&self, state: &AppState, origin: &Origin) -> Result<()> {
        for pause in PAUSES {
            match self.send(state, origin).await {
                Err(Error::Mailer(error)) if mailer::is_temporary(&error) => {
                    tracing::warn!(%error, pause, "the email service took no mail yet");
                }
                done => return done,
            }
            tokio::select! {
                () = sleep(Duration::from_secs(pause)) => {}
                () = state.posts().lifecycle.stopping() => break,
            }
        }
        self.send(state, origin).await
    }
}

impl Posts {
    /// None yet. A stop waits for those on their way, and leaves them one more attempt.
    pub fn new(lifecycle: &Lifecycle) -> Self {
        Self {
            lifecycle: lifecycle.clone(),
            room: Arc::new(Semaphore::new(MAX_WAITING)),
        }
    }

    /// How many messages are on their way.
    pub fn waiting(&self) -> usize {
        MAX_WAITING - self.room.available_permits()
    }
}
