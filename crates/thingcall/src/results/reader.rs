//! What a reader of the log of messages has, for an exchange or a topic.
//!
//! **Invariant:** what was taken and is not published yet is kept here, in its order, and handed back when this ends; what a
//! crash leaves is handed out again by the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use thingcall_core::{
    GivenBack, JournalError, Message, MessageFilter, MessageLog, ReaderName, Taken, UnixMillis, Wanted,
};
use thingcall_subscription::concerns;
use tokio::sync::Mutex;
use tracing::warn;

use super::{Backlog, Feed, Outbox};

/// How many are given up at once.
const GIVEN_UP_AT_ONCE: usize = 1000;

/// The messages of a feed in a log.
pub(crate) struct LogResults {
    log: Arc<dyn MessageLog>,
    feed: Feed,
    reader: ReaderName,
    modules: Vec<String>,
    due_max: usize,
    kept: Mutex<BTreeMap<i64, Message>>,
    /// The newest place there was when it was looked last.
    seen: AtomicI64,
}

impl Feed {
    /// Who reads the log for it.
    fn reader(self) -> ReaderName {
        let name = match self {
            Self::Results => "exchange:results",
            Self::Messages => "exchange:messages",
            Self::Topics => "topic:messages",
        };
        ReaderName(name.to_owned())
    }
}

impl LogResults {
    /// What is written from now on and passes the filter, and what an earlier run left; so many at most.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub(crate) async fn wanted(
        log: Arc<dyn MessageLog>,
        feed: Feed,
        filter: &MessageFilter,
        due_max: usize,
    ) -> Result<Self, JournalError> {
        let (reader, modules) = (feed.reader(), filter.modules.clone());
        log.set_reader(&reader, filter.wanted()).await?;
        Ok(Self { log, feed, reader, modules, due_max, kept: Mutex::default(), seen: AtomicI64::new(0) })
    }

    /// Nobody wants them any more. Those that are due stay so.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub(crate) async fn unwanted(log: &dyn MessageLog, feed: Feed) -> Result<(), JournalError> {
        let reader = feed.reader();
        if log.readers().await?.contains(&reader) {
            log.set_reader(&reader, Wanted::default()).await?;
        }
        Ok(())
    }

    /// Keeps what was taken. What is about other modules is done with: the log does not know these.
    fn keep(&self, kept: &mut BTreeMap<i64, Message>, taken: Vec<Taken>) {
        let (wanted, others): (Vec<_>, Vec<_>) =
            taken.into_iter().map(|taken| taken.message).partition(|message| concerns(&self.modules, message));
        kept.extend(wanted.into_iter().map(|message| (message.place, message)));
        if !others.is_empty() {
            let places: Vec<_> = others.iter().map(|message| message.place).collect();
            self.log.settle(&self.reader, &places);
        }
    }

    /// The oldest that nobody has, those that came back first.
    async fn take(&self, max: usize) -> Result<Vec<Taken>, JournalError> {
        let mut taken = self.log.take_again(&self.reader, max).await?;
        if taken.len() < max {
            taken.extend(self.log.take(&self.reader, max - taken.len()).await?);
        }
        Ok(taken)
    }
}

#[async_trait]
impl Outbox for LogResults {
    async fn due(&self, max: usize) -> Result<Vec<Message>, JournalError> {
        self.seen.store(self.log.newest(), Ordering::Relaxed);
        let mut kept = self.kept.lock().await;
        while kept.len() < max {
            let taken = self.take(max - kept.len()).await?;
            let is_all = taken.is_empty();
            self.keep(&mut kept, taken);
            // Where nothing of it passed the filter there may be more.
            if is_all || !kept.is_empty() {
                break;
            }
        }
        Ok(kept.values().take(max).cloned().collect())
    }

    fn published(&self, places: &[i64]) {
        self.log.settle(&self.reader, places);
        // Only the pump, which calls this, ever holds it.
        if let Ok(mut kept) = self.kept.try_lock() {
            places.iter().for_each(|place| drop(kept.remove(place)));
        }
    }

    fn due_max(&self) -> usize {
        self.due_max
    }

    async fn trim(&self) -> Result<Backlog, JournalError> {
        let mut kept = self.kept.lock().await;
        let waiting = self.log.standing(&self.reader).await?.unread;
        let due = waiting + u64::try_from(kept.len()).unwrap_or(u64::MAX);
        let excess = due.saturating_sub(u64::try_from(self.due_max).unwrap_or(u64::MAX));
        let mut given_up: u64 = 0;
        while given_up < excess {
            let left = usize::try_from(excess - given_up).unwrap_or(usize::MAX).min(GIVEN_UP_AT_ONCE);
            if kept.is_empty() {
                let taken = self.log.take(&self.reader, left).await?;
                self.keep(&mut kept, taken);
            }
            let places: Vec<_> = kept.keys().take(left).copied().collect();
            if places.is_empty() {
                break;
            }
            self.log.settle(&self.reader, &places);
            places.iter().for_each(|place| drop(kept.remove(place)));
            given_up += u64::try_from(places.len()).unwrap_or(u64::MAX);
        }
        if given_up > 0 {
            let (of, due_max) = (self.feed.as_str(), self.due_max);
            warn!(given_up, due_max, of, "messages wait for too long to be published; the oldest are given up");
        }
        Ok(Backlog { due: due.saturating_sub(given_up), given_up })
    }

    async fn changed(&self) {
        self.log.appended(self.seen.load(Ordering::Relaxed)).await;
    }

    async fn let_go(&self) {
        let kept = std::mem::take(&mut *self.kept.lock().await);
        let back = |place| GivenBack {
            place,
            again_at: Some(UnixMillis::now()),
            // Those that are on their way to the broker are published once more; nobody is told how often.
            tried: false,
            why: "the server stops".to_owned(),
        };
        self.log.give_back(&self.reader, kept.into_keys().map(back).collect());
    }
}
