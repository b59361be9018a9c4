//! Calls that a handler beside the built-in one takes.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    Answer, Call, CallError, CallMode, Codec, Command, DeliverError, DeviceLink, Executed, Handler, Handlers, Outcome,
    ProductKey, ReplyBody, Sent,
};
use thingcall_tsl::{ProductSettings, ReplyCheck};
use tokio::time::sleep;

use crate::Config;
use crate::testbench::{Bench, SECOND, answers_after, bench_handled};

/// What the handler of a test does.
#[derive(Clone, Copy)]
enum Does {
    AsksTwice,
    Answers(i64, &'static str),
    AsksAndRefuses,
    AnswersForOneThatIsAway,
    Thinks,
}

struct One(Does);

impl Handlers for One {
    fn find(&self, _: &Call) -> Option<Arc<dyn Handler>> {
        Some(Arc::new(One(self.0)))
    }
    fn codec(&self, _: &ProductKey) -> Option<Arc<dyn Codec>> {
        None
    }
}

fn own(code: i64, data: &str) -> Answer {
    Answer::Replied(ReplyBody { code, message: Some("its own".to_owned()), data: data.to_owned() })
}

#[async_trait]
impl Handler for One {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        let command = || Command { service: call.service.clone(), params: call.args.clone() };
        match self.0 {
            Does::AsksTwice => {
                tokio::try_join!(device.call(command()), device.call(command())).map(|(_, second)| second)
            }
            Does::Answers(code, data) => Ok(own(code, data)),
            Does::AnswersForOneThatIsAway => Ok(match device.call(command()).await {
                Ok(answer) => answer,
                Err(_) => own(200, "{}"),
            }),
            Does::Thinks => {
                sleep(2 * SECOND).await;
                device.call(command()).await
            }
            Does::AsksAndRefuses => device.call(command()).await.map(|_| own(460, "{}")),
        }
    }
}

fn bench(does: Does) -> Bench {
    let settings = ProductSettings { reply_check: ReplyCheck::Reject, ..ProductSettings::default() };
    bench_handled((Config::default(), settings), Arc::new(One(does)), answers_after(SECOND, r#"{"mean":7}"#))
}

fn by_plugin(bench: &Bench, mode: &str, outcome: &str) -> f64 {
    bench.metric(&format!(r#"thingcall_calls_total{{mode="{mode}",outcome="{outcome}",transport="plugin"}}"#))
}

#[tokio::test(start_paused = true)]
async fn two_commands_at_once_have_ids_of_their_own() {
    let bench = bench(Does::AsksTwice);
    let began = tokio::time::Instant::now();
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    let delivered = bench.delivered.lock().unwrap().clone();
    assert_eq!((delivered.len(), delivered[0]), (2, invoked.id));
    assert_ne!(delivered[0], delivered[1]);
    assert_eq!(began.elapsed(), SECOND, "at once, not one after the other");
    assert_eq!((bench.replies("matched"), bench.calls("sync", "ok")), (2.0, 1.0));
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn both_commands_are_gone_at_the_deadline() {
    let settings = (Config::default(), ProductSettings::default());
    let bench = bench_handled(settings, Arc::new(One(Does::AsksTwice)), |_, _| Ok(Sent::Sent));
    let ended = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await;
    assert!(matches!(ended, Err(CallError::Timeout { .. })), "{ended:?}");
    assert_eq!(bench.delivered.lock().unwrap().len(), 2);
    assert_eq!(bench.metric(r#"thingcall_call_stage_duration_seconds_count{stage="plugin"}"#), 1.0);
    assert_eq!(bench.metric(r#"thingcall_call_stage_duration_seconds_sum{stage="plugin"}"#), 0.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn time_at_the_device_is_not_the_handlers() {
    let bench = bench(Does::AsksTwice);
    bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert_eq!(bench.metric(r#"thingcall_call_stage_duration_seconds_count{stage="plugin"}"#), 1.0);
    assert_eq!(bench.metric(r#"thingcall_call_stage_duration_seconds_sum{stage="plugin"}"#), 0.0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_handlers_own_is_checked_and_counted_as_such() {
    let bench = bench(Does::Answers(200, r#"{"mean":8}"#));
    let invoked = bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.unwrap();
    assert_eq!((invoked.mode, invoked.answer), (CallMode::Sync, own(200, r#"{"mean":8}"#)));
    assert_eq!(by_plugin(&bench, "sync", "ok"), 1.0);
    assert!(bench.delivered.lock().unwrap().is_empty());

    let unfit = super::handlers::bench(Does::Answers(200, r#"{"mean":"eight"}"#));
    let refused = unfit.engine.invoke(unfit.request("Measure", r#"{"channel":1}"#)).await.unwrap_err();
    assert_eq!((refused.executed(), refused.outcome()), (Executed::No, Outcome::PluginFailed));
    let told = refused.to_string();
    assert!(told.starts_with("the handler failed: its answer does not fit the thing model: "), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_answer_that_does_not_fit_leaves_no_record() {
    let bench = bench(Does::Answers(200, "[]"));
    let refused = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap_err();
    assert_eq!((refused.executed(), refused.outcome()), (Executed::No, Outcome::PluginFailed));
    assert!(bench.pages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_place_of_a_command_that_failed_has_a_record_of_its_own() {
    let settings = (Config::default(), ProductSettings::default());
    let handlers = Arc::new(One(Does::AnswersForOneThatIsAway));
    let bench = bench_handled(settings, handlers, |_, _| Err(DeliverError::Down));
    let invoked = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap();
    assert_eq!(invoked.answer, Answer::Accepted);
    let failed = bench.delivered.lock().unwrap()[0];
    assert_eq!(bench.pages(), [(failed, Some(Outcome::TransportDown)), (invoked.id, Some(Outcome::Ok))]);
    assert_eq!(by_plugin(&bench, "async", "ok"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_on_its_way_has_the_only_record() {
    let settings = (Config::default(), ProductSettings::default());
    let handlers = Arc::new(One(Does::AnswersForOneThatIsAway));
    let bench = bench_handled(settings, handlers, |_, _| Ok(Sent::Sent));
    let invoked = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap();
    assert_eq!(bench.pages(), [(invoked.id, None)]);
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_answer_is_on_record_before_the_caller_is_told() {
    let bench = bench(Does::Answers(200, "{}"));
    let invoked = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap();
    assert_eq!((invoked.mode, invoked.answer), (CallMode::Async, Answer::Accepted));
    assert_eq!(bench.pages(), [(invoked.id, Some(Outcome::Ok))]);
    assert_eq!(by_plugin(&bench, "async", "ok"), 1.0);
    assert!(bench.delivered.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_asynchronous_call_leaves_no_record() {
    let bench = bench(Does::Answers(460, "{}"));
    let refused = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap_err();
    let message = Some("its own".to_owned());
    assert_eq!(refused, CallError::Refused { code: 460, message, executed: Executed::No });
    assert!(bench.pages().is_empty());
    assert_eq!(by_plugin(&bench, "async", "denied"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_command_says_that_it_may_have_been_executed() {
    let bench = bench(Does::AsksAndRefuses);
    let refused = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap_err();
    assert_eq!(refused.executed(), Executed::Maybe);
    assert_eq!(bench.delivered.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_lost_before_a_command_leaves_keeps_it_here() {
    let bench = bench(Does::Thinks);
    let (result, ()) = tokio::join!(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)), async {
        sleep(SECOND).await;
        bench.slots.let_go_of_all();
        bench.engine.lease_lost();
    });
    assert_eq!((result, bench.delivered.lock().unwrap().len()), (Err(CallError::NoLease), 0));
    bench.assert_empty();
}
