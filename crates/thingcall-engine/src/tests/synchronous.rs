//! Calls whose caller waits.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thingcall_core::{
    Answer, CallError, CallId, CallMode, DeliverError, Executed, Repair, ReplyBody, ReplySink, Sent, TransportName,
    Unawaited,
};
use thingcall_tsl::{ProductSettings, ReplyCheck};
use tokio::time::Instant;

use crate::Config;
use crate::testbench::{Behaviour, SECOND, TOPIC, answers_after, bench, bench_with, device, reply};

#[tokio::test(start_paused = true)]
async fn the_caller_gets_the_devices_answer() {
    let bench = bench(answers_after(SECOND, r#"{"mean":7}"#));
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    let expected = Answer::Replied(ReplyBody { code: 200, message: None, data: r#"{"mean":7}"#.to_owned() });
    assert_eq!((invoked.mode, invoked.answer), (CallMode::Sync, expected));
    assert_eq!(*bench.delivered.lock().unwrap(), [invoked.id]);
    assert_eq!((bench.calls("sync", "ok"), bench.replies("matched")), (1.0, 1.0));
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_device_quicker_than_its_delivery_is_heard() {
    let bench = bench(|delivery, answering| {
        answering.now(reply("dev1", delivery.id, r#"{"mean":7}"#));
        Ok(Sent::Sent)
    });
    bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_silent_device_ends_in_a_timeout_after_eight_seconds() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let began = Instant::now();
    let error = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap_err();
    assert_eq!(error, CallError::Timeout { device: "pk1/dev1".to_owned(), waited_ms: 8000, hint: None });
    assert_eq!(began.elapsed(), 8 * SECOND);
    assert_eq!(bench.calls("sync", "timeout"), 1.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_counted_with_its_lateness() {
    let bench = bench(answers_after(9 * SECOND, "{}"));
    bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap_err();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(bench.replies("late"), 1.0);
    assert_eq!(bench.metric("thingcall_reply_lateness_seconds_sum"), 1.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_second_reply_is_a_duplicate() {
    let bench = bench(|delivery, answering| {
        answering.now(reply("dev1", delivery.id, r#"{"mean":7}"#));
        answering.now(reply("dev1", delivery.id, r#"{"mean":8}"#));
        Ok(Sent::Sent)
    });
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert!(matches!(invoked.answer, Answer::Replied(body) if body.data == r#"{"mean":7}"#));
    assert_eq!((bench.replies("matched"), bench.replies("duplicate")), (1.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_from_another_device_does_not_count() {
    let bench = bench(|delivery, answering| {
        answering.now(reply("dev2", delivery.id, r#"{"mean":1}"#));
        answering.after(SECOND, reply("dev1", delivery.id, r#"{"mean":7}"#));
        Ok(Sent::Sent)
    });
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert!(matches!(invoked.answer, Answer::Replied(body) if body.data == r#"{"mean":7}"#));
    assert_eq!((bench.replies("wrong_device"), bench.replies("matched")), (1.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn an_id_of_the_devices_own_making_gives_way_to_the_topics() {
    let bench = bench(|delivery, answering| {
        let mut answer = reply("dev1", CallId::new(0, delivery.id.as_u32().wrapping_sub(5)), r#"{"mean":7}"#);
        answer.topic_id = Some(delivery.id);
        answering.now(answer);
        Ok(Sent::Sent)
    });
    bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert_eq!(bench.replies("matched"), 1.0);
}

/// It counts from 1, and so where the holder of slot 0 would be.
#[tokio::test(start_paused = true)]
async fn a_devices_own_count_gives_way_to_the_topic_in_every_slot() {
    let bench = bench(|delivery, answering| {
        let mut answer = reply("dev1", CallId::from_u32(5), r#"{"mean":7}"#);
        answer.topic_id = Some(delivery.id);
        answering.now(answer);
        Ok(Sent::Sent)
    });
    bench.slots.let_go_of_all();
    bench.slots.set_own(3);
    bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert_eq!(bench.replies("matched"), 1.0);
}

/// One SDK answers two overlapping calls of a service on the topic of the later one, each under its own id.
#[tokio::test(start_paused = true)]
async fn mixed_up_topics_do_not_hand_one_callers_answer_to_another() {
    let first = Arc::new(OnceLock::new());
    let bench = bench(move |delivery, answering| {
        let Some(first) = first.get().copied() else {
            first.set(delivery.id).unwrap();
            return Ok(Sent::Sent);
        };
        for (id, data) in [(first, r#"{"mean":1}"#), (delivery.id, r#"{"mean":2}"#), (first, r#"{"mean":3}"#)] {
            let mut answer = reply("dev1", id, data);
            answer.topic_id = Some(delivery.id);
            answering.after(Duration::from_millis(1), answer);
        }
        Ok(Sent::Sent)
    });
    let (one, two) = tokio::join!(
        bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)),
        bench.engine.invoke(bench.request("Measure", r#"{"channel":2}"#)),
    );
    let data = |invoked: Result<crate::Invoked, CallError>| match invoked.unwrap().answer {
        Answer::Replied(body) => body.data,
        Answer::Accepted => panic!("no reply"),
    };
    assert_eq!((data(one), data(two)), (r#"{"mean":1}"#.to_owned(), r#"{"mean":2}"#.to_owned()));
    assert_eq!(bench.replies("duplicate"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_leaves_nothing_behind() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let call = tokio::spawn({
        let (engine, request) = (bench.engine.clone(), bench.request("Measure", r#"{"channel":1}"#));
        async move { engine.invoke(request).await }
    });
    bench.arrived.notified().await;
    call.abort();
    call.await.unwrap_err();
    bench.assert_empty();
    assert_eq!(bench.calls("sync", "cancelled"), 1.0);
    let id = bench.delivered.lock().unwrap()[0];
    bench.engine.accept(reply("dev1", id, "{}"), TOPIC, &Unawaited);
    assert_eq!((bench.replies("late"), bench.delivered.lock().unwrap().len()), (1.0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_goes_away_ends_its_calls_at_once() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let began = Instant::now();
    let (error, ()) = tokio::join!(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)), async {
        bench.arrived.notified().await;
        bench.engine.device_gone(&device("dev2"), TransportName::EMBEDDED);
        bench.engine.device_gone(&device("dev1"), TransportName::EMBEDDED);
    });
    assert_eq!(error, Err(CallError::WentOffline("pk1/dev1".to_owned())));
    assert_eq!(began.elapsed(), Duration::ZERO);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_lost_broker_ends_its_calls_at_once() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let (error, ()) = tokio::join!(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)), async {
        bench.arrived.notified().await;
        bench.engine.transport_lost(TransportName::MQTT);
        bench.engine.transport_lost(TransportName::EMBEDDED);
    });
    assert_eq!(error, Err(CallError::TransportLost));
    assert_eq!(bench.calls("sync", "transport_down"), 1.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_leave_fails_at_once_and_leaves_nothing() {
    for (refusal, outcome) in [
        (DeliverError::Offline, "offline"),
        (DeliverError::Down, "transport_down"),
        (DeliverError::QueueFull(3), "overloaded"),
        (DeliverError::TooLarge { bytes: 2, max: 1 }, "too_large"),
        (DeliverError::Refused("no".to_owned()), "not_delivered"),
    ] {
        let bench = bench(move |_, _| Err(refusal.clone()));
        bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap_err();
        assert_eq!(bench.calls("sync", outcome), 1.0, "{outcome}");
        bench.assert_empty();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_over_the_cap_are_refused_as_overloaded() {
    let config = Config { pending_calls_max: std::num::NonZeroUsize::MIN, ..Config::default() };
    let bench = bench_with(config, ProductSettings::default(), answers_after(SECOND, r#"{"mean":7}"#));
    let (first, second) = tokio::join!(
        bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)),
        bench.engine.invoke(bench.request("Measure", r#"{"channel":2}"#)),
    );
    first.unwrap();
    assert!(matches!(second, Err(CallError::Overloaded(_))));
    bench.engine.invoke(bench.request("Measure", r#"{"channel":3}"#)).await.unwrap();
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_never_reach_the_device() {
    let bench = bench(answers_after(SECOND, "{}"));
    for args in [r#"{"channel":8}"#, r#"{"channel":"1"}"#, "{'channel':8}", "", "[]"] {
        let error = bench.engine.invoke(bench.request("Measure", args)).await.unwrap_err();
        assert!(matches!(error, CallError::InvalidArgs(_)), "{args}: {error:?}");
    }
    let large = format!(r#"{{"channel":1,"x":"{}"}}"#, "x".repeat(64 * 1024));
    let error = bench.engine.invoke(bench.request("Measure", &large)).await.unwrap_err();
    assert!(matches!(error, CallError::TooLarge(_)), "{error:?}");
    assert!(bench.delivered.lock().unwrap().is_empty());
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_does_not_fit_is_handled_as_the_product_says() {
    for (reply_check, accepted, counted) in
        [(ReplyCheck::Off, true, 0.0), (ReplyCheck::Warn, true, 1.0), (ReplyCheck::Reject, false, 1.0)]
    {
        let settings = ProductSettings { reply_check, ..ProductSettings::default() };
        let bench = bench_with(Config::default(), settings, answers_after(SECOND, r#"{"mean":101}"#));
        let result = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await;
        assert_eq!(result.is_ok(), accepted, "{reply_check:?}");
        let series = r#"thingcall_validation_failures_total{direction="reply",kind="range"}"#;
        assert_eq!(bench.metric(series), counted, "{reply_check:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_was_mended_is_counted_and_handled_as_the_product_says() {
    for (reply_check, accepted) in [(ReplyCheck::Off, true), (ReplyCheck::Warn, true), (ReplyCheck::Reject, false)] {
        let settings = ProductSettings { reply_check, ..ProductSettings::default() };
        let answers: Behaviour = Box::new(|delivery, answering| {
            let mut mended = reply("dev1", delivery.id, r#"{"mean":7}"#);
            mended.repairs.add(Repair::CodeAsFloat);
            answering.after(SECOND, mended);
            Ok(Sent::Sent)
        });
        let bench = bench_with(Config::default(), settings, answers);
        let result = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await;
        assert_eq!(result.is_ok(), accepted, "{reply_check:?}");
        if let Err(error) = result {
            assert!(error.to_string().contains(r#""code" has a decimal point"#), "{error}");
        }
        assert_eq!(bench.metric(r#"thingcall_replies_repaired_total{reason="code_as_float"}"#), 1.0);
    }
}

#[tokio::test(start_paused = true)]
async fn draining_lets_running_calls_end_and_takes_no_new_ones() {
    let bench = bench(answers_after(SECOND, r#"{"mean":7}"#));
    let (running, left) = tokio::join!(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)), async {
        bench.arrived.notified().await;
        bench.engine.drain(5 * SECOND).await
    });
    running.unwrap();
    assert_eq!(left, 0);
    let refused = bench.engine.invoke(bench.request("Measure", r#"{"channel":3}"#)).await;
    assert_eq!(refused, Err(CallError::Draining));
}

#[tokio::test(start_paused = true)]
async fn calls_that_outlast_a_drain_are_told_what_may_have_happened() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let began = Instant::now();
    let (result, left) = tokio::join!(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)), async {
        bench.arrived.notified().await;
        bench.engine.drain(SECOND).await
    });
    assert_eq!((left, result), (1, Err(CallError::CutOff("pk1/dev1".to_owned()))));
    assert_eq!(began.elapsed(), SECOND);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn without_a_slot_no_call_is_taken_and_with_another_one_it_goes_on() {
    let bench = bench(answers_after(SECOND, r#"{"mean":7}"#));
    bench.slots.let_go_of_all();
    let refused = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await;
    assert_eq!(refused, Err(CallError::NoLease));
    let told = bench.metric(r#"thingcall_calls_total{mode="unknown",outcome="no_lease",transport="none"}"#);
    assert_eq!((told, bench.delivered.lock().unwrap().len()), (1.0, 0));
    bench.slots.set_own(5);
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert_eq!(invoked.id.slot(), 5);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_when_the_lease_is_lost_are_told_what_may_have_happened() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let began = Instant::now();
    let (result, ()) = tokio::join!(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)), async {
        bench.arrived.notified().await;
        bench.slots.let_go_of_all();
        bench.engine.lease_lost();
    });
    assert_eq!(result, Err(CallError::LeaseLost("pk1/dev1".to_owned())));
    assert_eq!((result.unwrap_err().executed(), began.elapsed().as_secs()), (Executed::Maybe, 0));
    bench.assert_empty();
}
