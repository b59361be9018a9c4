//! What is told and kept of calls that end badly.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    Answer, Call, CallError, Codec, DeviceLink, DropReason, Dropped, Executed, FailedAt, Failure, Handler, Handlers,
    MalformedReply, Outcome, ProductKey, Reply, ReplyBody, ReplySink, Request, RequestId, Sent, TransportKind,
};
use thingcall_tsl::ProductSettings;

use crate::Config;
use crate::testbench::{Bench, SECOND, TOPIC, answers_after, bench, bench_handled, device, reply};

const MEASURE: &str = r#"{"channel":1}"#;

async fn fails(bench: &Bench, service: &str, args: &str) -> (CallError, Failure) {
    let request = bench.request(service, args);
    let id = request.request_id.to_string();
    let error = bench.engine.invoke(request).await.unwrap_err();
    let [failure] = <[Failure; 1]>::try_from(bench.engine.failures(&id)).unwrap();
    assert_eq!((failure.text.clone(), failure.outcome), (error.to_string(), error.outcome()));
    assert_eq!(failure.code.as_deref(), Some(error.code().as_str()));
    (error, failure)
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_found_by_both_its_ids() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let (_, failure) = fails(&bench, "Measure", MEASURE).await;
    assert_eq!(bench.engine.failures(&failure.call_id.unwrap().to_string()), std::slice::from_ref(&failure));
    assert_eq!(bench.engine.failures(&failure.request_id.to_lowercase()), std::slice::from_ref(&failure));
    assert_eq!(bench.engine.failures("17"), []);
    assert_eq!(
        (failure.outcome, failure.executed, failure.stage),
        (Outcome::Timeout, Executed::Maybe, FailedAt::Device)
    );
    assert_eq!((failure.device.as_str(), failure.service.as_str()), ("pk1/dev1", "Measure"));
    assert_eq!((failure.elapsed, failure.transport), (8 * SECOND, Some(TransportKind::Embedded)));
    assert_eq!(bench.metric("thingcall_recent_failures"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_became_no_call_is_kept_too() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let (error, failure) = fails(&bench, "Unknown", "{}").await;
    assert!(matches!(error, CallError::UnknownService(_)), "{error}");
    assert_eq!((failure.call_id, failure.stage, failure.executed), (None, FailedAt::Check, Executed::No));
}

#[tokio::test(start_paused = true)]
async fn the_time_out_tells_what_the_device_said_in_the_wrong_place() {
    let topic = "/sys/pk1/dev1/rrpc/request/7";
    let bench = bench(|_, _| Ok(Sent::Sent));
    let engine = bench.engine.clone();
    let say = async {
        tokio::time::sleep(SECOND).await;
        let (key, transport, reason) = (device("dev1"), TransportKind::Embedded, DropReason::RequestTopic);
        engine.dropped(Dropped { device: Some(&key), transport, reason, topic, bytes: 51, problem: None });
    };
    let ((error, _), ()) = tokio::join!(fails(&bench, "Measure", MEASURE), say);
    let text = error.to_string();
    assert!(text.contains("no reply from device pk1/dev1 within 8000 ms"), "{text}");
    assert!(
        text.contains(&format!("the device sent 51 bytes on {topic}")) && text.contains("rrpc/response/{id}"),
        "{text}"
    );
    // What it said before is no news of this call.
    let (error, failure) = fails(&bench, "Measure", MEASURE).await;
    assert!(!error.to_string().contains(topic), "{error}");
    assert_eq!(failure.hint, None);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_message_without_an_id_ends_no_call_and_is_told_at_the_time_out() {
    let unreadable = |id| Reply {
        payload_id: None,
        topic_id: Some(id),
        body: Err(MalformedReply::NotJson("expected value".to_owned())),
        ..reply("dev1", id, "")
    };
    let first = bench(move |delivery, answering| {
        answering.now(unreadable(delivery.id));
        answering.after(SECOND, reply("dev1", delivery.id, r#"{"mean":1}"#));
        Ok(Sent::Sent)
    });
    first.engine.invoke(first.request("Measure", MEASURE)).await.unwrap();
    let only = bench(move |delivery, answering| {
        answering.now(unreadable(delivery.id));
        Ok(Sent::Sent)
    });
    let (error, _) = fails(&only, "Measure", MEASURE).await;
    let text = error.to_string();
    assert!(text.contains(TOPIC) && text.contains("unreadable") && text.contains("expected value"), "{text}");
    only.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn slow_calls_are_kept_and_quick_ones_are_not() {
    let slow = bench(answers_after(4 * SECOND, r#"{"mean":1}"#));
    let id = slow.engine.invoke(slow.request("Measure", MEASURE)).await.unwrap().id.to_string();
    let [kept] = <[Failure; 1]>::try_from(slow.engine.failures(&id)).unwrap();
    assert_eq!((kept.outcome, kept.code, kept.elapsed), (Outcome::Ok, None, 4 * SECOND));
    assert_eq!(kept.executed, Executed::Yes);
    let quick = bench(answers_after(SECOND, r#"{"mean":1}"#));
    let id = quick.engine.invoke(quick.request("Measure", MEASURE)).await.unwrap().id.to_string();
    assert_eq!(quick.engine.failures(&id), []);
}

#[tokio::test(start_paused = true)]
async fn a_devices_refusal_and_a_callers_end_are_failures() {
    let refuses = bench(|delivery, answering| {
        let body = ReplyBody { code: 460, message: Some("no".to_owned()), data: "{}".to_owned() };
        answering.now(Reply { body: Ok(body), ..reply("dev1", delivery.id, "") });
        Ok(Sent::Sent)
    });
    for (fails_by_code, code) in [(false, None), (true, Some("iot.device.InvokeThingServiceFailed"))] {
        let request = Request { fails_by_code, ..refuses.request("Measure", MEASURE) };
        let id = refuses.engine.invoke(request).await.unwrap().id.to_string();
        let [kept] = <[Failure; 1]>::try_from(refuses.engine.failures(&id)).unwrap();
        assert_eq!((kept.outcome, kept.executed), (Outcome::DeviceError, Executed::Yes));
        assert_eq!((kept.code.as_deref(), &*kept.text), (code, "the device answered with code 460: no"));
    }

    let silent = bench(|_, _| Ok(Sent::Sent));
    let request = silent.request("Measure", MEASURE);
    let id = request.request_id.to_string();
    let hung_up = tokio::time::timeout(SECOND, silent.engine.invoke(request)).await;
    assert!(hung_up.is_err());
    let [kept] = <[Failure; 1]>::try_from(silent.engine.failures(&id)).unwrap();
    assert_eq!((kept.outcome, kept.executed, kept.elapsed), (Outcome::Cancelled, Executed::Maybe, SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_latest_failures_are_kept_and_refused_requests_push_none_of_them_out() {
    let config = Config { recent_failures_max: std::num::NonZeroUsize::new(2).unwrap(), ..Config::default() };
    let bench = crate::testbench::bench_with(config, ProductSettings::default(), |_, _| Ok(Sent::Sent));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(fails(&bench, "Unknown", "{}").await.1.request_id);
    }
    let one = bench.engine.failures(&ids[2]).remove(0);
    for _ in 0..5 {
        bench.engine.refused(Failure { request_id: RequestId::random().to_string(), ..one.clone() }, false);
    }
    let kept: Vec<_> = ids.iter().map(|id| bench.engine.failures(id).len()).collect();
    assert_eq!(kept, [0, 1, 1]);
    assert_eq!(bench.metric("thingcall_recent_failures"), 4.0);
}

/// A plugin that never answers; before that it may ask the device.
struct Silent {
    asks: bool,
}

#[async_trait]
impl Handler for Silent {
    async fn handle(&self, call: &Call, link: &dyn DeviceLink) -> Result<Answer, CallError> {
        if self.asks {
            let command = thingcall_core::Command { service: call.service.clone(), params: call.args.clone() };
            link.call(command).await?;
        }
        std::future::pending().await
    }

    fn plugin(&self) -> Option<String> {
        Some("mute".to_owned())
    }
}

struct Only(Arc<Silent>);

impl Handlers for Only {
    fn find(&self, _: &Call) -> Option<Arc<dyn Handler>> {
        Some(self.0.clone())
    }
    fn codec(&self, _: &ProductKey) -> Option<Arc<dyn Codec>> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_never_answers_is_told_as_that_and_a_device_is_not_blamed() {
    for (asks, answers, executed, told) in [
        (false, false, Executed::No, "plugin mute did not answer within 8000 ms; nothing was sent to the device"),
        (
            true,
            true,
            Executed::Maybe,
            "plugin mute did not answer within 8000 ms; the device may have executed the call",
        ),
        (true, false, Executed::Maybe, "no reply from device pk1/dev1 within 8000 ms; it may have executed the call"),
    ] {
        let handlers = Arc::new(Only(Arc::new(Silent { asks })));
        let parts = (Config::default(), ProductSettings::default());
        let bench = bench_handled(parts, handlers, move |delivery, answering| {
            if answers {
                answering.after(SECOND, reply("dev1", delivery.id, r#"{"mean":1}"#));
            }
            Ok(Sent::Sent)
        });
        let (error, failure) = fails(&bench, "Measure", MEASURE).await;
        assert_eq!((error.to_string().as_str(), error.executed()), (told, executed));
        assert_eq!(failure.plugin.as_deref(), Some("mute"));
    }
}
