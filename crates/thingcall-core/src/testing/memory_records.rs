//! Records of calls in memory, for tests of whoever makes them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{
    CallFilter, CallOrder, CallPlaces, CallRecord, CallRecords, JournalError, KeptCall, KeptCalls, LateAnswer,
    ServiceCalls,
};

/// All that was put.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    records: Mutex<Vec<CallRecord>>,
    refused: Mutex<Vec<CallRecord>>,
    late: Mutex<Vec<LateAnswer>>,
}

impl MemoryRecords {
    /// What was put since the last time.
    pub fn take(&self) -> Vec<CallRecord> {
        std::mem::take(&mut *lock(&self.records))
    }

    /// The same of refused requests.
    pub fn take_refused(&self) -> Vec<CallRecord> {
        std::mem::take(&mut *lock(&self.refused))
    }

    /// The same of answers that came too late.
    pub fn take_late(&self) -> Vec<LateAnswer> {
        std::mem::take(&mut *lock(&self.late))
    }
}

fn lock<T>(all: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl CallRecords for MemoryRecords {
    fn kept(&self) -> KeptCalls {
        KeptCalls::All
    }

    fn put(&self, record: CallRecord) {
        lock(&self.records).push(record);
    }

    fn put_refused(&self, record: CallRecord) {
        lock(&self.refused).push(record);
    }

    fn put_late(&self, late: LateAnswer) {
        lock(&self.late).push(late);
    }

    async fn calls(&self, _: &CallFilter, _: (CallOrder, CallPlaces), _: usize) -> Result<Vec<KeptCall>, JournalError> {
        Ok(Vec::new())
    }

    async fn newest_calls(&self) -> Result<CallPlaces, JournalError> {
        Ok(CallPlaces { journal: 0, records: 0 })
    }

    async fn service_calls(&self, _: &ServiceCalls, _: usize) -> Result<Vec<KeptCall>, JournalError> {
        Ok(Vec::new())
    }
}
