//! A log that nobody reads.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Device, DeviceKey, GivenBack, JournalError, LastValue, LastValues, Message, MessageKind, MessageLog, NewMessage,
    ProductKey, ReaderName, Report, ReportWords, Standing, Taken, UnixMillis, Wanted, Words,
};

/// For whoever wants to hear of nothing: devices are answered all the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMessages;

impl NoMessages {
    fn none() -> JournalError {
        JournalError::Store("messages are not kept here".to_owned())
    }
}

#[async_trait]
impl MessageLog for NoMessages {
    fn is_wanted(&self, _: &ProductKey, _: MessageKind) -> bool {
        false
    }

    async fn append(&self, _: Vec<NewMessage>) -> Result<(), JournalError> {
        Ok(())
    }

    async fn set_reader(&self, _: &ReaderName, _: Wanted) -> Result<(), JournalError> {
        Err(Self::none())
    }

    async fn remove_reader(&self, _: &ReaderName) -> Result<(), JournalError> {
        Ok(())
    }

    async fn readers(&self) -> Result<Vec<ReaderName>, JournalError> {
        Ok(Vec::new())
    }

    async fn take(&self, _: &ReaderName, _: usize) -> Result<Vec<Taken>, JournalError> {
        Ok(Vec::new())
    }

    async fn take_again(&self, _: &ReaderName, _: usize) -> Result<Vec<Taken>, JournalError> {
        Ok(Vec::new())
    }

    fn settle(&self, _: &ReaderName, _: &[i64]) {}

    fn give_back(&self, _: &ReaderName, _: Vec<GivenBack>) {}

    async fn dead(&self, _: &ReaderName, _: i64, _: usize) -> Result<Vec<(Taken, String)>, JournalError> {
        Ok(Vec::new())
    }

    async fn revive(&self, _: &ReaderName, _: Option<&[i64]>) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn skip(&self, _: &ReaderName) -> Result<u64, JournalError> {
        Ok(0)
    }

    async fn standing(&self, _: &ReaderName) -> Result<Standing, JournalError> {
        Ok(Standing::default())
    }

    async fn look(&self, _: i64, _: &Wanted, _: usize) -> Result<Vec<Message>, JournalError> {
        Ok(Vec::new())
    }

    async fn places(&self) -> Result<RangeInclusive<i64>, JournalError> {
        Ok(RangeInclusive::new(1, 0))
    }

    fn newest(&self) -> i64 {
        0
    }

    async fn appended(&self, _: i64) {
        std::future::pending().await
    }
}

impl ReportWords for NoMessages {
    fn report(&self, _: &Device, _: &str, _: UnixMillis, _: &Report) -> Words {
        Words { topic: String::new(), body: Bytes::new(), trace: None }
    }
}

#[async_trait]
impl LastValues for NoMessages {
    fn keep(&self, _: &DeviceKey, _: Vec<LastValue>) -> bool {
        true
    }

    async fn of(&self, _: &DeviceKey) -> Result<Vec<LastValue>, JournalError> {
        Ok(Vec::new())
    }
}
