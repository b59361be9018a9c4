//! Calls whose caller does not wait.

use std::sync::Arc;

use thingcall_core::{
    Answer, BuiltInOnly, CallError, CallId, CallMode, DeliverError, DropReason, Executed, MalformedReply, NoJournal,
    NoRecords, Outcome, Qos, Reply, ReplySink, Request, Sent, Slots, Unawaited,
};
use thingcall_tsl::{ProductSettings, ReplyCheck, Validation};

use crate::testbench::{Bench, SECOND, TOPIC, bench, bench_with, device, reply};
use crate::{Config, Engine, EngineParts, Reports};

async fn set_scene(bench: &Bench) -> Result<CallId, CallError> {
    let invoked = bench.engine.invoke(bench.request("SetScene", "{}")).await?;
    assert_eq!((invoked.mode, invoked.answer), (CallMode::Async, Answer::Accepted));
    Ok(invoked.id)
}

fn page(bench: &Bench, id: CallId) -> Option<Outcome> {
    bench.pages().into_iter().find(|(kept, _)| *kept == id).expect("no record").1
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_the_id_and_the_record_waits_for_the_reply() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let id = set_scene(&bench).await.unwrap();
    assert_eq!((page(&bench, id), bench.engine.pending.len()), (None, 0));
    bench.engine.accept(reply("dev1", id, "{}"), TOPIC, &Unawaited);
    bench.engine.accept(reply("dev1", id, "{}"), TOPIC, &Unawaited);
    bench.engine.drain(SECOND).await;
    assert_eq!(page(&bench, id), Some(Outcome::Ok));
    assert_eq!((bench.replies("matched"), bench.replies("duplicate")), (1.0, 1.0));
    assert_eq!(bench.calls("async", "ok"), 1.0);
}

/// The heir of its slot finds it open, and sends it.
#[tokio::test(start_paused = true)]
async fn of_a_call_whose_end_is_not_written_nobody_is_told_that_it_was_not_sent() {
    let bench = bench(|_, _| Err(DeliverError::Down));
    let at_least_once = || Request { qos: Qos::AtLeastOnce, ..bench.request("SetScene", "{}") };
    let told = bench.engine.invoke(at_least_once()).await;
    assert_eq!((told, page(&bench, bench.pages()[0].0)), (Err(CallError::TransportDown), Some(Outcome::TransportDown)));
    bench.journal.lose_slots();
    let told = bench.engine.invoke(at_least_once()).await.unwrap_err();
    assert_eq!((told.executed(), bench.pages()[1].1), (Executed::Maybe, None));
    assert!(told.to_string().contains("may be sent all the same"), "{told}");
}

/// Its transport told the broker that it is heard.
#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_when_calls_have_ended_is_written_until_nothing_more_is_heard() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let (first, second) = (set_scene(&bench).await.unwrap(), set_scene(&bench).await.unwrap());
    assert_eq!(bench.engine.end_calls(SECOND).await, 0);
    bench.engine.accept(reply("dev1", first, "{}"), TOPIC, &Unawaited);
    bench.engine.finish(SECOND).await;
    assert_eq!(page(&bench, first), Some(Outcome::Ok));
    bench.engine.accept(reply("dev1", second, "{}"), TOPIC, &Unawaited);
    assert_eq!(page(&bench, second), None);
}

#[tokio::test(start_paused = true)]
async fn without_a_journal_an_asynchronous_call_is_refused_before_it_leaves() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let (registry, handlers) = (bench.engine.registry.clone(), Arc::new(BuiltInOnly));
    let parts = EngineParts {
        registry,
        journal: Arc::new(NoJournal),
        handlers,
        slots: Slots::alone(0),
        reports: Reports::default(),
        records: Arc::new(NoRecords),
        tracer: None,
    };
    let engine = Engine::new(Config::default(), parts, &prometheus::Registry::new()).unwrap();
    let error = engine.invoke(bench.request("SetScene", "{}")).await.unwrap_err();
    assert!(error.to_string().contains("asynchronous calls are not kept here"), "{error}");
    assert_eq!(error.executed(), Executed::No);
}

#[tokio::test(start_paused = true)]
async fn a_malformed_reply_ends_the_record_as_such() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let id = set_scene(&bench).await.unwrap();
    let mut answer = reply("dev1", id, "{}");
    answer.body = Err(MalformedReply::Member { member: "code", problem: "is missing".to_owned() });
    bench.engine.accept(answer, TOPIC, &Unawaited);
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
    let told = bench.engine.failures(&id.to_string()).remove(0);
    let executed = Executed::No;
    assert_eq!((told.outcome, told.executed, told.code), (Outcome::Offline, executed, None), "its caller got no code");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_told_and_closes_the_record() {
    let bench = bench(|_, _| Err(DeliverError::Down));
    assert_eq!(set_scene(&bench).await, Err(CallError::TransportDown));
    assert_eq!(bench.pages()[0].1, Some(Outcome::TransportDown));
    assert_eq!(bench.pages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_the_journal_still_has_is_passed_over() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let first = set_scene(&bench).await.unwrap();
    let next = CallId::new(first.slot(), first.as_u32() + 1);
    bench.keep(next);
    let second = set_scene(&bench).await.unwrap();
    assert_eq!(second, CallId::new(first.slot(), first.as_u32() + 2));
    assert_eq!(*bench.delivered.lock().unwrap(), [first, second]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_no_call_is_unknown() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    bench.engine.accept(reply("dev1", CallId::new(0, 4711), "{}"), TOPIC, &Unawaited);
    bench.engine.accept(reply("dev1", CallId::new(1, 4711), "{}"), TOPIC, &Unawaited);
    bench.engine.drain(SECOND).await;
    assert_eq!((bench.replies("unknown"), bench.replies("foreign")), (1.0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn a_verification_free_product_is_always_asynchronous_and_unchecked() {
    let settings = ProductSettings { validation: Validation::Free, ..ProductSettings::default() };
    let bench = bench_with(Config::default(), settings, |_, _| Ok(Sent::Sent));
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":"any"}"#)).await.unwrap();
    assert_eq!(invoked.mode, CallMode::Async);
    let error = bench.engine.invoke(bench.request("Measure", "{'a':}")).await.unwrap_err();
    assert!(matches!(error, CallError::InvalidArgs(_)));
}

#[tokio::test(start_paused = true)]
async fn each_reply_for_no_call_has_its_reason_and_stays_in_mind() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let nameless = |body| Reply { payload_id: None, body, ..reply("dev1", CallId::new(0, 1), "{}") };
    let body = reply("dev1", CallId::new(0, 1), "{}").body;
    bench.engine.accept(nameless(body), TOPIC, &Unawaited);
    bench.engine.accept(nameless(Err(MalformedReply::NotJson("at 1".to_owned()))), TOPIC, &Unawaited);
    bench.engine.accept(nameless(Err(MalformedReply::TooLarge { bytes: 9, max: 1 })), TOPIC, &Unawaited);
    bench.engine.accept(reply("dev1", CallId::new(1, 4711), "{}"), TOPIC, &Unawaited);
    bench.engine.accept(reply("dev1", CallId::new(0, 4711), "{}"), "/the/last", &Unawaited);
    bench.engine.drain(SECOND).await;
    for reason in ["without_id", "unreadable", "too_large", "other_instance", "unknown_id"] {
        assert_eq!(bench.dropped(reason), 1.0, "{reason}");
    }
    let last = bench.engine.last_dropped(&device("dev1")).unwrap();
    assert_eq!((last.reason, last.topic.as_str(), last.times), (DropReason::UnknownId, "/the/last", 4));
}

#[tokio::test(start_paused = true)]
async fn overload_is_neither_unknown_nor_malformed() {
    let config = Config { late_replies_max: std::num::NonZeroUsize::MIN, ..Config::default() };
    let bench = bench_with(config, ProductSettings::default(), |_, _| Ok(Sent::Sent));
    bench.journal.stand_still();
    for _ in 0..3 {
        bench.engine.accept(reply("dev1", CallId::new(0, 4711), "{}"), TOPIC, &Unawaited);
    }
    assert_eq!((bench.replies("overloaded"), bench.dropped("overloaded")), (2.0, 2.0));
    bench.journal.go_on();
    bench.engine.drain(SECOND).await;
    assert_eq!((bench.replies("unknown"), bench.replies("malformed")), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_waits_for_the_journal_however_long_that_stands_still() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let id = set_scene(&bench).await.unwrap();
    bench.journal.stand_still();
    bench.engine.accept(reply("dev1", id, "{}"), TOPIC, &Unawaited);
    tokio::time::sleep(3600 * SECOND).await;
    bench.engine.refresh_metrics();
    assert_eq!((bench.metric("thingcall_late_replies"), page(&bench, id)), (1.0, None));
    let (left, ()) = tokio::join!(bench.engine.drain(SECOND), async { bench.journal.go_on() });
    assert_eq!((left, page(&bench, id), bench.calls("async", "ok")), (0, Some(Outcome::Ok), 1.0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_does_not_fit_is_rejected_before_the_journal_has_it() {
    let settings =
        ProductSettings { reply_check: ReplyCheck::Reject, validation: Validation::Free, ..ProductSettings::default() };
    let bench = bench_with(Config::default(), settings, |_, _| Ok(Sent::Sent));
    let id = bench.engine.invoke(bench.request("Measure", "{}")).await.unwrap().id;
    bench.engine.accept(reply("dev1", id, r#"{"mean":"seven"}"#), TOPIC, &Unawaited);
    bench.engine.drain(SECOND).await;
    assert_eq!((page(&bench, id), bench.replies("malformed")), (Some(Outcome::InvalidReply), 1.0));
    assert_eq!(bench.engine.failures(&id.to_string()).len(), 1, "its failure is told");
}
