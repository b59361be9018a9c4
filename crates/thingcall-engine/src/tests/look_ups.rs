//! Calls to devices that memory does not have.

use std::pin::Pin;
use std::task::{Context, Waker};

use thingcall_core::{Answer, CallError, Executed, LookUpFailed, Outcome, Sent};

use crate::testbench::{SECOND, answers_after, bench};

const MEASURE: &str = r#"{"channel":1}"#;

/// Whether the call, which has begun by that, goes on later.
fn waits(call: Pin<&mut impl Future>) -> bool {
    call.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test(start_paused = true)]
async fn a_device_that_memory_does_not_have_is_called_once_it_is_found() {
    let bench = bench(answers_after(SECOND, r#"{"mean":4}"#));
    let say = bench.cold();
    let mut call = Box::pin(bench.engine.invoke(bench.request("Measure", MEASURE)));
    assert!(waits(call.as_mut()));
    assert!(bench.delivered.lock().unwrap().is_empty());

    say.send(Ok(Some(bench.found()))).unwrap();
    let Answer::Replied(body) = call.await.unwrap().answer else { panic!("it is synchronous") };
    assert_eq!(body.data, r#"{"mean":4}"#);
    assert_eq!(bench.calls("sync", "ok"), 1.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_is_told_and_not_taken_for_an_unknown_device() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    bench.cold().send(Err(LookUpFailed("the store's disk reports errors".to_owned()))).unwrap();
    let error = bench.engine.invoke(bench.request("Measure", MEASURE)).await.unwrap_err();
    assert_eq!((error.outcome(), error.executed()), (Outcome::Internal, Executed::No));
    assert_eq!(
        error.to_string(),
        "the device could not be looked up: the store's disk reports errors; nothing was sent to it, try again"
    );

    bench.cold().send(Ok(None)).unwrap();
    let error = bench.engine.invoke(bench.request("Measure", MEASURE)).await.unwrap_err();
    assert!(matches!(error, CallError::UnknownDevice(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_look_up_ends_with_its_calls_time() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let say = bench.cold();
    let error = bench.engine.invoke(bench.request("Measure", MEASURE)).await.unwrap_err();
    assert_eq!(error, CallError::Expired { waited_ms: 8000 });
    assert!(say.is_closed(), "nobody looks any more");
    assert!(bench.delivered.lock().unwrap().is_empty());
    assert_eq!(bench.metric(r#"thingcall_calls_total{mode="unknown",outcome="timeout",transport="none"}"#), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_during_the_look_up_is_counted_and_a_drain_waits_for_the_others() {
    let bench = bench(answers_after(SECOND, r#"{"mean":4}"#));
    let _say = bench.cold();
    let mut call = Box::pin(bench.engine.invoke(bench.request("Measure", MEASURE)));
    assert!(waits(call.as_mut()));
    drop(call);
    assert_eq!(bench.metric(r#"thingcall_calls_total{mode="unknown",outcome="cancelled",transport="none"}"#), 1.0);

    let say = bench.cold();
    let mut call = Box::pin(bench.engine.invoke(bench.request("Measure", MEASURE)));
    assert!(waits(call.as_mut()));
    say.send(Ok(Some(bench.found()))).unwrap();
    let (left, answered) = tokio::join!(bench.engine.drain(5 * SECOND), call);
    assert_eq!((left, answered.is_ok()), (0, true));
}
