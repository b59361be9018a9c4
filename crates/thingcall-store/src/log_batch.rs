//! What is written to the log of messages along with a transaction of the writer's.

use std::sync::atomic::Ordering;

use thingcall_core::{GivenBack, JournalError, Lease, MessageId, NewMessage, ReaderName, UnixMillis};
use tokio::sync::oneshot;

use crate::database::Tx;
use crate::failure::Failure;
use crate::held::Held;
use crate::log_queue::{Claiming, LogWork, Settled};
use crate::log_state::LogState;
use crate::message_tables::Again;

/// What a transaction did to the log.
#[derive(Debug, Default)]
pub(crate) struct LogWritten {
    /// The newest message's place, if any were written.
    newest: Option<i64>,
    messages: Vec<(MessageId, NewMessage)>,
    claimed: Vec<bool>,
    again: Vec<Vec<Again>>,
}

/// Messages in the order in which they are written: those that the store made itself, then those that were handed over.
fn all(work: &LogWork, own: Vec<(MessageId, NewMessage)>) -> Vec<(MessageId, NewMessage)> {
    let handed_over = work.appends.iter().flat_map(|appending| appending.messages.iter().cloned());
    own.into_iter().chain(handed_over).collect()
}

impl LogWork {
    /// The leases that are needed to write it.
    pub(crate) fn leases(&self) -> impl Iterator<Item = Lease> {
        let claims = self.claims.iter().map(|claiming| claiming.claim.lease);
        claims.chain(self.takings.iter().map(|taking| taking.lease))
    }

    /// Refuses what needs a lease that is not ours any more.
    pub(crate) fn let_go(&mut self, held: &Held, why: &JournalError) {
        for claiming in self.claims.extract_if(.., |claiming| !held.is_held(claiming.claim.lease)) {
            answer(claiming.done, Err(why.clone()));
        }
        for taking in self.takings.extract_if(.., |taking| !held.is_held(taking.lease)) {
            answer(taking.done, Err(why.clone()));
        }
    }

    /// Writes it, as the last part of a transaction; `again`: it may have been written already.
    pub(crate) async fn write(
        &self,
        tx: &mut dyn Tx,
        own: Vec<(MessageId, NewMessage)>,
        state: &LogState,
        again: bool,
    ) -> Result<LogWritten, Failure> {
        let mut written = LogWritten::default();
        for Claiming { from, claim, .. } in &self.claims {
            written.claimed.push(tx.claim(*from, claim).await?);
        }
        let Settled { back, claims, again: settled, late } = &self.settled;
        if !back.is_empty() {
            tx.give_back(back).await?;
        }
        if !claims.is_empty() {
            tx.end_claims(claims).await?;
        }
        if !settled.is_empty() {
            tx.end_backlog(settled).await?;
        }
        // Behind what came back, and before it is handed out to others.
        if !late.is_empty() {
            tx.end_waiting(late).await?;
        }
        for taking in &self.takings {
            written.again.push(tx.take_again(&taking.reader, taking.lease, UnixMillis::now(), taking.max).await?);
        }
        let messages = all(self, own);
        if !messages.is_empty() {
            written.newest = Some(tx.append_messages(&messages, again.then(|| state.newest())).await?);
            written.messages = messages;
        }
        Ok(written)
    }

    /// Brings memory to what was committed, and answers.
    pub(crate) fn settle(self, written: LogWritten, state: &LogState) {
        if let Some(newest) = written.newest {
            state.is_at(newest);
            state.count(&written.messages);
        }
        for (claiming, claimed) in self.claims.into_iter().zip(written.claimed) {
            let Claiming { claim, places, done, .. } = claiming;
            if claimed {
                state.hands.take(&claim.reader, claim.first, &places);
            }
            if done.send(Ok(claimed)).is_err() && claimed {
                state.nobody_took(&claim.reader, &places);
            }
        }
        for (taking, again) in self.takings.into_iter().zip(written.again) {
            state.hands.take_again(&taking.reader, again.iter().map(|again| again.place));
            if let Err(Ok(again)) = taking.done.send(Ok(again)) {
                let places: Vec<_> = again.iter().map(|again| again.place).collect();
                state.nobody_took(&taking.reader, &places);
            }
        }
        self.appends.into_iter().for_each(|appending| answer(appending.done, Ok(())));
    }

    /// Nothing of it is written, as far as is known.
    pub(crate) fn refuse(self, why: &JournalError, state: &LogState) {
        state.unsure.store(true, Ordering::Relaxed);
        state.queue.keep(self.settled);
        self.appends.into_iter().for_each(|appending| answer(appending.done, Err(why.clone())));
        self.claims.into_iter().for_each(|claiming| answer(claiming.done, Err(why.clone())));
        self.takings.into_iter().for_each(|taking| answer(taking.done, Err(why.clone())));
    }
}

impl LogState {
    /// Whoever asked for these is gone: they are for the next one who asks.
    pub(crate) fn nobody_took(&self, reader: &ReaderName, places: &[i64]) {
        let back = |place: &i64| GivenBack {
            place: *place,
            again_at: Some(UnixMillis::now()),
            tried: false,
            why: "whoever asked for it was gone".to_owned(),
        };
        self.give_back(reader, places.iter().map(back).collect());
    }

    /// The reader is not done with these. What is not in its hands is nobody's to give back.
    pub(crate) fn give_back(&self, reader: &ReaderName, back: Vec<GivenBack>) {
        let _letting_go = self.letting_go();
        let gone = self.hands.let_go(reader, back.iter().map(|back| back.place));
        let mut known: std::collections::HashSet<_> = gone.first_time.iter().chain(&gone.again).copied().collect();
        // Of one that is given back twice at once the first time counts.
        let back = back.into_iter().filter(|back| known.remove(&back.place));
        let named = |place: &i64| (reader.clone(), *place);
        self.queue.settle(Settled {
            back: back.map(|back| (reader.clone(), back)).collect(),
            claims: gone.claims.iter().map(named).collect(),
            again: Vec::new(),
            late: Vec::new(),
        });
    }

    /// The reader is done with these. What is not in its hands was given back, and may wait for the next one to be sent it.
    pub(crate) fn settle(&self, reader: &ReaderName, places: &[i64]) {
        let _letting_go = self.letting_go();
        let gone = self.hands.let_go(reader, places.iter().copied());
        let named = |place: &i64| (reader.clone(), *place);
        self.queue.settle(Settled {
            back: Vec::new(),
            claims: gone.claims.iter().map(named).collect(),
            again: gone.again.iter().map(named).collect(),
            late: gone.not_in_hand.iter().map(named).collect(),
        });
    }
}

/// Who asked may have gone; what was done stays done.
fn answer<T>(done: oneshot::Sender<T>, result: T) {
    let _gone = done.send(result);
}
