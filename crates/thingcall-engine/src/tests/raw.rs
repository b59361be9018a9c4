//! Devices that speak their own bytes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use thingcall_core::{
    Answer, Args, Call, CallError, CallId, Codec, CodecError, Command, Decoded, Delivery, DeviceKey, DeviceLink,
    Executed, Handler, Handlers, Outcome, ProductKey, RawReply, Repairs, Reply, ReplyBody, ReplySink, Sent,
    TransportKind, Unawaited,
};
use thingcall_tsl::{DataFormat, ProductSettings};
use tokio::sync::Semaphore;

use super::acknowledgements::Watched;
use crate::Config;
use crate::testbench::{Bench, Replier, SECOND, TOPIC, bench_handled, device};

/// A codec whose bytes are the id and the text; `bad` cannot be translated, and `slow` waits for a permit.
#[derive(Clone)]
struct Codecs {
    permits: Arc<Semaphore>,
    /// Calls on channel 2 ask the device first, then for channel 7.
    handler: bool,
}

impl Codecs {
    fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), handler: false }
    }
}

impl Handlers for Codecs {
    fn find(&self, _: &Call) -> Option<Arc<dyn Handler>> {
        self.handler.then(|| Arc::new(self.clone()) as Arc<dyn Handler>)
    }
    fn codec(&self, _: &ProductKey) -> Option<Arc<dyn Codec>> {
        Some(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Handler for Codecs {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        device.call(Command { service: call.service.clone(), params: call.args.clone() }).await?;
        device.call(Command { service: call.service.clone(), params: Args::checked(r#"{"channel":7}"#) }).await
    }
}

#[async_trait]
impl Codec for Codecs {
    async fn encode(&self, delivery: &Delivery) -> Result<Bytes, CodecError> {
        match delivery.params.as_str() {
            r#"{"channel":7}"# => Err(CodecError("channel 7 has no bytes".to_owned())),
            r#"{"channel":6}"# => std::future::pending().await,
            params => Ok(Bytes::from(format!("{}={params}", delivery.id))),
        }
    }
    async fn decode(&self, raw: RawReply) -> Result<Decoded, CodecError> {
        let text = std::str::from_utf8(&raw.payload).unwrap();
        match text {
            "what?" => return Err(CodecError(format!("{:?}", raw.service.map(|service| service.to_string())))),
            "bad" => return Err(CodecError("no such frame".to_owned())),
            "report" => return Ok(Decoded::Nothing),
            "slow" => self.permits.acquire().await.unwrap().forget(),
            _ => {}
        }
        let body = ReplyBody { code: 200, message: None, data: r#"{"mean":9}"#.to_owned() };
        let stranger = DeviceKey { product: "pk9".parse().unwrap(), name: "another".parse().unwrap() };
        let (payload_id, topic_id) = (text.split('=').next().and_then(|id| id.parse().ok()), raw.topic_id);
        let transport = raw.transport;
        Ok(Decoded::Reply(Reply {
            device: stranger,
            transport,
            payload_id,
            topic_id,
            repairs: Repairs::NONE,
            body: Ok(body),
            bytes: raw.payload.len(),
        }))
    }
}

fn said(delivery: &Delivery, text: &str, topic_id: Option<CallId>) -> RawReply {
    let payload = Bytes::from(text.to_owned());
    RawReply {
        device: delivery.device.key.clone(),
        transport: TransportKind::Embedded,
        topic_id,
        service: None,
        payload,
    }
}

fn bench(behaviour: impl Fn(&Delivery, &Replier) + Send + Sync + 'static) -> Bench {
    bench_by(Codecs::new(), behaviour)
}

fn bench_by(codecs: Codecs, behaviour: impl Fn(&Delivery, &Replier) + Send + Sync + 'static) -> Bench {
    let settings = ProductSettings { data_format: DataFormat::Custom, ..ProductSettings::default() };
    let config = Config { raw_replies_max: std::num::NonZeroUsize::new(2).unwrap(), ..Config::default() };
    bench_handled((config, settings), Arc::new(codecs), move |delivery, answering| {
        behaviour(delivery, answering);
        Ok(Sent::Sent)
    })
}

async fn measure(bench: &Bench, channel: u32) -> Result<Answer, CallError> {
    let args = format!(r#"{{"channel":{channel}}}"#);
    bench.engine.invoke(bench.request("Measure", &args)).await.map(|invoked| invoked.answer)
}

#[tokio::test(start_paused = true)]
async fn bytes_go_to_the_device_and_its_bytes_come_back_as_its_answer() {
    let bench = bench(|delivery, answering| {
        let bytes = String::from_utf8(delivery.raw.clone().unwrap().to_vec()).unwrap();
        assert_eq!(bytes, format!("{}={{\"channel\":1}}", delivery.id));
        answering.raw(said(delivery, &bytes, None));
    });
    let Answer::Replied(body) = measure(&bench, 1).await.unwrap() else { panic!("no reply") };
    assert_eq!(body.data, r#"{"mean":9}"#);
    assert_eq!(bench.replies("matched"), 1.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_encoded_is_not_sent() {
    let bench = bench(|_, _| panic!("it was sent"));
    let failed = measure(&bench, 7).await.unwrap_err();
    assert_eq!(failed, CallError::Plugin { why: "channel 7 has no bytes".to_owned(), executed: Executed::No });
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_encoded_in_time_is_not_sent() {
    let bench = bench(|_, _| panic!("it was sent"));
    assert_eq!(measure(&bench, 6).await, Err(CallError::Expired { waited_ms: 8000 }));
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_second_command_that_cannot_be_encoded_does_not_undo_the_first() {
    let bench = bench_by(Codecs { handler: true, ..Codecs::new() }, |delivery, answering| {
        answering.raw(said(delivery, &delivery.id.to_string(), None));
    });
    let failed = measure(&bench, 2).await.unwrap_err();
    assert_eq!((failed.outcome(), failed.executed()), (Outcome::PluginFailed, Executed::Maybe));
    assert_eq!(bench.delivered.lock().unwrap().len(), 1);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_decoded_in_time_is_given_up() {
    let bench = bench(|_, _| {});
    let payload = Bytes::from_static(b"slow");
    let slow =
        RawReply { device: device("dev1"), transport: TransportKind::Embedded, topic_id: None, service: None, payload };
    bench.engine.accept_raw(slow, TOPIC, &Unawaited);
    assert_eq!(bench.engine.raw.under_way(), 1);
    tokio::time::sleep(8 * SECOND + SECOND / 2).await;
    assert_eq!((bench.engine.raw.under_way(), bench.replies("malformed")), (0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn what_is_for_another_instance_is_not_translated() {
    let bench = bench(|_, _| {});
    let (payload, topic_id) = (Bytes::from_static(b"bad"), Some(CallId::new(1, 5)));
    bench.engine.accept_raw(
        RawReply { device: device("dev1"), transport: TransportKind::Embedded, topic_id, service: None, payload },
        TOPIC,
        &Unawaited,
    );
    assert_eq!((bench.engine.raw.under_way(), bench.replies("foreign")), (0, 1.0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_ends_the_call_its_topic_names() {
    let bench = bench(|delivery, answering| answering.raw(said(delivery, "bad", Some(delivery.id))));
    let failed = measure(&bench, 1).await.unwrap_err();
    let told = "the reply's bytes cannot be translated: no such frame".to_owned();
    assert_eq!(failed, CallError::InvalidReply(told));
    assert_eq!(bench.replies("malformed"), 1.0);
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_report_is_no_reply() {
    let bench = bench(|delivery, answering| answering.raw(said(delivery, "report", Some(delivery.id))));
    assert!(matches!(measure(&bench, 1).await, Err(CallError::Timeout { .. })));
    for result in ["matched", "malformed", "unknown", "wrong_device"] {
        assert_eq!(bench.replies(result), 0.0, "{result}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_devices_bytes_do_not_answer() {
    let bench = bench(|delivery, answering| {
        let foreign = RawReply { device: device("dev2"), ..said(delivery, &format!("{}=", delivery.id), None) };
        answering.raw(foreign);
    });
    assert!(matches!(measure(&bench, 1).await, Err(CallError::Timeout { .. })));
    assert_eq!(bench.replies("wrong_device"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_changes_changes_the_bytes() {
    let sent: Arc<Mutex<Vec<(CallId, Bytes)>>> = Arc::default();
    let seen = sent.clone();
    let bench = bench(move |delivery, _| seen.lock().unwrap().push((delivery.id, delivery.raw.clone().unwrap())));
    let first = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap().id;
    let next = CallId::new(first.slot(), first.as_u32() + 1);
    bench.keep(next);
    let second = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap().id;
    let sent = sent.lock().unwrap().clone();
    assert_eq!(sent[1], (second, Bytes::from(format!("{second}={{}}"))));
    assert_ne!(second, next);
}

#[tokio::test(start_paused = true)]
async fn translations_are_bounded_and_those_under_way_are_waited_for() {
    let codecs = Codecs::new();
    let permits = codecs.permits.clone();
    let bench = bench_by(codecs, |_, _| {});
    let payload = Bytes::from_static(b"slow");
    let slow =
        RawReply { device: device("dev1"), transport: TransportKind::Embedded, topic_id: None, service: None, payload };
    for _ in 0..3 {
        bench.engine.accept_raw(slow.clone(), TOPIC, &Unawaited);
    }
    assert_eq!(bench.replies("overloaded"), 1.0, "the third found no room");
    permits.add_permits(2);
    bench.engine.drain(SECOND).await;
    assert_eq!(bench.engine.raw.under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_product_that_nobody_translates_for_is_refused() {
    let settings = ProductSettings { data_format: DataFormat::Custom, ..ProductSettings::default() };
    let bench = crate::testbench::bench_with(Config::default(), settings, |_, _| panic!("it was sent"));
    let failed = measure(&bench, 1).await.unwrap_err().to_string();
    assert!(failed.contains("`codecs` name the product"), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn codec_is_told_what_a_message_answers_where_the_topic_says_it() {
    let bench = bench(|delivery, answering| answering.raw(said(delivery, "what?", Some(delivery.id))));
    let CallError::InvalidReply(why) = measure(&bench, 1).await.unwrap_err() else { panic!("another failure") };
    assert!(why.contains("Measure"), "{why}");
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn codec_is_told_what_a_message_answers_where_one_call_waits_and_not_where_two_do() {
    let bench = bench(|delivery, answering| answering.raw(said(delivery, &format!("{}=", delivery.id), None)));
    let device = device("dev1");
    let asked = || bench.engine.pending.asked(&device, None);
    let held = Arc::new(thingcall_core::Device {
        key: device.clone(),
        iot_id: "iot".parse().unwrap(),
        enabled: true,
        transport: None,
    });
    let open = |id, service: &str| {
        let (transport, request_id) = (thingcall_core::TransportName::EMBEDDED, thingcall_core::RequestId::random());
        let service = service.parse().unwrap();
        let (device, service) = (&held, &service);
        let opening = crate::pending::Opening { id, device, transport, request_id, service, account: None };
        bench.engine.pending.open(opening, tokio::time::Instant::now())
    };
    let (one, two) = (CallId::from_u32(1), CallId::from_u32(2));
    let _first = open(one, "Measure").unwrap();
    bench.engine.pending.asks_raw(one);
    assert_eq!(asked().map(|service| service.to_string()).as_deref(), Some("Measure"));
    let second = open(two, "Other").unwrap();
    bench.engine.pending.asks_raw(two);
    assert_eq!(asked(), None);
    drop(second);
    assert!(asked().is_some());
}

#[tokio::test(start_paused = true)]
async fn message_is_acknowledged_when_it_is_translated_and_what_it_says_is_written() {
    let bench = bench(|_, _| {});
    let id = bench.engine.invoke(bench.request("SetScene", "{}")).await.unwrap().id;
    bench.journal.stand_still();
    for (text, when_translated) in [("report".to_owned(), true), (id.to_string(), false)] {
        let message = Watched::default();
        let raw = RawReply {
            device: device("dev1"),
            transport: TransportKind::Embedded,
            topic_id: None,
            service: None,
            payload: Bytes::from(text),
        };
        bench.engine.accept_raw(raw, TOPIC, &message);
        assert_eq!(message.is(), (true, false), "nobody has read it");
        tokio::time::sleep(SECOND).await;
        assert_eq!(message.is(), (true, when_translated));
        bench.journal.go_on();
        assert_eq!(message.is(), (true, true));
        bench.journal.stand_still();
    }
}
