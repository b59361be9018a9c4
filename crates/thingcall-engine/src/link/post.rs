//! An asynchronous command: durable in the journal, then delivered.

use std::sync::atomic::Ordering;

use thingcall_core::{
    Answer, CallError, Command, DeliverError, Delivery, Ending, Executed, JournalEntry, JournalError, Outcome, Qos,
    Record, RecordState, ReplyBody, Sent, TransportKind,
};
use tokio::time::Instant;

use super::Link;
use super::failures::not_recorded;
use crate::failures::Came;
use crate::lanes::Turn;
use crate::steps::ago;

impl Link<'_> {
    /// An asynchronous command: write it down, deliver. A device that is away is no failure of the call. The turn of a paced
    /// one is held `until` it left, or for longer.
    pub(super) async fn post(&self, command: Command, until: Option<&Turn<'_>>) -> Result<Answer, CallError> {
        let _asked = self.at_device.ask(Instant::now());
        let turn = if self.settings().answers_in_order() { Some(Box::pin(self.turn()).await?) } else { None };
        let delivery = self.delivery(command);
        let mut record = OpenRecord { link: self, delivery, settled: false };
        self.write_down(&mut record.delivery, None).await.inspect_err(|_| record.settled = true)?;
        drop(turn);
        let transport = self.choose().inspect_err(|e| record.failed(e.outcome(), &e.to_string()))?;
        if let Some(until) = until {
            until.leaves(record.delivery.id);
        }
        match self.deliver(&*transport, &record.delivery, Instant::now()).await {
            Ok((how, _)) => {
                record.sent(transport.kind(), how);
                if let Some(until) = until.filter(|until| self.is_over(until, how, &*transport)) {
                    until.release();
                }
            }
            Err(DeliverError::Offline) => {
                if let Some(until) = until {
                    until.release();
                }
                let (outcome, why) = (Outcome::Offline, self.not_kept());
                record.failed(outcome, why);
                let came = self.came(self.begun.started.elapsed());
                let sent = if self.is_on_its_way() { came.sent } else { Executed::No };
                self.engine.note_not_kept(self.call, &Came { sent, ..came }, why);
                self.engine.metrics.posted_ended(&self.call.device.key, Some(transport.kind()), outcome);
            }
            Err(error) => {
                let error = self.not_delivered(error);
                record.failed(error.outcome(), &error.to_string());
                return Err(self.closed(&record.delivery, error).await);
            }
        }
        self.accepted.store(true, Ordering::Relaxed);
        Ok(Answer::Accepted)
    }

    /// What to tell of a call that did not leave: only once its end is written nobody sends it any more. Before, who takes
    /// its slot over finds it open, as after a crash of this server.
    async fn closed(&self, delivery: &Delivery, error: CallError) -> CallError {
        if delivery.qos == Qos::AtMostOnce || error.executed() != Executed::No {
            return error;
        }
        let journal = &self.engine.journal;
        // It is answered after what was handed over before.
        let written = journal.open_in_slot(delivery.id.slot(), 0..=0, 1).await;
        let records = if written.is_ok() { journal.find(delivery.id).await } else { Ok(Vec::new()) };
        let closed = |record: &Record| record.device.key != delivery.device.key || record.state == RecordState::Ended;
        if written.is_ok() && records.is_ok_and(|records| records.iter().all(closed)) {
            return error;
        }
        let why = format!("{}, and its end is not written", error.outcome().as_str());
        CallError::NotRecorded { why, executed: Executed::Maybe }
    }

    fn not_kept(&self) -> &'static str {
        match self.call.qos {
            Qos::AtMostOnce => "the device was offline, and at QoS 0 nothing is kept for it",
            Qos::AtLeastOnce => "the broker has nobody to give it to, and keeps nothing",
        }
    }

    /// Makes a call durable, under another id where a call before a restart still has this one; with its `answer`, it goes
    /// to no device.
    pub(super) async fn write_down(
        &self,
        delivery: &mut Delivery,
        answer: Option<&ReplyBody>,
    ) -> Result<(), CallError> {
        let (request_id, accepted_at) = (self.call.request_id, ago(self.arrived().elapsed()));
        let (action, times) = (self.action(), self.steps.times());
        loop {
            if answer.is_none() {
                self.encode(delivery).await?;
                // From here on the command may be in the outbox of a device that connects this very moment.
                self.left.store(true, Ordering::Relaxed);
            }
            let key = self.key().cloned();
            let (delivered, answer) = (delivery.clone(), answer.cloned());
            let entry = JournalEntry { delivery: delivered, answer, request_id, action, key, accepted_at, times };
            self.recording.store(true, Ordering::Relaxed);
            let opened = self.engine.journal.open(entry).await;
            self.recording.store(false, Ordering::Relaxed);
            match opened {
                Err(JournalError::IdInUse) => {
                    let next = self.next_id();
                    if delivery.id == self.call.id {
                        self.recorded_as(next);
                    }
                    delivery.id = next;
                }
                opened => {
                    self.written.store(opened.is_ok(), Ordering::Relaxed);
                    return opened.map_err(not_recorded);
                }
            }
        }
    }
}

/// A command on its way into the journal and to its device. Dropped so, its record is closed: nobody was told that it is
/// on its way, so it must not be sent later.
struct OpenRecord<'a> {
    link: &'a Link<'a>,
    delivery: Delivery,
    /// There is no record to close.
    settled: bool,
}

impl OpenRecord<'_> {
    fn sent(&mut self, transport: TransportKind, how: Sent) {
        self.settled = true;
        if how != Sent::Kept {
            self.link.engine.journal.note(&self.delivery.device.key, self.delivery.id, transport, how);
        }
    }

    fn failed(&mut self, outcome: Outcome, why: &str) {
        self.settled = true;
        let (device, id, why) = (self.delivery.device.key.clone(), self.delivery.id, why.to_owned());
        self.link.engine.journal.end(Ending::Failed { device, id, outcome, why });
    }
}

impl Drop for OpenRecord<'_> {
    fn drop(&mut self) {
        if !self.settled {
            self.failed(Outcome::Cancelled, "the caller hung up, or its time was over, while the command was sent");
        }
    }
}
