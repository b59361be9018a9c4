//! Calls whose caller does not wait.

use thingcall_core::{Answer, CallError, CallId, CallMode, DeliverError, MalformedReply, Outcome, ReplySink, Sent};
use thingcall_tsl::{ProductSettings, Validation};

use crate::Config;
use crate::testbench::{Bench, SECOND, bench, bench_with, reply};

async fn set_scene(bench: &Bench) -> Result<CallId, CallError> {
    let invoked = bench.engine.invoke(bench.request("SetScene", "{}")).await?;
    assert_eq!((invoked.mode, invoked.answer), (CallMode::Async, Answer::Accepted));
    Ok(invoked.id)
}

fn page(bench: &Bench, id: CallId) -> Option<Outcome> {
    *bench.journal.0.lock().unwrap().get(&id).expect("no record")
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_the_id_and_the_record_waits_for_the_reply() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let id = set_scene(&bench).await.unwrap();
    assert_eq!((page(&bench, id), bench.engine.pending.len()), (None, 0));
    bench.engine.accept(reply("dev1", id, "{}"));
    bench.engine.accept(reply("dev1", id, "{}"));
    bench.engine.drain(SECOND).await;
    assert_eq!(page(&bench, id), Some(Outcome::Ok));
    assert_eq!((bench.replies("matched"), bench.replies("duplicate")), (1.0, 1.0));
    assert_eq!(bench.calls("async", "ok"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_reply_ends_the_record_as_such() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let id = set_scene(&bench).await.unwrap();
    let mut answer = reply("dev1", id, "{}");
    answer.body = Err(MalformedReply::Member { member: "code", problem: "is missing".to_owned() });
    bench.engine.accept(answer);
    bench.engine.drain(SECOND).await;
    assert_eq!(page(&bench, id), Some(Outcome::InvalidReply));
    assert_eq!(bench.replies("malformed"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_away_is_no_failure_of_the_call() {
    let bench = bench(|_, _| Err(DeliverError::Offline));
    let id = set_scene(&bench).await.unwrap();
    assert_eq!(page(&bench, id), Some(Outcome::Offline));
    assert_eq!(bench.calls("async", "offline"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_told_and_closes_the_record() {
    let bench = bench(|_, _| Err(DeliverError::Down));
    assert_eq!(set_scene(&bench).await, Err(CallError::TransportDown));
    let pages: Vec<_> = bench.journal.0.lock().unwrap().values().copied().collect();
    assert_eq!(pages, [Some(Outcome::TransportDown)]);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_the_journal_still_has_is_passed_over() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let first = set_scene(&bench).await.unwrap();
    let next = CallId::new(first.slot(), first.as_u32() + 1);
    bench.journal.0.lock().unwrap().insert(next, None);
    let second = set_scene(&bench).await.unwrap();
    assert_eq!(second, CallId::new(first.slot(), first.as_u32() + 2));
    assert_eq!(*bench.delivered.lock().unwrap(), [first, second]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_no_call_is_unknown() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    bench.engine.accept(reply("dev1", CallId::new(0, 4711), "{}"));
    bench.engine.accept(reply("dev1", CallId::new(1, 4711), "{}"));
    bench.engine.drain(SECOND).await;
    assert_eq!((bench.replies("unknown"), bench.replies("foreign")), (1.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn a_verification_free_product_is_always_asynchronous_and_unchecked() {
    let settings = ProductSettings { validation: Validation::Free, ..ProductSettings::default() };
    let bench = bench_with(Config::default(), settings, |_, _| Ok(Sent::Sent));
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":"any"}"#)).await.unwrap();
    assert_eq!(invoked.mode, CallMode::Async);
    let error = bench.engine.invoke(bench.request("Measure", "{'a':1}")).await.unwrap_err();
    assert!(matches!(error, CallError::InvalidArgs(_)));
}
