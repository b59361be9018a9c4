//! A log of messages that writes as a test lets it.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use thingcall_core::{
    Device, DeviceKey, GivenBack, JournalError, LastValue, LastValues, Message, MessageKind, MessageLog, NewMessage,
    ProductKey, ReaderName, Report, ReportWords, Standing, Taken, UnixMillis, Wanted, Words,
};
use tokio::sync::Semaphore;

/// A log of which each test says what is wanted; its words are the reports' own.
pub(super) struct Log {
    wanted: Vec<MessageKind>,
    pub(super) written: Mutex<Vec<NewMessage>>,
    /// How many messages each append had.
    pub(super) appends: Mutex<Vec<usize>>,
    pub(super) reports: Mutex<Vec<Report>>,
    /// A write takes one.
    pub(super) room: Semaphore,
    pub(super) broken: AtomicBool,
    kept: Mutex<Vec<LastValue>>,
    pub(super) full: AtomicBool,
}

impl Log {
    pub(super) fn new(wanted: &[MessageKind]) -> Arc<Self> {
        Arc::new(Self {
            wanted: wanted.to_vec(),
            written: Mutex::default(),
            appends: Mutex::default(),
            reports: Mutex::default(),
            room: Semaphore::new(1000),
            broken: AtomicBool::default(),
            kept: Mutex::default(),
            full: AtomicBool::default(),
        })
    }

    pub(super) fn kinds(&self) -> Vec<MessageKind> {
        self.written.lock().unwrap().iter().map(|message| message.kind).collect()
    }

    pub(super) fn kept(&self) -> Vec<(String, String, i64)> {
        self.kept.lock().unwrap().iter().map(|v| (v.property.clone(), v.value.clone(), v.at.0)).collect()
    }
}

#[async_trait]
impl MessageLog for Log {
    fn is_wanted(&self, _: &ProductKey, kind: MessageKind) -> bool {
        self.wanted.contains(&kind)
    }
    async fn append(&self, messages: Vec<NewMessage>) -> Result<(), JournalError> {
        self.room.acquire().await.unwrap().forget();
        if self.broken.load(Ordering::Relaxed) {
            return Err(JournalError::Unwritable { why: "the store is full".to_owned(), in_doubt: false });
        }
        self.appends.lock().unwrap().push(messages.len());
        self.written.lock().unwrap().extend(messages);
        Ok(())
    }
    async fn set_reader(&self, _: &ReaderName, _: Wanted) -> Result<(), JournalError> {
        unreachable!()
    }
    async fn remove_reader(&self, _: &ReaderName) -> Result<(), JournalError> {
        unreachable!()
    }
    async fn readers(&self) -> Result<Vec<ReaderName>, JournalError> {
        Ok(Vec::new())
    }

    async fn take(&self, _: &ReaderName, _: usize) -> Result<Vec<Taken>, JournalError> {
        unreachable!()
    }
    async fn take_again(&self, _: &ReaderName, _: usize) -> Result<Vec<Taken>, JournalError> {
        unreachable!()
    }
    fn settle(&self, _: &ReaderName, _: &[i64]) {}
    fn give_back(&self, _: &ReaderName, _: Vec<GivenBack>) {}
    async fn dead(&self, _: &ReaderName, _: i64, _: usize) -> Result<Vec<(Taken, String)>, JournalError> {
        unreachable!()
    }
    async fn revive(&self, _: &ReaderName, _: Option<&[i64]>) -> Result<u64, JournalError> {
        unreachable!()
    }
    async fn skip(&self, _: &ReaderName) -> Result<u64, JournalError> {
        unreachable!()
    }
    async fn standing(&self, _: &ReaderName) -> Result<Standing, JournalError> {
        unreachable!()
    }
    async fn look(&self, _: i64, _: &Wanted, _: usize) -> Result<Vec<Message>, JournalError> {
        unreachable!()
    }
    async fn places(&self) -> Result<RangeInclusive<i64>, JournalError> {
        unreachable!()
    }
    fn newest(&self) -> i64 {
        0
    }
    async fn appended(&self, _: i64) {}
}

impl ReportWords for Log {
    fn report(&self, _: &Device, id: &str, _: UnixMillis, report: &Report) -> Words {
        self.reports.lock().unwrap().push(report.clone());
        Words { topic: id.to_owned(), body: Bytes::new(), trace: None }
    }
}

#[async_trait]
impl LastValues for Log {
    fn keep(&self, _: &DeviceKey, values: Vec<LastValue>) -> bool {
        self.kept.lock().unwrap().extend(values);
        !self.full.load(Ordering::Relaxed)
    }
    async fn of(&self, _: &DeviceKey) -> Result<Vec<LastValue>, JournalError> {
        unreachable!()
    }
}
