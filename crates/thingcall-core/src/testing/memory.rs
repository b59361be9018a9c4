//! A journal that forgets everything when it is dropped, and never waits.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{
    CallId, Completion, Delivery, DeviceKey, Ending, Journal, JournalEntry, JournalError, OpenCall, Outbox, Outcome,
    Qos, Record, RecordState, Reply, ReplyBody, Sent, TakenOver, TransportKind, UnixMillis, UnwrittenReply,
};

/// The journal.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    pages: Mutex<Vec<Page>>,
    /// The replies that wait while it stands still.
    held: Mutex<Option<Vec<Box<dyn UnwrittenReply>>>>,
    /// What became of calls is not written.
    lost: AtomicBool,
}

#[derive(Debug)]
struct Page {
    record: Record,
    delivery: Delivery,
}

impl MemoryJournal {
    /// Everything on record, in the order in which it was accepted.
    pub fn records(&self) -> Vec<Record> {
        self.pages().iter().map(|page| page.record.clone()).collect()
    }

    /// Writes a call down.
    ///
    /// # Errors
    /// [`JournalError::IdInUse`] if an open call of this device has this id.
    pub fn put(&self, entry: JournalEntry) -> Result<(), JournalError> {
        let mut pages = self.pages();
        if pages.iter().any(|page| page.is_open(&entry.delivery.device.key, entry.delivery.id)) {
            return Err(JournalError::IdInUse);
        }
        pages.push(Page::new(entry));
        Ok(())
    }

    /// From now on replies wait, as those of a store that cannot be written do.
    pub fn stand_still(&self) {
        self.held().get_or_insert_default();
    }

    /// Takes what waits, and goes on.
    pub fn go_on(&self) {
        let held = self.held().take();
        held.into_iter().flatten().for_each(|reply| self.end(Ending::Replied(reply)));
    }

    /// From now on what became of calls is not written: their slots are another's.
    pub fn lose_slots(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    fn pages(&self) -> MutexGuard<'_, Vec<Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<Box<dyn UnwrittenReply>>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, device: &DeviceKey, id: CallId, change: impl FnOnce(&mut Record)) {
        if let Some(page) = self.pages().iter_mut().find(|page| page.is_open(device, id)) {
            change(&mut page.record);
        }
    }
}

impl Page {
    fn new(entry: JournalEntry) -> Self {
        let JournalEntry { delivery, answer, request_id, action, key, accepted_at, times } = entry;
        let mut record = Record {
            id: delivery.id,
            request_id: request_id.to_string(),
            action: (!action.is_empty()).then(|| action.to_owned()),
            key_id: key.map(|key| key.id().to_owned()),
            device: (*delivery.device).clone(),
            service: delivery.service.clone(),
            params: delivery.params.as_str().to_owned(),
            qos: delivery.qos.level(),
            state: RecordState::Queued,
            outcome: None,
            transport: None,
            code: None,
            message: None,
            data: None,
            accepted_at,
            times,
            sent_at: None,
            acked_at: None,
            ended_at: None,
            taken_over: None,
            trace: delivery.trace.as_ref().map(|hop| hop.keep()),
        };
        if let Some(body) = answer {
            end(&mut record, body.outcome());
            (record.transport, record.sent_at) = (Some(TransportKind::Plugin), record.ended_at);
            (record.code, record.message, record.data) = (Some(body.code), body.message, Some(body.data));
        }
        Self { record, delivery }
    }

    fn is_of(&self, device: &DeviceKey, id: CallId) -> bool {
        self.record.id == id && self.record.device.key == *device
    }

    fn is_open(&self, device: &DeviceKey, id: CallId) -> bool {
        self.record.state != RecordState::Ended && self.is_of(device, id)
    }

    fn waits_for(&self, device: &DeviceKey) -> bool {
        let Record { state, transport, .. } = &self.record;
        self.record.device.key == *device
            && self.delivery.qos == Qos::AtLeastOnce
            && matches!(state, RecordState::Queued | RecordState::Sent)
            && matches!(transport, None | Some(TransportKind::Embedded))
    }
}

/// Ends a record as this reply says.
fn answer(record: &mut Record, reply: &Reply) -> Outcome {
    let outcome = reply.outcome();
    end(record, outcome);
    match &reply.body {
        Ok(ReplyBody { code, message, data }) => {
            (record.code, record.message, record.data) = (Some(*code), message.clone(), Some(data.clone()));
        }
        Err(malformed) => record.message = Some(malformed.to_string()),
    }
    outcome
}

fn end(record: &mut Record, outcome: Outcome) {
    (record.state, record.outcome, record.ended_at) = (RecordState::Ended, Some(outcome), Some(UnixMillis::now()));
}

fn judge(pages: &mut [Page], reply: &Reply) -> Completion {
    let Some(id) = reply.id() else { return Completion::Unknown };
    if let Some(page) = pages.iter_mut().find(|page| page.is_open(&reply.device, id)) {
        let outcome = answer(&mut page.record, reply);
        let Record { service, transport, trace, accepted_at, sent_at, .. } = &page.record;
        return Completion::Matched {
            outcome,
            service: service.clone(),
            transport: transport.unwrap_or(reply.transport),
            trace: trace.clone().map(|hop| Box::new((hop, sent_at.unwrap_or(*accepted_at)))),
        };
    }
    let another = pages.iter().any(|page| page.record.id == id);
    match pages.iter_mut().rfind(|page| page.is_of(&reply.device, id)) {
        Some(Page { record, .. }) => match record.outcome {
            Some(Outcome::Ok | Outcome::DeviceError | Outcome::InvalidReply) => Completion::Duplicate,
            _ => {
                if let (None, Ok(body)) = (record.code, &reply.body) {
                    (record.code, record.data) = (Some(body.code), Some(body.data.clone()));
                }
                Completion::Late
            }
        },
        None if another => Completion::WrongDevice,
        None => Completion::Unknown,
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn open(&self, entry: JournalEntry) -> Result<(), JournalError> {
        self.put(entry)
    }

    fn note(&self, device: &DeviceKey, id: CallId, transport: TransportKind, how: Sent) {
        self.change(device, id, |record| {
            record.transport = Some(transport);
            if how == Sent::Kept {
                return;
            }
            record.sent_at = record.sent_at.or(Some(UnixMillis::now()));
            if record.state == RecordState::Queued {
                record.state = RecordState::Sent;
            }
            if how == Sent::Acked {
                (record.state, record.acked_at) = (RecordState::Acked, record.acked_at.or(record.sent_at));
            }
        });
    }

    fn end(&self, ending: Ending) {
        match ending {
            Ending::Failed { .. } if self.lost.load(Ordering::Relaxed) => {}
            Ending::Failed { device, id, outcome, why } => self.change(&device, id, |record| {
                end(record, outcome);
                record.message = Some(why);
            }),
            Ending::Replied(reply) => {
                if let Some(held) = &mut *self.held() {
                    return held.push(reply);
                }
                let did = judge(&mut self.pages(), reply.reply());
                reply.told(did);
            }
        }
    }

    async fn find(&self, id: CallId) -> Result<Vec<Record>, JournalError> {
        Ok(self.pages().iter().rev().filter(|page| page.record.id == id).map(|page| page.record.clone()).collect())
    }

    async fn open_calls(&self, device: &DeviceKey, max: usize) -> Result<Vec<Record>, JournalError> {
        let pages = self.pages();
        let open = pages.iter().filter(|page| page.is_open(device, page.record.id));
        let open = open.filter(|page| page.record.transport != Some(TransportKind::Plugin));
        Ok(open.take(max).map(|page| page.record.clone()).collect())
    }

    async fn last_place(&self) -> Result<i64, JournalError> {
        Ok(i64::try_from(self.pages().len()).unwrap_or(i64::MAX))
    }

    async fn open_in_slot(
        &self,
        slot: u8,
        places: RangeInclusive<i64>,
        max: usize,
    ) -> Result<Vec<OpenCall>, JournalError> {
        let pages = self.pages();
        let placed = (1..).zip(&*pages).filter(|(place, page)| places.contains(place) && page.record.id.slot() == slot);
        let open = placed.filter(|(_, page)| {
            page.record.state != RecordState::Ended && page.record.transport != Some(TransportKind::Plugin)
        });
        let open =
            open.map(|(place, page)| OpenCall { place, record: page.record.clone(), raw: page.delivery.raw.clone() });
        Ok(open.take(max).collect())
    }

    async fn taken_over(&self, places: &[i64], by: &str) -> Result<(), JournalError> {
        let at = UnixMillis::now();
        for (_, page) in (1..).zip(&mut *self.pages()).filter(|(place, _)| places.contains(place)) {
            page.record.taken_over = Some(TakenOver { by: by.to_owned(), at });
        }
        Ok(())
    }
}

#[async_trait]
impl Outbox for MemoryJournal {
    async fn unacknowledged(
        &self,
        device: &DeviceKey,
        after: Option<CallId>,
        max: usize,
    ) -> Result<Vec<Delivery>, JournalError> {
        let pages = self.pages();
        let start = after.and_then(|id| pages.iter().rposition(|page| page.is_of(device, id))).map_or(0, |at| at + 1);
        let waiting = pages.iter().skip(start).filter(|page| page.waits_for(device));
        Ok(waiting.take(max).map(|page| page.delivery.clone()).collect())
    }

    fn acknowledged(&self, device: &DeviceKey, id: CallId) {
        self.change(device, id, |record| {
            (record.state, record.acked_at) = (RecordState::Acked, record.acked_at.or(Some(UnixMillis::now())));
        });
    }
}
