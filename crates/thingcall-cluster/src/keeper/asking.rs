//! What the keeper's task has under way: a question to the store, looks at what is in slots.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{Instance, Lease, LeaseError, Leases, Renewal};
use tokio::time::{sleep, timeout};

use crate::rule::{Ask, Moment};
use crate::{Begin, Holder, Taken};

/// How long the store may take to answer a question.
const ASK_TIME: Duration = Duration::from_secs(2);
/// How long it may take to look at what is in a slot.
const PREPARE_TIME: Duration = Duration::from_secs(10);

/// What came of something that was under way.
pub(super) enum Came {
    Answer { ask: Ask, asked: Moment, answer: Result<Answer, LeaseError> },
    Prepared { lease: Lease, taken: Taken, begin: Result<Begin, String> },
}

/// What the store answered.
pub(super) enum Answer {
    Taken(Lease),
    Renewed(Renewal),
    TookOver(Lease, Option<Lease>),
    Released(Vec<Lease>),
}

/// Asks the store, and waits for a bounded time.
pub(super) async fn asked(leases: Arc<dyn Leases>, me: Instance, ask: Ask, asked: Moment) -> Came {
    let answer = async {
        match &ask {
            Ask::Take(wanted) => leases.take(&me, *wanted).await.map(Answer::Taken),
            Ask::Renew(held) => leases.renew(&me, held).await.map(Answer::Renewed),
            Ask::TakeOver(seen) => {
                leases.take_over(&me, seen.slot, seen.generation).await.map(|lease| Answer::TookOver(*seen, lease))
            }
            Ask::Release(held) => leases.release(held).await.map(|()| Answer::Released(held.clone())),
            Ask::Wait(_) => Ok(Answer::Released(Vec::new())),
        }
    };
    let silent = |_| Err(LeaseError::Store(format!("no answer within {ASK_TIME:?}")));
    let answer = timeout(ASK_TIME, answer).await.unwrap_or_else(silent);
    Came::Answer { ask, asked, answer }
}

/// Looks at what is in a slot, after a pause.
pub(super) async fn prepared(holder: Arc<dyn Holder>, lease: Lease, taken: Taken, pause: Duration) -> Came {
    sleep(pause).await;
    let silent = |_| Err(format!("no answer within {PREPARE_TIME:?}"));
    let begin = timeout(PREPARE_TIME, holder.prepare(&taken)).await.unwrap_or_else(silent);
    Came::Prepared { lease, taken, begin }
}
