//! Tokens about which a server of the operator's own is asked, while nothing is held.
//!
//! What an access token says is known at the end of the transaction that begins its session, and the
//! hook may refuse it, which must undo all of it. A server is too slow to be waited for there. So
//! the transaction is run without an answer first: it is rolled back as soon as it has come to the
//! claims. The server is asked about them, and the transaction is run anew. Its claims are the
//! same then, since their moment and the session's id are those of the request, and the answer holds;
//! if somebody changed the user meanwhile, the server is asked about what has become of them.
//!
//! Nothing is stored before the hook has agreed. Whatever stops a request on the way leaves the
//! refresh token, code or link it came with as good as it was, and a run finds everything that was
//! ended or used up while the server was asked.

use std::{future::Future, sync::Arc};

use http::StatusCode;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    AppState,
    error::{Error, Result, code},
    hooks::points::Question,
    user::Members,
};

/// Most times that a transaction is run: once to learn the claims, and for as many answers.
const RUNS: u32 = 4;

/// What stays the same however often the transaction of a request is run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Issuance<'a> {
    state: &'a AppState,
    at: OffsetDateTime,
    session_id: Uuid,
    answer: Option<Arc<(Question, Option<Members>)>>,
}

/// Runs a transaction that issues tokens, as often as it takes. A run stores nothing when it fails
/// with [`Error::Unasked`], which `work` passes on.
pub async fn issue<'a, T, F>(state: &'a AppState, work: impl Fn(Issuance<'a>) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut issuance = Issuance {
        state,
        at: state.now(),
        session_id: Uuid::new_v4(),
        answer: None,
    };
    for _ in 0..RUNS {
        match work(issuance.clone()).await {
            Err(Error::Unasked(question)) => {
                let claims = question.ask(state, None).await?;
                issuance.answer = Some(Arc::new((*question, claims)));
            }
            done => return done,
        }
    }
    Err(Error::refused(
        StatusCode::CONFLICT,
        code::CONFLICT,
        "The user was changed too often while the hook was asked",
    ))
}

impl<'a> Issuance<'a> {
    /// What every handler can reach.
    pub fn state(&self) -> &'a AppState {
        self.state
    }

    /// When the request came, which is the moment of its tokens.
    pub fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// Id of the session, if one begins.
    pub fn session_id(&self) -> Uuid {
        self.session_id
    }

    /// What the server answered to `question`; fails until it has been asked.
    pub fn answer(&self, question: Question) -> Result<Option<Members>> {
        match self.answer.as_deref() {
            Some((asked, claims)) if asked.is_same(&question) => Ok(claims.clone()),
            _ => Err(Error::Unasked(Box::new(question))),
        }
    }
}
