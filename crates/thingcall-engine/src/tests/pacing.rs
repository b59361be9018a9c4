//! Calls to devices that get one at a time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{
    Answer, CallError, CallId, CallMode, CallStep, Deadline, DeliverError, Delivery, Executed, Outcome, Qos, ReplySink,
    Request, Sent, Unawaited,
};
use thingcall_tsl::{Pacing, ProductSettings};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance};

use crate::testbench::{Bench, Replier, SECOND, TOPIC, bench_with, device, reply};
use crate::{Config, Invoked, WaitsFor};

const MS: Duration = Duration::from_millis(1);

fn paced(
    pacing: Pacing,
    behaviour: impl Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> + Send + Sync + 'static,
) -> Arc<Bench> {
    let config = Config { paced_waiting_calls_max: NonZeroUsize::new(2).unwrap(), ..Config::default() };
    Arc::new(bench_with(config, ProductSettings { pacing, ..ProductSettings::default() }, behaviour))
}

fn silent(_: &Delivery, _: &Replier) -> Result<Sent, DeliverError> {
    Ok(Sent::Sent)
}

type Calling = JoinHandle<Result<Invoked, CallError>>;

fn call_with(bench: &Arc<Bench>, request: Request) -> Calling {
    let bench = bench.clone();
    tokio::spawn(async move { bench.engine.invoke(request).await })
}

fn measure(bench: &Arc<Bench>) -> Calling {
    call_with(bench, bench.request("Measure", r#"{"channel":1}"#))
}

fn set_scene(bench: &Arc<Bench>, qos: Qos) -> Calling {
    call_with(bench, Request { qos, ..bench.request("SetScene", "{}") })
}

/// What has left by now.
async fn sent(bench: &Bench) -> Vec<CallId> {
    for _ in 0..50 {
        yield_now().await;
    }
    bench.delivered.lock().unwrap().clone()
}

fn answered(bench: &Bench, id: CallId) {
    bench.engine.accept(reply("dev1", id, r#"{"mean":7}"#), TOPIC, &Unawaited);
}

fn waits(bench: &Bench, result: &str) -> f64 {
    bench.metric(&format!(r#"thingcall_paced_wait_seconds_count{{result="{result}"}}"#))
}

#[tokio::test(start_paused = true)]
async fn the_next_call_leaves_after_the_answer_of_the_one_before() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let (first, second) = (measure(&bench), measure(&bench));
    let one = sent(&bench).await;
    assert_eq!((one.len(), bench.metric("thingcall_paced_waiting_calls")), (1, 1.0));
    advance(SECOND).await;
    assert_eq!(sent(&bench).await.len(), 1);
    answered(&bench, one[0]);
    let two = sent(&bench).await;
    assert_eq!((two.len(), waits(&bench, "came")), (2, 1.0));
    answered(&bench, two[1]);
    for call in [first, second] {
        assert!(matches!(call.await.unwrap().unwrap().answer, Answer::Replied(_)));
    }
    assert_eq!(bench.metric("thingcall_paced_waiting_calls"), 0.0);
    let turns: Vec<_> = bench.records.take().iter().map(|record| record.times.get(CallStep::Turn)).collect();
    assert_eq!(turns, [Some(0), Some(1_000_000)], "the wait is a step of its own");
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn calls_leave_in_the_order_in_which_they_came_whatever_their_kind() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let first = set_scene(&bench, Qos::AtMostOnce);
    sent(&bench).await;
    let second = measure(&bench);
    sent(&bench).await;
    let third = set_scene(&bench, Qos::AtMostOnce);
    let accepted = first.await.unwrap().unwrap().id;
    assert_eq!((sent(&bench).await, bench.pages().len()), (vec![accepted], 1), "who waits is not written down");
    answered(&bench, accepted);
    let two = sent(&bench).await;
    assert_eq!(two.len(), 2);
    answered(&bench, two[1]);
    let (second, third) = (second.await.unwrap().unwrap().id, third.await.unwrap().unwrap().id);
    assert_eq!(sent(&bench).await, [accepted, second, third]);
}

#[tokio::test(start_paused = true)]
async fn the_next_call_leaves_after_the_acknowledgement_where_that_is_enough() {
    let bench = paced(Pacing::AfterAck, |delivery, _| {
        Ok(if delivery.qos == Qos::AtLeastOnce { Sent::Acked } else { Sent::Sent })
    });
    let calls = [measure(&bench), set_scene(&bench, Qos::AtLeastOnce), measure(&bench)];
    let all = sent(&bench).await;
    assert_eq!(all.len(), 3, "nobody waits for an answer");
    all.iter().for_each(|id| answered(&bench, *id));
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

/// As of the embedded broker: it hands a command over before its device has it.
#[tokio::test(start_paused = true)]
async fn a_device_that_acknowledges_by_itself_is_waited_for() {
    let bench = paced(Pacing::AfterAck, silent);
    let (first, second) = (set_scene(&bench, Qos::AtLeastOnce), set_scene(&bench, Qos::AtLeastOnce));
    let one = sent(&bench).await;
    assert_eq!(one.len(), 1);
    bench.engine.acknowledged(&device("dev2"), one[0]);
    assert_eq!(sent(&bench).await.len(), 1, "that was another device");
    bench.engine.acknowledged(&device("dev1"), one[0]);
    assert_eq!(sent(&bench).await.len(), 2);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();

    let bench = paced(Pacing::AfterAnswer, silent);
    let calls = [set_scene(&bench, Qos::AtLeastOnce), set_scene(&bench, Qos::AtLeastOnce)];
    let one = sent(&bench).await;
    bench.engine.acknowledged(&device("dev1"), one[0]);
    assert_eq!(sent(&bench).await.len(), 1, "an acknowledgement is no answer");
    calls.into_iter().for_each(|call| call.abort());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_stuck_gives_way_and_its_late_answer_is_its_own() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let began = Instant::now();
    let (stuck, next) = (measure(&bench), measure(&bench));
    let one = sent(&bench).await;
    advance(3 * SECOND - MS).await;
    assert_eq!(sent(&bench).await.len(), 1);
    advance(MS).await;
    let two = sent(&bench).await;
    assert_eq!((two.len(), began.elapsed(), waits(&bench, "overtook")), (2, 3 * SECOND, 1.0));
    let third = measure(&bench);
    assert_eq!(sent(&bench).await.len(), 2);
    // The stuck one has no turn any more, so its answer is nobody's turn.
    answered(&bench, two[0]);
    assert!(stuck.await.unwrap().is_ok());
    assert_eq!(sent(&bench).await.len(), 2);
    answered(&bench, two[1]);
    let three = sent(&bench).await;
    answered(&bench, three[2]);
    assert!(next.await.unwrap().is_ok() && third.await.unwrap().is_ok());
    assert_eq!(one[0], three[0]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_until_its_time_is_over_was_not_sent() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let deadline = Deadline::at((Instant::now() + 2 * SECOND).into_std());
    let (_first, second) =
        (measure(&bench), call_with(&bench, Request { deadline, ..bench.request("Measure", r#"{"channel":1}"#) }));
    let told = second.await.unwrap().unwrap_err();
    assert_eq!((&told, told.executed()), (&CallError::Expired { waited_ms: 2000 }, Executed::No));
    assert_eq!((sent(&bench).await.len(), waits(&bench, "gave_up")), (1, 1.0));
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_no_gap_and_a_full_queue_says_so() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let _first = measure(&bench);
    sent(&bench).await;
    let second = measure(&bench);
    sent(&bench).await;
    let third = measure(&bench);
    sent(&bench).await;
    let told = measure(&bench).await.unwrap().unwrap_err();
    let why = told.to_string();
    assert!(why.contains("2 calls wait") && why.contains("paced_waiting_calls_max"), "{why}");
    assert_eq!((told.executed(), bench.metric("thingcall_paced_refused_calls_total")), (Executed::No, 1.0));
    second.abort();
    let one = sent(&bench).await;
    answered(&bench, one[0]);
    let two = sent(&bench).await;
    assert_eq!(two.len(), 2);
    answered(&bench, two[1]);
    assert!(third.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_keeps_the_device_from_the_next_until_it_is_done() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let (first, second) = (measure(&bench), measure(&bench));
    let one = sent(&bench).await;
    first.abort();
    assert_eq!(sent(&bench).await.len(), 1, "the device is still busy with it");
    answered(&bench, one[0]);
    let two = sent(&bench).await;
    assert_eq!(two.len(), 2);
    answered(&bench, two[1]);
    assert!(second.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_did_not_leave_holds_nobody_up() {
    let bench = paced(Pacing::AfterAnswer, |_, _| Err(DeliverError::Offline));
    for _ in 0..3 {
        assert!(matches!(measure(&bench).await.unwrap(), Err(CallError::Offline(_))));
        assert_eq!(set_scene(&bench, Qos::AtMostOnce).await.unwrap().unwrap().answer, Answer::Accepted);
    }
    assert_eq!(waits(&bench, "came") + waits(&bench, "overtook"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_product_without_pacing_sends_all_at_once_and_keeps_nothing() {
    let bench = paced(Pacing::AllAtOnce, silent);
    let calls: Vec<_> = (0..4).map(|_| measure(&bench)).collect();
    assert_eq!(sent(&bench).await.len(), 4);
    assert_eq!(bench.engine.lanes.devices(), 0);
    calls.into_iter().for_each(|call| call.abort());
}

/// What a device that never answers leaves behind is forgotten.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_device_whose_time_is_over() {
    let bench = paced(Pacing::AfterAnswer, silent);
    set_scene(&bench, Qos::AtMostOnce).await.unwrap().unwrap();
    bench.engine.refresh_metrics();
    assert_eq!(bench.engine.lanes.devices(), 1);
    advance(3 * SECOND).await;
    bench.engine.refresh_metrics();
    assert_eq!(bench.engine.lanes.devices(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_its_turn_is_listed_and_ended_and_never_reaches_the_device() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let _first = measure(&bench);
    let one = sent(&bench).await;
    let (second, third) = (measure(&bench), set_scene(&bench, Qos::AtLeastOnce));
    sent(&bench).await;
    advance(SECOND).await;
    let all = bench.engine.running_calls(9);
    let turn = |mode| (WaitsFor::Turn, mode, SECOND);
    let mut queued: Vec<_> = all.iter().filter(|call| call.waits_for == WaitsFor::Turn).collect();
    queued.sort_by_key(|call| call.mode != CallMode::Sync);
    let told: Vec<_> = queued.iter().map(|call| (call.waits_for.clone(), call.mode, call.age)).collect();
    assert_eq!((all.len(), told), (3, vec![turn(CallMode::Sync), turn(CallMode::Async)]));
    let (measuring, setting) = (queued[0].id, queued[1].id);
    assert_eq!((queued[1].service.to_string().as_str(), one.contains(&setting)), ("SetScene", false));
    assert_eq!(bench.engine.running_calls(1).len(), 1);

    for (id, mode, call) in [(measuring, CallMode::Sync, second), (setting, CallMode::Async, third)] {
        assert_eq!(bench.engine.cancel(id), Some(mode));
        assert_eq!(bench.engine.cancel(id), None, "it waits no more");
        let told = call.await.unwrap().unwrap_err();
        assert_eq!((told.outcome(), told.executed()), (Outcome::Cancelled, Executed::No));
        let [record] = <[_; 1]>::try_from(bench.records.take()).unwrap();
        assert_eq!((record.outcome, record.executed, record.call_id), (Outcome::Cancelled, Executed::No, Some(id)));
    }
    assert_eq!((bench.metric("thingcall_paced_waiting_calls"), waits(&bench, "gave_up")), (0.0, 2.0));
    answered(&bench, one[0]);
    assert_eq!((sent(&bench).await, bench.pages().len()), (one, 0), "neither left, nor was written down");
    assert_eq!(bench.engine.lanes.devices(), 0);
}

/// The place is free before the one who had it was woken.
#[tokio::test(start_paused = true)]
async fn who_is_ended_frees_its_place_at_once_and_the_next_has_the_turn() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let _first = measure(&bench);
    let one = sent(&bench).await;
    let mut others = vec![measure(&bench)];
    sent(&bench).await;
    others.push(measure(&bench));
    sent(&bench).await;
    let first_to_wait =
        bench.engine.running_calls(9).into_iter().find(|call| call.waits_for == WaitsFor::Turn).unwrap();
    assert!(bench.engine.cancel(first_to_wait.id).is_some());
    // There is room for two.
    others.push(measure(&bench));
    sent(&bench).await;
    assert_eq!(bench.metric("thingcall_paced_refused_calls_total"), 0.0);
    answered(&bench, one[0]);
    let two = sent(&bench).await;
    assert_eq!((two.len(), two.contains(&first_to_wait.id)), (2, false));
    answered(&bench, two[1]);
    let three = sent(&bench).await;
    answered(&bench, three[2]);
    let ended = futures_of(others).await;
    assert_eq!(ended.iter().filter(|told| told.is_ok()).count(), 2);
}

/// One whose turn has come is its device's to answer: to end it is the same as without pacing.
#[tokio::test(start_paused = true)]
async fn ended_while_the_device_has_it_the_next_one_goes_at_once() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let (first, second) = (measure(&bench), measure(&bench));
    let one = sent(&bench).await;
    assert_eq!(bench.engine.cancel(one[0]), Some(CallMode::Sync));
    assert_eq!(first.await.unwrap().unwrap_err().executed(), Executed::Maybe);
    let two = sent(&bench).await;
    assert_eq!(two.len(), 2);
    answered(&bench, one[0]);
    assert_eq!(bench.records.take_late().len(), 1);
    answered(&bench, two[1]);
    assert!(second.await.unwrap().is_ok());
}

async fn futures_of(calls: Vec<Calling>) -> Vec<Result<Invoked, CallError>> {
    let mut ended = Vec::new();
    for call in calls {
        ended.push(call.await.unwrap());
    }
    ended
}

/// What an application asks in bytes is something that its device works on, too.
#[tokio::test(start_paused = true)]
async fn questions_in_bytes_take_turns_and_messages_that_nobody_answers_do_not() {
    let bench = paced(Pacing::AfterAnswer, silent);
    let letter = |to| thingcall_core::Letter { to, payload: bytes::Bytes::from_static(b"?"), extras: None };
    let asking = |word: &str, to| {
        let asks = thingcall_core::Asks::Letter(Arc::new(letter(to)));
        call_with(&bench, Request { asks, ..bench.request(word, "{}") })
    };
    let first = asking("RRpc", thingcall_core::LetterTo::Rrpc);
    let [asked] = <[_; 1]>::try_from(sent(&bench).await).unwrap();
    let second = asking("RRpc", thingcall_core::LetterTo::Rrpc);
    assert_eq!(sent(&bench).await, [asked], "it waits");
    let told = asking("Pub", thingcall_core::LetterTo::Topic("/pk1/dev1/user/get".into()));
    assert_eq!(sent(&bench).await.len(), 2, "nobody answers that");
    told.await.unwrap().unwrap();
    let said = |id| {
        let (device, payload) = (device("dev1"), bytes::Bytes::from_static(b"!"));
        let transport = thingcall_core::TransportKind::Embedded;
        let raw = thingcall_core::RawReply { device, transport, topic_id: Some(id), service: None, payload };
        bench.engine.accept_raw(raw, TOPIC, &Unawaited);
    };
    said(asked);
    assert_eq!(first.await.unwrap().unwrap().said.as_deref(), Some(&b"!"[..]));
    let all = sent(&bench).await;
    assert_eq!(all.len(), 3, "it leaves after the answer of the one before");
    said(all[2]);
    second.await.unwrap().unwrap();
}
