//! Records of calls as the engine puts them, and calls of journal and records as whoever looks for them finds them.

use async_trait::async_trait;
use thingcall_core::{
    CallFilter, CallOrder, CallPlace, CallPlaces, CallRecord, CallRecords, CallSource, JournalError, KeptCall,
    KeptCalls, LateAnswer, ServiceCalls,
};

use crate::Store;

#[async_trait]
impl CallRecords for Store {
    fn kept(&self) -> KeptCalls {
        self.shared().config.records.keep
    }

    fn put(&self, record: CallRecord) {
        self.shared().recording.put(record);
    }

    fn put_refused(&self, record: CallRecord) {
        self.shared().recording.put_refused(record);
    }

    fn put_late(&self, late: LateAnswer) {
        self.shared().recording.put_late(late);
    }

    async fn calls(
        &self,
        filter: &CallFilter,
        (order, places): (CallOrder, CallPlaces),
        max: usize,
    ) -> Result<Vec<KeptCall>, JournalError> {
        let reads = &self.shared().reads;
        let mut found = Vec::new();
        for source in [CallSource::Journal, CallSource::Records] {
            let page = reads.kept_calls(source, filter, (order, places.of(source)), max).await;
            found.push(page.map_err(|problem| JournalError::Store(problem.to_string()))?.into_iter());
        }
        let records = found.pop().unwrap_or_default();
        let journal = found.pop().unwrap_or_default();
        Ok(merged(order, journal, records).take(max).collect())
    }

    async fn service_calls(&self, calls: &ServiceCalls, max: usize) -> Result<Vec<KeptCall>, JournalError> {
        let reads = &self.shared().reads;
        let mut found = Vec::new();
        for source in [CallSource::Journal, CallSource::Records] {
            let page = reads.service_calls(source, calls, max).await;
            found.extend(page.map_err(|problem| JournalError::Store(problem.to_string()))?);
        }
        let place = |call: &KeptCall| CallPlace { at: call.accepted_at, source: call.source, place: call.place };
        found.sort_by_key(place);
        if calls.order == CallOrder::NewestFirst {
            found.reverse();
        }
        found.truncate(max);
        Ok(found)
    }

    async fn newest_calls(&self) -> Result<CallPlaces, JournalError> {
        let reads = &self.shared().reads;
        let unreadable = |problem: crate::failure::Failure| JournalError::Store(problem.to_string());
        let journal = reads.last_place().await.map_err(unreadable)?;
        Ok(CallPlaces { journal, records: reads.last_record().await.map_err(unreadable)? })
    }
}

impl Store {
    /// What this server is called in the records that it writes; the first time counts.
    pub fn records_as(&self, instance: &str) {
        let _first = self.shared().recording.instance.get_or_init(|| instance.to_owned());
    }
}

/// Both, each in its own order: the one whose next call is due comes first.
fn merged(
    order: CallOrder,
    journal: impl Iterator<Item = KeptCall>,
    records: impl Iterator<Item = KeptCall>,
) -> impl Iterator<Item = KeptCall> {
    let (mut journal, mut records) = (journal.peekable(), records.peekable());
    std::iter::from_fn(move || match (journal.peek(), records.peek()) {
        (Some(a), Some(b)) => {
            let first = match order {
                CallOrder::NewestFirst => a.accepted_at >= b.accepted_at,
                CallOrder::OldestFirst => a.accepted_at <= b.accepted_at,
            };
            if first { journal.next() } else { records.next() }
        }
        (Some(_), None) => journal.next(),
        (None, _) => records.next(),
    })
}
