//! Calls that have not ended: they are listed, and ended by hand.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    Answer, Call, CallError, CallMode, Codec, DeviceLink, Executed, Handler, Handlers, Outcome, ProductKey, ReplySink,
    Sent, TransportName, Unawaited,
};
use thingcall_tsl::ProductSettings;

use crate::testbench::{Bench, SECOND, TOPIC, bench, bench_handled, reply};
use crate::{Config, WaitsFor};

const MEASURE: &str = r#"{"channel":1}"#;

/// A plugin that never answers.
struct Mute;

#[async_trait]
impl Handler for Mute {
    async fn handle(&self, _: &Call, _: &dyn DeviceLink) -> Result<Answer, CallError> {
        std::future::pending().await
    }

    fn plugin(&self) -> Option<String> {
        Some("mute".to_owned())
    }
}

struct OnlyMute(Arc<Mute>);

impl Handlers for OnlyMute {
    fn find(&self, _: &Call) -> Option<Arc<dyn Handler>> {
        Some(self.0.clone())
    }

    fn codec(&self, _: &ProductKey) -> Option<Arc<dyn Codec>> {
        None
    }
}

/// Begins a call, waits a second, and ends it by hand.
async fn ended_by_hand(bench: &Bench, waits_for: WaitsFor) -> CallError {
    let calling = bench.engine.invoke(bench.request("Measure", MEASURE));
    let ending = async {
        tokio::time::sleep(SECOND).await;
        let [call] = <[_; 1]>::try_from(bench.engine.running_calls(9)).unwrap();
        assert_eq!((call.device.to_string().as_str(), call.service.to_string().as_str()), ("pk1/dev1", "Measure"));
        assert_eq!((call.waits_for, call.age), (waits_for, SECOND));
        assert_eq!(bench.engine.cancel(call.id), Some(CallMode::Sync));
        assert_eq!(bench.engine.cancel(call.id), None, "it has ended");
        call.id
    };
    let (ended, id) = tokio::join!(calling, ending);
    let [record] = <[_; 1]>::try_from(bench.records.take()).unwrap();
    assert_eq!((record.outcome, record.call_id), (Outcome::Cancelled, Some(id)));
    assert!(bench.engine.running_calls(9).is_empty());
    bench.assert_empty();
    ended.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_device_is_ended_by_hand_and_its_answer_is_late() {
    let bench = bench(|delivery, answering| {
        answering.after(3 * SECOND, reply("dev1", delivery.id, r#"{"mean":1}"#));
        Ok(Sent::Sent)
    });
    let error = ended_by_hand(&bench, WaitsFor::Device(TransportName::EMBEDDED)).await;
    assert_eq!(error.executed(), Executed::Maybe);
    assert!(error.to_string().contains("the device may have executed it"), "{error}");
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(bench.replies("late"), 1.0);
    let [late] = <[_; 1]>::try_from(bench.records.take_late()).unwrap();
    let body = late.answer.unwrap();
    assert_eq!((late.after_end, &*body.data), (2 * SECOND, r#"{"mean":1}"#));
    let id = late.call_id;
    bench.engine.accept(reply("dev1", id, r#"{"mean":2}"#), TOPIC, &Unawaited);
    assert_eq!((bench.replies("late"), bench.records.take_late().len()), (2.0, 0), "the first is recorded");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_plugin_has_in_hand_is_ended_by_hand_and_was_not_sent() {
    let parts = (Config::default(), ProductSettings::default());
    let bench = bench_handled(parts, Arc::new(OnlyMute(Arc::new(Mute))), |_, _| Ok(Sent::Sent));
    let error = ended_by_hand(&bench, WaitsFor::Plugin("mute".to_owned())).await;
    assert_eq!(error.executed(), Executed::No);
    assert!(error.to_string().contains("it was not sent"), "{error}");
    assert!(bench.delivered.lock().unwrap().is_empty());
}
