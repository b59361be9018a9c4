//! Takes a group's messages from the log, as many as its clients have room for, and hands them out.
//!
//! **Invariants:** it is never interrupted while it takes, so nothing that was taken is lost. When it ends, what no client has is
//! given back to the log.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{GivenBack, JournalError, MessageLog, Taken, UnixMillis};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::group::{Group, Handed};
use crate::metrics::Metrics;
use crate::rate::Rate;

/// The most that are taken at once.
const BATCH: usize = 512;
/// How often it is looked whether the time has come for what came back.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// How long it rests where the log cannot be read.
const REST: Duration = Duration::from_secs(1);
/// How long what nobody has room for is kept, so that another instance's clients may have it then.
const SPARE_TIMEOUT: Duration = Duration::from_secs(1);
/// Of the room, what came back has this part once a second also where new messages would fill it.
const BACKLOG_PART: usize = 4;
/// What is older when it is taken has waited for a consumer.
const WAITED: Duration = Duration::from_secs(10);

pub(crate) struct Dispatcher {
    pub(crate) group: Arc<Group>,
    pub(crate) log: Arc<dyn MessageLog>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stopping: CancellationToken,
    pub(crate) backlog: Rate,
    /// When the log is asked for what came back.
    again_at: Instant,
    /// The log could not be read.
    failing: bool,
}

impl Dispatcher {
    pub(crate) fn new(
        group: Arc<Group>,
        log: Arc<dyn MessageLog>,
        metrics: Arc<Metrics>,
        stopping: CancellationToken,
        backlog_per_second: u32,
    ) -> Self {
        let now = Instant::now();
        let backlog = Rate::new(backlog_per_second, Duration::from_secs(1), now);
        Self { group, log, metrics, stopping, backlog, again_at: now, failing: false }
    }

    /// Runs until the server stops or the group is closed, and all its clients are gone.
    pub(crate) async fn run(mut self) {
        loop {
            let newest = self.log.newest();
            self.group.hand_out([]);
            let ends = self.stopping.is_cancelled() || self.group.is_closed();
            if ends && self.group.is_empty() {
                break;
            }
            let wanted = if ends { 0 } else { self.group.wanted().min(BATCH) };
            match self.round(wanted).await {
                Ok(more) => {
                    self.succeeded(wanted);
                    if !more {
                        self.rest(wanted, newest, ends).await;
                    }
                }
                Err(error) => {
                    self.failed(&error);
                    tokio::select! {
                        () = sleep_until(Instant::now() + REST) => {}
                        () = self.stopping.cancelled(), if !ends => {}
                    }
                }
            }
        }
        self.let_go();
    }

    /// Takes and hands out so many; whether there may be more at once.
    async fn round(&mut self, wanted: usize) -> Result<bool, JournalError> {
        if wanted == 0 {
            return Ok(false);
        }
        let now = Instant::now();
        let turn = now >= self.again_at;
        let share = if turn { wanted.div_ceil(BACKLOG_PART).min(self.backlog.room(now)) } else { 0 };
        let mut found = 0;
        if wanted > share {
            let fresh = self.log.take(&self.group.reader, wanted - share).await?;
            found += fresh.len();
            self.group.hand_out(fresh.into_iter().map(handed));
        }
        if turn {
            let most = (wanted - found).min(self.backlog.room(now));
            let again = if most > 0 { self.log.take_again(&self.group.reader, most).await? } else { Vec::new() };
            self.backlog.take(again.len(), now);
            self.again_at = if again.len() < most { now + AGAIN_EVERY } else { self.backlog.next().max(now) };
            if found + share >= wanted {
                // New messages fill the room: what came back has its part once a second.
                self.again_at = now + AGAIN_EVERY;
            }
            found += again.len();
            self.group.hand_out(again.into_iter().map(|taken| Handed { taken, fresh: false }));
        }
        if found == 0 && !turn {
            self.group.nothing();
        }
        Ok(found > 0 || turn)
    }

    async fn rest(&self, wanted: usize, newest: i64, ends: bool) {
        let spare = self.group.has_spare();
        tokio::select! {
            () = self.group.changed() => {}
            () = self.stopping.cancelled(), if !ends => {}
            () = self.log.appended(newest), if wanted > 0 => {}
            () = sleep_until(self.again_at), if wanted > 0 => {}
            () = sleep_until(Instant::now() + SPARE_TIMEOUT), if spare => self.let_go(),
        }
    }

    /// Gives back what no client has.
    fn let_go(&self) {
        let back = self.group.take_spare().into_iter().map(|Handed { taken, .. }| GivenBack {
            place: taken.message.place,
            again_at: Some(UnixMillis::now()),
            tried: false,
            why: "no consumer had room for it".to_owned(),
        });
        let back: Vec<_> = back.collect();
        if !back.is_empty() {
            self.log.give_back(&self.group.reader, back);
        }
    }

    fn failed(&mut self, error: &JournalError) {
        self.metrics.taking_failed.inc();
        if !std::mem::replace(&mut self.failing, true) {
            warn!(group = %self.group.id, %error, "no messages can be taken for the group's consumers");
        }
    }

    fn succeeded(&mut self, wanted: usize) {
        if wanted > 0 && std::mem::take(&mut self.failing) {
            info!(group = %self.group.id, "messages are taken for the group's consumers again");
        }
    }
}

/// A message that nobody was given before.
fn handed(taken: Taken) -> Handed {
    let age = UnixMillis::now().0.saturating_sub(taken.message.at.0);
    let fresh = u128::try_from(age).is_ok_and(|age| age < WAITED.as_millis()) || age < 0;
    Handed { taken, fresh }
}
