//! One asynchronous command at a time, for devices whose answers do not say what they answer.
//!
//! **Invariant:** of such a device at most one asynchronous call is open in the journal, so an answer has one meaning.
//! Whoever has the turn is the only one that looks and writes; it ends once the command is written down.

use thingcall_core::{CallError, Ending, Outcome, Qos, Record, RecordState, TransportKind, UnixMillis};

use super::Link;
use super::failures::not_recorded;
use crate::failures::of_record;
use crate::turns::Turn;

impl Link<'_> {
    /// The device's turn, where its answers are in order and none is outstanding. An outstanding command that was not
    /// answered for long is given up for this one.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, CallError> {
        let device = &self.call.device.key;
        let turn = self.engine.turns.take(device).ok_or_else(|| self.not_its_turn("another one is being accepted"))?;
        let outstanding = self.engine.journal.open_calls(device, usize::MAX).await.map_err(not_recorded)?;
        if let Some(before) = outstanding.iter().find(|record| !self.is_given_up(record)) {
            let Record { id, service, .. } = before;
            let why = if self.waits_for_its_device(before) {
                format!("{id} ({service}) waits until the device takes it")
            } else {
                format!("{id} ({service}) has no answer yet")
            };
            return Err(self.not_its_turn(&why));
        }
        outstanding.iter().for_each(|record| self.give_up(record));
        Ok(turn)
    }

    fn not_its_turn(&self, why: &str) -> CallError {
        let (device, timeout) = (&self.call.device.key, self.engine.config.raw_answer_timeout);
        CallError::Overloaded(format!(
            "the answers of device {device} hold no id, so it gets one asynchronous command at a time, and {why}; one that \
             is not answered within {timeout:?} (raw_answer_timeout) gives way"
        ))
    }

    /// It is kept for a device that has not taken it: it has not had its time yet.
    fn waits_for_its_device(&self, record: &Record) -> bool {
        let kept = record.qos == Qos::AtLeastOnce.level() && record.state == RecordState::Queued;
        kept && self.choose().is_ok_and(|transport| transport.kind() == TransportKind::Embedded)
    }

    fn is_given_up(&self, record: &Record) -> bool {
        let since = record.acked_at.or(record.sent_at).unwrap_or(record.accepted_at);
        let waited = u128::from(UnixMillis::now().0.abs_diff(since.0));
        waited >= self.engine.config.raw_answer_timeout.as_millis() && !self.waits_for_its_device(record)
    }

    fn give_up(&self, record: &Record) {
        let timeout = self.engine.config.raw_answer_timeout;
        let why = format!("no answer within {timeout:?} (raw_answer_timeout); a newer command took its turn");
        let (device, id, outcome) = (record.device.key.clone(), record.id, Outcome::Timeout);
        self.engine.journal.end(Ending::Failed { device, id, outcome, why: why.clone() });
        self.engine.metrics.posted_ended(&record.device.key, record.transport, Outcome::Timeout);
        self.engine.top.ended(&record.device.key, Outcome::Timeout, self.engine.took(timeout));
        let ended = Record { message: Some(why), ended_at: Some(UnixMillis::now()), ..record.clone() };
        self.engine.failures.ended(of_record(&ended, Outcome::Timeout));
    }
}
