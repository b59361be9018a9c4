//! Calls that somebody else accepted, or this server before it was started anew.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thingcall_core::{
    CallId, DeliverError, Delivery, Ending, Journal, Outcome, Qos, Record, RecordState, ReplySink, Sent, TransportKind,
    Unawaited,
};

use crate::TakeOver;
use crate::testbench::{Bench, Replier, SECOND, TOPIC, bench, bench_behind_a_broker, device, reply};

/// An id of the instance that died.
fn of_dead(number: u32) -> CallId {
    CallId::new(7, number)
}

/// Takes the dead instance's slot over, and waits until nothing is left to do.
async fn take_over(bench: &Bench) {
    let upto = bench.journal.last_place().await.unwrap();
    bench.slots.take(7);
    bench.engine.take_over(TakeOver { slot: 7, own: false, upto, by: "me".to_owned() }).await;
}

fn record(bench: &Bench, id: CallId) -> Record {
    bench.journal.records().into_iter().find(|record| record.id == id).expect("no record")
}

fn delivered(bench: &Bench) -> Vec<CallId> {
    bench.delivered.lock().unwrap().clone()
}

fn acknowledged(_: &Delivery, _: &Replier) -> Result<Sent, DeliverError> {
    Ok(Sent::Acked)
}

#[tokio::test(start_paused = true)]
async fn what_may_not_have_left_is_sent_under_its_own_id_and_its_reply_ends_it() {
    let bench = bench_behind_a_broker(acknowledged);
    for (id, how) in [(1, None), (2, Some(Sent::Sent)), (3, Some(Sent::Acked))] {
        bench.keep_at(of_dead(id), Qos::AtLeastOnce);
        how.inspect(|how| bench.journal.note(&device("dev1"), of_dead(id), TransportKind::Mqtt, *how));
    }
    take_over(&bench).await;
    assert_eq!(delivered(&bench), [of_dead(1), of_dead(2)], "what is acknowledged is the broker's to deliver");
    for id in 1..=3 {
        assert_eq!(record(&bench, of_dead(id)).state, RecordState::Acked);
        assert_eq!(record(&bench, of_dead(id)).taken_over.unwrap().by, "me");
        bench.engine.accept(reply("dev1", of_dead(id), "{}"), TOPIC, &Unawaited);
    }
    bench.engine.drain(SECOND).await;
    assert!(bench.pages().iter().all(|(_, outcome)| *outcome == Some(Outcome::Ok)), "{:?}", bench.pages());
    assert_eq!(bench.metric(r#"thingcall_taken_over_calls_total{result="sent"}"#), 2.0);
}

#[tokio::test(start_paused = true)]
async fn at_qos_0_nothing_leaves_twice_and_what_nobody_knows_of_is_ended_in_words() {
    let bench = bench_behind_a_broker(acknowledged);
    bench.keep(of_dead(1));
    bench.keep(of_dead(2));
    bench.keep(of_dead(3));
    bench.journal.note(&device("dev1"), of_dead(2), TransportKind::Mqtt, Sent::Sent);
    // A reply that is on its way ends the call as it should be.
    let late = bench.engine.clone();
    tokio::spawn(async move {
        tokio::time::sleep(SECOND).await;
        late.accept(reply("dev1", of_dead(3), "{}"), TOPIC, &Unawaited);
    });
    take_over(&bench).await;
    assert_eq!(delivered(&bench), []);
    let outcomes: Vec<_> = bench.pages().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Internal), None, Some(Outcome::Ok)]);
    let message = record(&bench, of_dead(1)).message.unwrap();
    assert!(message.contains("the device may have executed it"), "{message}");
    assert_eq!(bench.engine.failures(&of_dead(1).to_string()).len(), 1, "explain tells it");
}

#[tokio::test(start_paused = true)]
async fn while_the_broker_is_away_calls_are_kept_and_sent_in_their_order_when_it_is_back() {
    let (attempts, sent) = (AtomicUsize::new(0), Arc::new(Mutex::new(Vec::new())));
    let left = sent.clone();
    let bench = bench_behind_a_broker(move |delivery, _| match attempts.fetch_add(1, Ordering::Relaxed) {
        0..3 => Err(DeliverError::Down),
        _ => {
            left.lock().unwrap().push(delivery.id);
            Ok(Sent::Acked)
        }
    });
    for id in 1..=3 {
        bench.keep_at(of_dead(id), Qos::AtLeastOnce);
    }
    take_over(&bench).await;
    assert_eq!(*sent.lock().unwrap(), [of_dead(1), of_dead(2), of_dead(3)]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_reach_its_device_ends_in_words() {
    let refused = DeliverError::Refused("the broker says no".to_owned());
    for (problem, outcome) in [(DeliverError::Offline, Outcome::Offline), (refused, Outcome::NotDelivered)] {
        let bench = bench_behind_a_broker(move |_, _| Err(problem.clone()));
        bench.keep_at(of_dead(1), Qos::AtLeastOnce);
        take_over(&bench).await;
        assert_eq!(bench.pages()[0].1, Some(outcome));
        assert_eq!(bench.metric(r#"thingcall_taken_over_calls_total{result="ended"}"#), 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn of_ones_own_slot_only_what_was_there_before_is_sent() {
    let bench = bench_behind_a_broker(acknowledged);
    let own = |number| CallId::new(0, number);
    bench.keep_at(own(1), Qos::AtLeastOnce);
    let upto = bench.journal.last_place().await.unwrap();
    bench.keep_at(own(2), Qos::AtLeastOnce);
    bench.keep_at(of_dead(1), Qos::AtLeastOnce);
    bench.engine.take_over(TakeOver { slot: 0, own: true, upto, by: "me".to_owned() }).await;
    assert_eq!(delivered(&bench), [own(1)], "what was accepted since is on its way, and other slots are others'");
}

#[tokio::test(start_paused = true)]
async fn commands_of_the_embedded_broker_wait_for_their_devices_as_before() {
    let bench = bench(acknowledged);
    bench.keep_at(CallId::new(0, 1), Qos::AtLeastOnce);
    bench.engine.take_over(TakeOver { slot: 0, own: true, upto: i64::MAX, by: "me".to_owned() }).await;
    let record = record(&bench, CallId::new(0, 1));
    assert_eq!((delivered(&bench), record.state, record.taken_over), (vec![], RecordState::Queued, None));
}

#[tokio::test(start_paused = true)]
async fn more_calls_than_a_page_are_all_brought_on() {
    let bench = bench_behind_a_broker(acknowledged);
    let ids: Vec<_> = (1..=600).map(of_dead).collect();
    ids.iter().for_each(|id| bench.keep_at(*id, Qos::AtLeastOnce));
    take_over(&bench).await;
    assert_eq!(delivered(&bench), ids);
}

#[tokio::test(start_paused = true)]
async fn who_loses_the_slot_sends_no_more() {
    let bench = bench_behind_a_broker(|_, _| Err(DeliverError::Down));
    bench.keep_at(of_dead(1), Qos::AtLeastOnce);
    let slots = bench.slots.clone();
    tokio::spawn(async move {
        tokio::time::sleep(60 * SECOND).await;
        slots.let_go(7);
    });
    tokio::time::timeout(Duration::from_secs(70), take_over(&bench)).await.expect("it gives up");
    assert_eq!(bench.pages()[0].1, None, "its next holder sends it");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ended_is_left_alone() {
    let bench = bench_behind_a_broker(acknowledged);
    bench.keep_at(of_dead(1), Qos::AtLeastOnce);
    let (device, why) = (device("dev1"), "gone".to_owned());
    bench.journal.end(Ending::Failed { device, id: of_dead(1), outcome: Outcome::Cancelled, why });
    take_over(&bench).await;
    assert_eq!((delivered(&bench), record(&bench, of_dead(1)).taken_over), (vec![], None));
}
