//! Which call a reply ends.

use std::sync::atomic::Ordering;
use std::sync::mpsc::TryRecvError;

use thingcall_core::{MalformedReply, RecordState};

use super::*;

fn matched(outcome: Outcome) -> Completion {
    let service = "testFb:SetScene".try_into().unwrap();
    Completion::Matched { outcome, service, transport: TransportKind::Embedded, trace: None }
}

#[tokio::test]
async fn a_reply_ends_its_call_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.open("d1", 2, Qos::AtMostOnce).await.unwrap();
    let replies = vec![reply("d1", 1, 200), reply("d1", 1, 460), reply("d1", 2, 460), reply("d1", 3, 200)];
    let verdicts = bench.store.complete(replies).await.unwrap();
    let expected = [matched(Outcome::Ok), Completion::Duplicate, matched(Outcome::DeviceError), Completion::Unknown];
    assert_eq!(verdicts, expected);
    assert_eq!(bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap(), [Completion::Duplicate]);
    assert_eq!(bench.record(1).await.code, Some(200));
    assert_eq!(bench.record(2).await.outcome, Some(Outcome::DeviceError));
}

#[tokio::test]
async fn a_reply_counts_only_from_the_device_that_was_called() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    assert_eq!(bench.store.complete(vec![reply("d2", 1, 200)]).await.unwrap(), [Completion::WrongDevice]);
    assert_eq!(bench.record(1).await.state, RecordState::Queued);
    bench.open("d2", 1, Qos::AtMostOnce).await.unwrap();
    let verdicts = bench.store.complete(vec![reply("d1", 1, 200), reply("d2", 1, 460)]).await.unwrap();
    assert_eq!(verdicts, [matched(Outcome::Ok), matched(Outcome::DeviceError)]);
}

#[tokio::test]
async fn a_reply_to_a_call_that_failed_is_late_and_kept() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.failed(&key("d1"), CallId::from_u32(1), Outcome::TransportDown, "broken");
    assert_eq!(bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap(), [Completion::Late]);
    let record = bench.record(1).await;
    assert_eq!((record.outcome, record.message.as_deref()), (Some(Outcome::TransportDown), Some("broken")));
    assert_eq!((record.code, record.data.as_deref()), (Some(200), Some(r#"{"y":1}"#)));
}

#[tokio::test]
async fn the_newest_call_with_an_id_is_the_one_meant() {
    let bench = bench().await.with_devices(&["d1"]).await;
    for outcome in [Outcome::Ok, Outcome::DeviceError] {
        bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
        let code = if outcome == Outcome::Ok { 200 } else { 1 };
        assert_eq!(bench.store.complete(vec![reply("d1", 1, code)]).await.unwrap(), [matched(outcome)]);
    }
    assert_eq!(bench.record(1).await.code, Some(1));
}

#[tokio::test]
async fn an_unreadable_reply_ends_its_call_by_the_topic_s_id() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    let body = Err(MalformedReply::NotJson("at 1".to_owned()));
    let unreadable = Reply { payload_id: None, topic_id: Some(CallId::from_u32(1)), body, ..reply("d1", 9, 200) };
    let nameless = Reply { topic_id: None, ..unreadable.clone() };
    let verdicts = bench.store.complete(vec![nameless, unreadable]).await.unwrap();
    assert_eq!(verdicts, [Completion::Unknown, matched(Outcome::InvalidReply)]);
    assert_eq!(bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap(), [Completion::Duplicate]);
}

#[tokio::test]
async fn a_note_that_comes_after_the_reply_does_not_undo_it() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    let stalled = bench.store.shared().write.lock().await;
    let replies = bench.store.complete(vec![reply("d1", 1, 200)]);
    let notes = async {
        bench.store.sent(&key("d1"), CallId::from_u32(1), TransportKind::Embedded, Sent::Sent);
        bench.store.failed(&key("d1"), CallId::from_u32(1), Outcome::Offline, "gone");
        drop(stalled);
    };
    let (verdicts, ()) = tokio::join!(replies, notes);
    assert_eq!(verdicts.unwrap(), [matched(Outcome::Ok)]);
    let record = bench.record(1).await;
    assert_eq!((record.state, record.outcome), (RecordState::Ended, Some(Outcome::Ok)));
    assert!(bench.waiting("d1").await.is_empty());
}

#[tokio::test]
async fn no_replies_have_no_verdicts() {
    let bench = bench().await;
    assert!(bench.store.complete(Vec::new()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_reply_that_cannot_be_written_is_kept_until_it_can() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.refuse_updates().await;
    let did = end_all(&*bench.store, vec![reply("d1", 1, 200), reply("d1", 9, 200)]);
    for _ in 0..12 {
        // Each finds the store failing, and takes the replies along.
        bench.store.flush().await;
        assert_eq!(did.try_recv(), Err(TryRecvError::Empty), "neither written nor lost");
    }
    // Their calls are theirs meanwhile.
    assert_eq!(bench.open("d1", 1, Qos::AtMostOnce).await, Err(JournalError::IdInUse));
    bench.allow_updates().await;
    bench.store.flush().await;
    assert_eq!(did.try_iter().collect::<Vec<_>>(), [matched(Outcome::Ok), Completion::Unknown]);
    assert_eq!((bench.record(1).await.code, bench.store.stats().notes_lost), (Some(200), 0));
}

#[tokio::test]
async fn replies_that_find_the_queue_full_are_told_so() {
    let bench =
        bench_with(Config { write_queue_records_max: std::num::NonZeroUsize::new(2).unwrap(), ..Config::default() })
            .await;
    let bench = bench.with_devices(&["d1"]).await;
    let stalled = bench.store.shared().write.lock().await;
    let did = end_all(&*bench.store, (0..10).map(|id| reply("d1", id, 200)).collect());
    let refused = did.try_iter().inspect(|did| assert_eq!(*did, Completion::NotKept)).count();
    let queued = || bench.store.shared().replies_queued.load(Ordering::Relaxed);
    assert!((4..=5).contains(&queued()), "{}", queued());
    drop(stalled);
    bench.store.flush().await;
    let rest: Vec<_> = did.try_iter().collect();
    assert!((5..=6).contains(&refused) && rest.len() == 10 - refused, "{refused} and {}", rest.len());
    assert!(rest.iter().all(|did| *did == Completion::Unknown) && queued() == 0);
}
