//! The journal: records, their states, and what is durable when.

use futures_util::future::join_all;
use thingcall_core::RecordState;

use super::*;

const EMBEDDED: TransportKind = TransportKind::Embedded;

#[tokio::test]
async fn a_record_says_what_was_asked() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let entry = entry(&bench.device("d1").await, u32::MAX, Qos::AtLeastOnce);
    let request_id = entry.request_id.to_string();
    bench.store.open(entry).await.unwrap();
    let record = bench.store.find_records(u32::MAX).await.remove(0);
    assert_eq!((record.id, record.request_id), (CallId::from_u32(u32::MAX), request_id));
    assert_eq!(
        (record.device, record.service.to_string().as_str()),
        ((*bench.device("d1").await).clone(), "testFb:SetScene")
    );
    assert_eq!((record.params.as_str(), record.qos, record.accepted_at), (r#"{"x":10.0}"#, 1, UnixMillis(1)));
    assert_eq!((record.state, record.outcome, record.transport), (RecordState::Queued, None, None));
}

#[tokio::test]
async fn an_id_is_taken_while_its_call_is_open() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let id = u32::from(qos.level());
        bench.open("d1", id, qos).await.unwrap();
        for again in [Qos::AtMostOnce, Qos::AtLeastOnce] {
            assert_eq!(bench.open("d1", id, again).await, Err(JournalError::IdInUse));
        }
        bench.open("d2", id, qos).await.unwrap();
        bench.store.failed(&key("d1"), CallId::from_u32(id), Outcome::Offline, "gone");
        bench.open("d1", id, qos).await.unwrap();
        assert_eq!(bench.store.find_records(id).await.len(), 3);
    }
    assert_eq!(bench.waiting("d1").await, [1]);
}

#[tokio::test]
async fn of_two_calls_with_one_id_at_once_one_is_written() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let (a, b, c) = tokio::join!(
        bench.open("d1", 1, Qos::AtMostOnce),
        bench.open("d1", 1, Qos::AtMostOnce),
        bench.open("d1", 2, Qos::AtMostOnce)
    );
    assert_eq!((a, b, c), (Ok(()), Err(JournalError::IdInUse), Ok(())));
    assert_eq!(bench.store.find_records(1).await.len(), 1);
}

/// More than PostgreSQL is sent in one statement.
#[tokio::test]
async fn each_of_many_calls_in_one_batch_is_written_and_told_what_became_of_it() {
    const CALLS: u32 = 300;
    let bench = bench().await.with_devices(&["d1"]).await;
    let taken = [2, 250];
    for id in taken {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
    }
    let stalled = bench.store.shared().write.lock().await;
    let opened = join_all((0..CALLS).map(|id| bench.open("d1", id, Qos::AtMostOnce)));
    let (opened, ()) = tokio::join!(opened, async { drop(stalled) });
    for (id, opened) in (0..CALLS).zip(opened) {
        assert_eq!(opened, if taken.contains(&id) { Err(JournalError::IdInUse) } else { Ok(()) }, "{id}");
    }
    let stalled = bench.store.shared().write.lock().await;
    (0..CALLS).for_each(|id| bench.store.sent(&key("d1"), CallId::from_u32(id), EMBEDDED, Sent::Sent));
    drop(stalled);
    bench.store.flush().await;
    assert_eq!(bench.record(0).await.state, RecordState::Sent);
    assert_eq!(bench.record(CALLS - 1).await.state, RecordState::Sent);
    let done = bench.store.complete((0..CALLS).map(|id| reply("d1", id, 200)).collect()).await.unwrap();
    assert_eq!(done.len(), CALLS as usize);
    for id in 0..CALLS {
        assert_eq!(bench.record(id).await.outcome, Some(Outcome::Ok), "{id}");
    }
}

#[tokio::test]
async fn a_note_on_an_old_call_does_not_reach_a_new_one_with_its_id() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.store.failed(&key("d1"), CallId::from_u32(1), Outcome::Offline, "gone");
    bench.store.flush().await;
    let stalled = bench.store.shared().write.lock().await;
    bench.store.acknowledged(&key("d1"), CallId::from_u32(1));
    let opened = bench.open("d1", 1, Qos::AtLeastOnce);
    let (opened, ()) = tokio::join!(opened, async { drop(stalled) });
    assert_eq!(opened, Ok(()));
    assert_eq!(bench.record(1).await.state, RecordState::Queued);
    assert_eq!(bench.waiting("d1").await, [1]);
}

#[tokio::test]
async fn a_state_never_goes_back() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let id = CallId::from_u32(1);
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.store.sent(&key("d1"), id, EMBEDDED, Sent::Kept);
    assert_eq!(bench.record(1).await.state, RecordState::Queued);
    bench.store.sent(&key("d1"), id, EMBEDDED, Sent::Sent);
    let sent = bench.record(1).await;
    assert!(sent.state == RecordState::Sent && sent.sent_at.is_some() && sent.transport == Some(EMBEDDED));
    bench.store.acknowledged(&key("d1"), id);
    let acked = bench.record(1).await;
    assert_eq!((acked.state, acked.sent_at), (RecordState::Acked, sent.sent_at));
    bench.store.sent(&key("d1"), id, EMBEDDED, Sent::Sent);
    let still = bench.record(1).await;
    assert_eq!((still.state, still.sent_at, still.acked_at), (RecordState::Acked, sent.sent_at, acked.acked_at));
    bench.store.failed(&key("d1"), id, Outcome::TransportDown, "broken");
    bench.store.acknowledged(&key("d1"), id);
    bench.store.failed(&key("d1"), id, Outcome::Offline, "later");
    let ended = bench.record(1).await;
    assert_eq!((ended.state, ended.outcome), (RecordState::Ended, Some(Outcome::TransportDown)));
    assert_eq!((ended.message.as_deref(), ended.code), (Some("broken"), None));
}

#[tokio::test]
async fn notes_that_share_a_transaction_add_up() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    let id = CallId::from_u32(1);
    let stalled = bench.store.shared().write.lock().await;
    bench.store.acknowledged(&key("d1"), id);
    bench.store.sent(&key("d1"), id, EMBEDDED, Sent::Sent);
    bench.store.sent(&key("d1"), CallId::from_u32(9), EMBEDDED, Sent::Sent);
    drop(stalled);
    let record = bench.record(1).await;
    assert_eq!((record.state, record.transport), (RecordState::Acked, Some(EMBEDDED)));
    assert!(record.sent_at.is_some() && record.acked_at.is_some());
}

#[tokio::test]
async fn records_survive_a_restart() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.sent(&key("d1"), CallId::from_u32(1), TransportKind::Mqtt, Sent::Sent);
    bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap();
    let bench = bench.reopened().await;
    let record = bench.record(1).await;
    assert_eq!((record.state, record.outcome), (RecordState::Ended, Some(Outcome::Ok)));
    assert_eq!((record.code, record.data.as_deref()), (Some(200), Some(r#"{"y":1}"#)));
    assert_eq!((record.message.as_deref(), record.transport), (Some("said"), Some(TransportKind::Mqtt)));
    assert!(record.ended_at.is_some());
}

#[tokio::test]
async fn open_calls_of_a_device_are_told_oldest_first() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    for (device, id) in [("d1", 9), ("d2", 1), ("d1", 3), ("d1", 5)] {
        bench.open(device, id, Qos::AtLeastOnce).await.unwrap();
    }
    // Noted, and not written yet perhaps.
    bench.store.failed(&key("d1"), CallId::from_u32(3), Outcome::Offline, "away");
    let device = key("d1");
    let open = |max| bench.store.open_calls(&device, max);
    let ids = |records: Vec<Record>| records.iter().map(|record| record.id.as_u32()).collect::<Vec<_>>();
    assert_eq!(ids(open(10).await.unwrap()), [9, 5]);
    assert_eq!(ids(open(1).await.unwrap()), [9]);
}
