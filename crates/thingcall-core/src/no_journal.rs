//! A journal that keeps nothing.

use std::ops::RangeInclusive;

use async_trait::async_trait;

use crate::{
    CallId, Completion, DeviceKey, Ending, Journal, JournalEntry, JournalError, OpenCall, Record, Sent, TransportKind,
};

/// For whoever makes synchronous calls only: an asynchronous one is refused before anything leaves for its device.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn open(&self, _: JournalEntry) -> Result<(), JournalError> {
        let why = "asynchronous calls are not kept here; call a synchronous service".to_owned();
        Err(JournalError::Unwritable { why, in_doubt: false })
    }

    fn note(&self, _: &DeviceKey, _: CallId, _: TransportKind, _: Sent) {}

    fn end(&self, ending: Ending) {
        match ending {
            Ending::Replied(reply) => reply.told(Completion::Unknown),
            Ending::Failed { .. } => {}
        }
    }

    async fn find(&self, _: CallId) -> Result<Vec<Record>, JournalError> {
        Ok(Vec::new())
    }

    async fn open_calls(&self, _: &DeviceKey, _: usize) -> Result<Vec<Record>, JournalError> {
        Ok(Vec::new())
    }

    async fn last_place(&self) -> Result<i64, JournalError> {
        Ok(0)
    }

    async fn open_in_slot(&self, _: u8, _: RangeInclusive<i64>, _: usize) -> Result<Vec<OpenCall>, JournalError> {
        Ok(Vec::new())
    }

    async fn taken_over(&self, _: &[i64], _: &str) -> Result<(), JournalError> {
        Ok(())
    }
}
