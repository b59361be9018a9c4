//! What every [`Journal`] and every [`Outbox`] must do, whatever it keeps its records in.

use std::any::Any;
use std::sync::Arc;

use super::{end_all, entry, reply};
use crate::{
    CallId, Completion, Device, Ending, Journal, JournalEntry, JournalError, MalformedReply, OpenCall, Outbox, Outcome,
    Qos, Record, RecordState, Reply, Sent, ServiceId, TransportKind,
};

/// An empty journal, and the two devices that are registered where it looks for them.
pub struct UnderTest {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Its outbox.
    pub outbox: Arc<dyn Outbox>,
    /// The devices.
    pub devices: [Arc<Device>; 2],
    /// What must live as long.
    pub keeps: Box<dyn Any + Send>,
}

/// Holds a journal to all that is asked of one; each fact gets one of its own.
///
/// # Panics
/// Where it breaks a fact.
pub async fn assert_journal(make: impl AsyncFn() -> UnderTest) {
    a_call_is_on_record_when_it_was_opened(make().await).await;
    an_id_is_taken_while_its_call_is_open(make().await).await;
    a_state_only_grows(make().await).await;
    a_call_ends_once(make().await).await;
    a_reply_ends_the_open_call_of_its_device(make().await).await;
    the_first_of_two_replies_counts(make().await).await;
    a_call_that_has_its_answer_is_written_down_ended(make().await).await;
    a_reply_after_the_end_is_kept_beside_it(make().await).await;
    notes_on_calls_that_are_not_open_do_nothing(make().await).await;
    open_calls_are_told_oldest_first(make().await).await;
    open_calls_of_a_slot_are_told_by_their_places(make().await).await;
    what_was_handed_over_before_is_seen_of_a_slot(make().await).await;
    who_brings_a_call_on_stands_in_its_record(make().await).await;
    the_outbox_tells_what_waits_in_order(make().await).await;
    a_command_waits_until_it_is_taken_or_over(make().await).await;
}

const EMBEDDED: TransportKind = TransportKind::Embedded;

const fn id(number: u32) -> CallId {
    CallId::from_u32(number)
}

impl UnderTest {
    fn device(&self) -> &Arc<Device> {
        let [first, _] = &self.devices;
        first
    }

    fn other(&self) -> &Arc<Device> {
        let [_, second] = &self.devices;
        second
    }

    async fn open(&self, device: &Arc<Device>, number: u32, qos: Qos) -> Result<(), JournalError> {
        self.journal.open(entry(device, id(number), &service(), qos)).await
    }

    async fn opened(&self, numbers: &[u32], qos: Qos) {
        for number in numbers {
            assert_eq!(self.open(self.device(), *number, qos).await, Ok(()));
        }
    }

    /// The newest record, with all that was handed over before.
    async fn record(&self, number: u32) -> Record {
        let _in_order = self.open_ids(usize::MAX).await;
        self.journal.find(id(number)).await.ok().and_then(|found| found.into_iter().next()).expect("a record")
    }

    async fn open_ids(&self, max: usize) -> Vec<u32> {
        let open = self.journal.open_calls(&self.device().key, max).await.expect("it can be read");
        open.iter().map(|record| record.id.as_u32()).collect()
    }

    async fn waiting(&self, after: Option<u32>, max: usize) -> Vec<u32> {
        let found = self.outbox.unacknowledged(&self.device().key, after.map(id), max).await.expect("it can be read");
        found.iter().map(|delivery| delivery.id.as_u32()).collect()
    }

    fn sent(&self, number: u32, transport: TransportKind, how: Sent) {
        self.journal.note(&self.device().key, id(number), transport, how);
    }

    fn failed(&self, number: u32, outcome: Outcome, why: &str) {
        let (device, why) = (self.device().key.clone(), why.to_owned());
        self.journal.end(Ending::Failed { device, id: id(number), outcome, why });
    }

    async fn replied(&self, replies: Vec<Reply>) -> Vec<Completion> {
        let did = end_all(&*self.journal, replies);
        // What was handed over before is written before it is answered, and told.
        let _in_order = self.open_ids(usize::MAX).await;
        did.try_iter().collect()
    }
}

fn service() -> ServiceId {
    "testFb:SetScene".try_into().expect("a service")
}

fn matched(outcome: Outcome) -> Completion {
    Completion::Matched { outcome, service: service(), transport: EMBEDDED, trace: None }
}

async fn a_call_is_on_record_when_it_was_opened(at: UnderTest) {
    let entry = entry(at.device(), id(u32::MAX), &service(), Qos::AtLeastOnce);
    let asked = (entry.request_id.to_string(), entry.delivery.params.as_str().to_owned(), entry.accepted_at);
    assert_eq!(at.journal.open(entry).await, Ok(()));

    let record = at.journal.find(id(u32::MAX)).await.expect("it can be read").pop().expect("a record");

    assert_eq!((record.request_id, record.params, record.accepted_at), asked);
    assert_eq!((record.id, &record.device, record.service), (id(u32::MAX), &**at.device(), service()));
    assert_eq!((record.qos, record.state, record.outcome, record.transport), (1, RecordState::Queued, None, None));
    assert!(at.journal.find(id(7)).await.expect("it can be read").is_empty());
}

async fn an_id_is_taken_while_its_call_is_open(at: UnderTest) {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let number = u32::from(qos.level());
        at.opened(&[number], qos).await;
        for again in [Qos::AtMostOnce, Qos::AtLeastOnce] {
            assert_eq!(at.open(at.device(), number, again).await, Err(JournalError::IdInUse));
        }
        assert_eq!(at.open(at.other(), number, qos).await, Ok(()));
        at.failed(number, Outcome::Offline, "gone");
        assert_eq!(at.open(at.device(), number, qos).await, Ok(()));
        let found = at.journal.find(id(number)).await.expect("it can be read");
        let of: Vec<_> = found.iter().map(|record| (&record.device.key, record.outcome)).collect();
        let newest_first =
            [(&at.device().key, None), (&at.other().key, None), (&at.device().key, Some(Outcome::Offline))];
        assert_eq!(of, newest_first);
    }
}

async fn a_state_only_grows(at: UnderTest) {
    at.opened(&[1], Qos::AtLeastOnce).await;
    at.sent(1, EMBEDDED, Sent::Kept);
    let kept = at.record(1).await;
    assert_eq!((kept.state, kept.transport, kept.sent_at), (RecordState::Queued, Some(EMBEDDED), None));
    at.sent(1, EMBEDDED, Sent::Sent);
    let sent = at.record(1).await;
    assert_eq!((sent.state, sent.sent_at.is_some(), sent.acked_at), (RecordState::Sent, true, None));
    at.outbox.acknowledged(&at.device().key, id(1));
    let acked = at.record(1).await;
    assert_eq!((acked.state, acked.sent_at, acked.acked_at.is_some()), (RecordState::Acked, sent.sent_at, true));
    at.sent(1, EMBEDDED, Sent::Sent);
    let still = at.record(1).await;
    assert_eq!((still.state, still.sent_at, still.acked_at), (RecordState::Acked, sent.sent_at, acked.acked_at));
}

async fn a_call_ends_once(at: UnderTest) {
    at.opened(&[1], Qos::AtMostOnce).await;
    at.failed(1, Outcome::TransportDown, "broken");
    at.failed(1, Outcome::Offline, "later");
    at.sent(1, EMBEDDED, Sent::Acked);
    let record = at.record(1).await;
    assert_eq!((record.state, record.outcome), (RecordState::Ended, Some(Outcome::TransportDown)));
    assert_eq!((record.message.as_deref(), record.code, record.sent_at), (Some("broken"), None, None));
    assert!(record.ended_at.is_some());
}

async fn a_reply_ends_the_open_call_of_its_device(at: UnderTest) {
    at.opened(&[1, 2, 3], Qos::AtMostOnce).await;
    at.sent(3, TransportKind::Mqtt, Sent::Sent);
    assert_eq!(at.replied(vec![reply(at.other(), id(1), 200)]).await, [Completion::WrongDevice]);
    assert_eq!(at.record(1).await.state, RecordState::Queued);
    let unreadable = Err(MalformedReply::NotJson("at 1".to_owned()));
    let by_topic = Reply { payload_id: None, topic_id: Some(id(2)), body: unreadable, ..reply(at.device(), id(9), 0) };
    let nameless = Reply { topic_id: None, ..by_topic.clone() };
    let device = at.device();
    let did = at.replied(vec![
        reply(device, id(1), 200),
        nameless,
        by_topic,
        reply(device, id(3), 460),
        reply(device, id(9), 200),
    ]);
    let over_mqtt = Completion::Matched {
        outcome: Outcome::DeviceError,
        service: service(),
        transport: TransportKind::Mqtt,
        trace: None,
    };
    let expected =
        [matched(Outcome::Ok), Completion::Unknown, matched(Outcome::InvalidReply), over_mqtt, Completion::Unknown];
    assert_eq!(did.await, expected);
    let record = at.record(3).await;
    assert_eq!((record.state, record.outcome), (RecordState::Ended, Some(Outcome::DeviceError)));
    assert_eq!((record.code, record.message.as_deref()), (Some(460), Some("said")));
    assert_eq!((record.data.as_deref(), record.ended_at.is_some()), (Some(r#"{"y":1}"#), true));
}

async fn the_first_of_two_replies_counts(at: UnderTest) {
    at.opened(&[1], Qos::AtMostOnce).await;
    let both = vec![reply(at.device(), id(1), 200), reply(at.device(), id(1), 460)];
    assert_eq!(at.replied(both).await, [matched(Outcome::Ok), Completion::Duplicate]);
    assert_eq!(at.replied(vec![reply(at.device(), id(1), 1)]).await, [Completion::Duplicate]);
    assert_eq!(at.record(1).await.code, Some(200));
    // The id's next call has an answer of its own.
    at.opened(&[1], Qos::AtMostOnce).await;
    assert_eq!(at.replied(vec![reply(at.device(), id(1), 460)]).await, [matched(Outcome::DeviceError)]);
}

async fn a_call_that_has_its_answer_is_written_down_ended(at: UnderTest) {
    let answered = |number, code| {
        let answer = reply(at.device(), id(number), code).body.ok();
        at.journal.open(JournalEntry { answer, ..entry(at.device(), id(number), &service(), Qos::AtLeastOnce) })
    };
    assert_eq!((answered(1, 200).await, answered(2, 460).await), (Ok(()), Ok(())));
    let [ok, refused] = [at.record(1).await, at.record(2).await];
    assert_eq!(
        (ok.state, ok.outcome, ok.transport),
        (RecordState::Ended, Some(Outcome::Ok), Some(TransportKind::Plugin))
    );
    assert_eq!((ok.code, ok.message.as_deref(), ok.data.as_deref()), (Some(200), Some("said"), Some(r#"{"y":1}"#)));
    assert!(ok.ended_at.is_some() && ok.sent_at == ok.ended_at && ok.acked_at.is_none());
    assert_eq!((refused.outcome, refused.code), (Some(Outcome::DeviceError), Some(460)));
    assert!(at.open_ids(9).await.is_empty() && at.waiting(None, 9).await.is_empty());
    assert_eq!(at.replied(vec![reply(at.device(), id(1), 460)]).await, [Completion::Duplicate]);
    // Its id is no open call's, and it does not take one that is.
    at.opened(&[1, 3], Qos::AtMostOnce).await;
    assert_eq!((answered(3, 200).await, answered(4, 200).await), (Err(JournalError::IdInUse), Ok(())));
}

async fn a_reply_after_the_end_is_kept_beside_it(at: UnderTest) {
    at.opened(&[1], Qos::AtMostOnce).await;
    at.failed(1, Outcome::TransportDown, "broken");
    let late = vec![reply(at.device(), id(1), 200), reply(at.device(), id(1), 460)];
    assert_eq!(at.replied(late).await, [Completion::Late, Completion::Late]);
    let record = at.record(1).await;
    assert_eq!((record.outcome, record.message.as_deref()), (Some(Outcome::TransportDown), Some("broken")));
    assert_eq!((record.code, record.data.as_deref()), (Some(200), Some(r#"{"y":1}"#)));
}

async fn notes_on_calls_that_are_not_open_do_nothing(at: UnderTest) {
    at.sent(1, EMBEDDED, Sent::Sent);
    at.failed(2, Outcome::Offline, "gone");
    at.outbox.acknowledged(&at.device().key, id(3));
    at.opened(&[1, 2, 3], Qos::AtLeastOnce).await;
    for number in [1, 2, 3] {
        let record = at.record(number).await;
        assert_eq!((record.state, record.sent_at, record.outcome), (RecordState::Queued, None, None));
    }
    assert_eq!(at.waiting(None, 9).await, [1, 2, 3]);
}

async fn open_calls_are_told_oldest_first(at: UnderTest) {
    at.opened(&[9, 3, 5, 7], Qos::AtLeastOnce).await;
    assert_eq!(at.open(at.other(), 1, Qos::AtLeastOnce).await, Ok(()));
    // Handed over, and not written yet perhaps.
    at.failed(3, Outcome::Offline, "away");
    at.sent(7, TransportKind::Plugin, Sent::Sent);
    assert_eq!(at.open_ids(10).await, [9, 5]);
    assert_eq!(at.open_ids(1).await, [9]);
}

async fn open_calls_of_a_slot_are_told_by_their_places(at: UnderTest) {
    let ours = [CallId::new(5, 0), CallId::new(5, 7), CallId::new(5, u32::MAX)];
    let others = [CallId::new(4, u32::MAX), CallId::new(6, 0)];
    assert_eq!(at.journal.last_place().await, Ok(0));
    for id in ours.iter().chain(&others) {
        let raw = Some(vec![0, 1, 255].into());
        let mut entry = entry(at.device(), *id, &service(), Qos::AtLeastOnce);
        entry.delivery.raw = raw;
        assert_eq!(at.journal.open(entry).await, Ok(()));
    }
    let last = at.journal.last_place().await.expect("it can be read");
    let later = CallId::new(5, 8);
    assert_eq!(at.journal.open(entry(at.other(), later, &service(), Qos::AtMostOnce)).await, Ok(()));
    let told = async |places, max| at.journal.open_in_slot(5, places, max).await.expect("it can be read");
    let ids = |calls: &[OpenCall]| calls.iter().map(|call| call.record.id).collect::<Vec<_>>();

    let all = told(1..=i64::MAX, 9).await;
    assert_eq!(ids(&all), [ours.as_slice(), &[later]].concat());
    let raw = all.first().and_then(|call| call.raw.as_deref());
    assert_eq!(raw, Some([0, 1, 255].as_slice()));
    let first = told(1..=last, 2).await;
    let page_end = first.last().expect("two").place;
    assert_eq!(ids(&first), ours.get(..2).expect("three"));
    assert_eq!(ids(&told(page_end + 1..=last, 2).await), ours.get(2..).expect("three"), "none that came later");
}

async fn what_was_handed_over_before_is_seen_of_a_slot(at: UnderTest) {
    at.opened(&[1, 2, 3, 4, 5], Qos::AtLeastOnce).await;
    at.sent(1, TransportKind::Mqtt, Sent::Sent);
    at.sent(2, TransportKind::Amqp, Sent::Acked);
    at.failed(3, Outcome::Cancelled, "gone");
    let did = end_all(&*at.journal, vec![reply(at.device(), id(4), 200)]);

    let open = at.journal.open_in_slot(0, 1..=i64::MAX, usize::MAX).await.expect("it can be read");

    let states: Vec<_> = open.iter().map(|call| (call.record.id.as_u32(), call.record.state)).collect();
    assert_eq!(states, [(1, RecordState::Sent), (2, RecordState::Acked), (5, RecordState::Queued)]);
    assert_eq!(did.try_iter().count(), 1);
}

async fn who_brings_a_call_on_stands_in_its_record(at: UnderTest) {
    at.opened(&[1, 2], Qos::AtLeastOnce).await;
    let open = at.journal.open_in_slot(0, 1..=i64::MAX, 1).await.expect("it can be read");
    let places: Vec<_> = open.iter().map(|call| call.place).collect();
    for by in ["first", "second"] {
        assert_eq!(at.journal.taken_over(&places, by).await, Ok(()));
    }
    assert_eq!(at.journal.taken_over(&[], "nobody").await, Ok(()));
    let by = async |number| at.record(number).await.taken_over.map(|taken| taken.by);
    assert_eq!((by(1).await, by(2).await), (Some("second".to_owned()), None));
}

async fn the_outbox_tells_what_waits_in_order(at: UnderTest) {
    at.opened(&[7, 3, 5], Qos::AtLeastOnce).await;
    at.opened(&[4], Qos::AtMostOnce).await;
    assert_eq!(at.open(at.other(), 8, Qos::AtLeastOnce).await, Ok(()));
    assert_eq!(at.waiting(None, 9).await, [7, 3, 5]);
    assert_eq!((at.waiting(Some(7), 1).await, at.waiting(Some(3), 9).await), (vec![3], vec![5]));
    // One that is not known any more: nothing is left out.
    assert_eq!(at.waiting(Some(99), 9).await, [7, 3, 5]);
    let first = at.outbox.unacknowledged(&at.device().key, None, 1).await.expect("it can be read").remove(0);
    assert_eq!((&first.device, first.service, first.params.as_str()), (at.device(), service(), r#"{"x":10.0}"#));
    assert_eq!((first.qos, first.deadline.is_none()), (Qos::AtLeastOnce, true));
}

async fn a_command_waits_until_it_is_taken_or_over(at: UnderTest) {
    at.opened(&[1, 2, 3, 4, 5, 6], Qos::AtLeastOnce).await;
    at.sent(1, EMBEDDED, Sent::Kept);
    at.sent(5, EMBEDDED, Sent::Sent);
    at.outbox.acknowledged(&at.device().key, id(2));
    assert_eq!(at.waiting(None, 9).await, [1, 3, 4, 5, 6]);
    let ended = at.replied(vec![reply(at.device(), id(3), 200)]).await;
    assert_eq!(ended, [matched(Outcome::Ok)]);
    at.failed(4, Outcome::TooLarge, "too large");
    at.sent(6, TransportKind::Mqtt, Sent::Sent);
    assert_eq!(at.waiting(None, 9).await, [1, 5]);
}
