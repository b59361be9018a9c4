//! What is done for the log of messages again and again: others' messages are noticed, what nobody holds any more is handed out
//! again, and what is too old or too much is dropped, with each reader's loss counted and told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thingcall_core::UnixMillis;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::all_wanted::ReaderKind;
use crate::failure::Failure;
use crate::message_tables::{ClaimRow, ClaimSeen, Limits, Part, ReaderRow};
use crate::shared::{self, Shared, WriteSide};

/// How often it is looked for messages to drop, and for what nobody holds.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many messages are dropped in one transaction: calls wait for no more.
const DROPPED_AT_ONCE: i64 = 500;
/// How many transactions of them there are before the next look.
const STEPS_MAX: usize = 40;
/// How often a loss is told in the log.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Looks after the log until the store closes.
pub(crate) async fn run(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let mut keeper = Keeper { shared, looked: None, told: None, untold: 0 };
    loop {
        let wait = keeper.wait();
        tokio::select! {
            () = shared::closed(&mut closing) => return,
            () = async { keeper.look().await; sleep(wait).await } => {}
        }
    }
}

struct Keeper {
    shared: Arc<Shared>,
    looked: Option<Instant>,
    /// When a loss was told last.
    told: Option<Instant>,
    /// What was lost since.
    untold: u64,
}

impl Keeper {
    /// Until the next look: others' messages are seen by it where nobody tells of them.
    fn wait(&self) -> Duration {
        let every = self.shared.config.change_poll;
        if self.shared.told.listens() { every.max(LOOK_EVERY) } else { every }
    }

    async fn look(&mut self) {
        match self.shared.reads.places().await {
            Ok(places) => {
                self.shared.log.is_at(*places.end());
                let there = places.end() - places.start() + 1;
                self.shared.log.counts.messages.store(there.unsigned_abs(), Ordering::Relaxed);
            }
            Err(problem) => {
                debug!(%problem, "the log of messages cannot be looked at");
                return;
            }
        }
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        if let Ok(bytes) = self.shared.reads.message_bytes().await {
            self.shared.log.counts.bytes.store(bytes, Ordering::Relaxed);
        }
        release(&self.shared).await;
        for _ in 0..STEPS_MAX {
            if !self.drop_some().await {
                break;
            }
        }
        self.tell();
    }

    /// Drops some messages, where there are too many; says whether there may be more to drop.
    async fn drop_some(&mut self) -> bool {
        match drop_some(&self.shared).await {
            Ok(Some(lost)) => {
                self.untold += lost;
                true
            }
            Ok(None) => false,
            Err(problem) => {
                debug!(%problem, "messages could not be dropped; it is tried again");
                false
            }
        }
    }

    fn tell(&mut self) {
        if self.untold == 0 || self.told.is_some_and(|at| at.elapsed() < TOLD_EVERY) {
            return;
        }
        let config = &self.shared.config.messages;
        let (lost, messages_max, bytes_max) = (self.untold, config.messages_max, config.bytes_max);
        warn!(lost, keep = ?config.keep, messages_max, bytes_max, "messages were dropped before their readers had read them");
        (self.told, self.untold) = (Some(Instant::now()), 0);
    }
}

/// How many readers lost; `None`: nothing is to be dropped.
async fn drop_some(shared: &Shared) -> Result<Option<u64>, Failure> {
    let config = &shared.config.messages;
    let keep = i64::try_from(config.keep.as_millis()).unwrap_or(i64::MAX);
    let limit = |max: u64| i64::try_from(max).unwrap_or(i64::MAX);
    let limits = Limits {
        since: UnixMillis(UnixMillis::now().0.saturating_sub(keep)),
        messages_max: limit(config.messages_max.get()),
        bytes_max: limit(config.bytes_max.get()),
    };
    let Some(cut) = shared.reads.excess(&limits, DROPPED_AT_ONCE).await? else { return Ok(None) };
    let readers = shared.reads.readers().await?;
    let mut losses = Vec::new();
    // Those of streams take nothing, so nobody here knows what they have seen: each tells its reader what it missed.
    let take = |row: &&ReaderRow| ReaderKind::of(&row.name) != ReaderKind::Stream;
    for row in readers.iter().filter(take).filter(|row| row.position < cut) {
        let mut lost = 0;
        for (part, wanted) in row.wishes.at(row.position + 1..=cut) {
            lost += shared.reads.count_messages(part, wanted).await?;
        }
        if lost > 0 {
            losses.push((row, lost));
        }
    }
    let mut side = shared.write.lock().await;
    let dropped = drop_up_to(shared, &mut side, cut, &losses).await;
    dropped.inspect_err(|problem| {
        shared.failed(&mut side, problem);
    })
}

async fn drop_up_to(
    shared: &Shared,
    side: &mut WriteSide,
    cut: i64,
    losses: &[(&ReaderRow, u64)],
) -> Result<Option<u64>, Failure> {
    let mut tx = side.conn.begin().await?;
    for (row, lost) in losses {
        if !tx.move_on(&row.name, row.position, cut).await? {
            // It took some of them meanwhile: counted anew the next time.
            return Ok(None);
        }
        tx.lose(&row.name, *lost).await?;
    }
    let of_backlogs = tx.drop_messages(cut).await?;
    for (reader, lost) in &of_backlogs {
        tx.lose(reader, *lost).await?;
    }
    tx.commit().await?;
    let own = losses.iter().map(|(row, lost)| (&row.name, *lost));
    let all: Vec<_> = own.chain(of_backlogs.iter().map(|(reader, lost)| (reader, *lost))).collect();
    all.iter().for_each(|(reader, lost)| shared.log.lost(reader, *lost));
    Ok(Some(all.iter().map(|(_, lost)| lost).sum()))
}

/// What is held by nobody is to be handed out again: its holder is gone, or nobody here knows that it is ours.
pub(crate) async fn release(shared: &Shared) {
    let is_ours = if shared.reads.is_shared() {
        shared.held.first().is_some()
    } else {
        // One server has a file; who only looks at it beside the server holds nothing.
        shared.claimed().is_some() && shared.log.unsure.load(Ordering::Relaxed)
    };
    if !is_ours {
        return;
    }
    shared.log.unsure.store(false, Ordering::Relaxed);
    let mut side = shared.write.lock().await;
    match release_all(shared, &mut side).await {
        Ok(0) => {}
        Ok(claims) => info!(claims, "messages whose holder is gone are handed out again"),
        Err(problem) => {
            shared.log.unsure.store(true, Ordering::Relaxed);
            shared.failed(&mut side, &problem);
        }
    }
}

/// The same in one transaction; how many claims and messages it was.
pub(crate) async fn release_all(shared: &Shared, side: &mut WriteSide) -> Result<usize, Failure> {
    let mut tx = side.conn.begin().await?;
    let (held, log) = (&shared.held, &shared.log);
    let alone = !shared.reads.is_shared();
    let (mut claims, mut back) = (tx.claims().await?, tx.in_hands().await?);
    {
        // What is let go of is in hand or waits to be written, and nothing is written meanwhile: the write lock is ours.
        let _none = log.letting_go();
        claims.retain(|ClaimSeen { claim: ClaimRow { reader, first, lease, .. }, holder_lives }| {
            let known = || log.hands.has_claim(reader, *first) || log.queue.ends_claim(reader, *first);
            if alone || held.is_held(*lease) { !known() } else { !holder_lives }
        });
        back.retain(|(reader, place, lease, holder_lives)| {
            let known = || log.hands.has_again(reader, *place) || log.queue.lets_go(reader, *place);
            if alone || held.is_held(*lease) { !known() } else { !holder_lives }
        });
    }
    if claims.is_empty() && back.is_empty() {
        return Ok(0);
    }
    let (now, count) = (UnixMillis::now(), claims.len() + back.len());
    for ClaimSeen { claim, .. } in &claims {
        let parts = match shared.reads.reader(&claim.reader).await? {
            Some(row) => row.wishes.at(claim.first..=claim.last).map(|(part, wanted)| (part, wanted.clone())).collect(),
            None => Vec::<Part>::new(),
        };
        let lost = tx.release_claim(claim, &parts, now).await?;
        if lost > 0 {
            tx.lose(&claim.reader, lost).await?;
            shared.log.lost(&claim.reader, lost);
        }
    }
    if !back.is_empty() {
        let places: Vec<_> = back.into_iter().map(|(reader, place, ..)| (reader, place)).collect();
        tx.release_backlog(&places, now).await?;
    }
    tx.commit().await?;
    Ok(count)
}
