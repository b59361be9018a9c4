//! What devices say by themselves, and what they are answered.

mod limits;
mod log;
mod order;
mod questions;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use thingcall_core::{
    BuiltInOnly, Codec, CodecError, Decoded, Delivery, Handler, Handlers, HeardOnce, MessageKind, Post, PostAnswer,
    PostEcho, ProductKey, RawReply, ReplySink, Report, Said, Series, Tag, Told, TransportKind, TransportName,
    Unawaited, UnixMillis, Value,
};
use thingcall_tsl::{DataFormat, ProductSettings, ReplyCheck, Validation};

use log::Log;

use crate::testbench::{Bench, SECOND, bench_reporting, device};
use crate::{Config, Reports};

const BY: TransportName = TransportName::EMBEDDED;

fn bench(log: &Arc<Log>, config: Config, settings: ProductSettings) -> Bench {
    let reports = Reports { log: log.clone(), words: log.clone(), last: log.clone() };
    bench_reporting((config, settings), Arc::new(BuiltInOnly), reports)
}

fn usual(log: &Arc<Log>) -> Bench {
    bench(log, Config::default(), ProductSettings::default())
}

fn value(id: &str, value: &str) -> Value {
    Value { id: id.to_owned(), value: value.to_owned(), at: Some(UnixMillis(7)) }
}

fn post(said: Said) -> Post {
    post_of("dev1", said)
}

fn post_of(name: &str, said: Said) -> Post {
    let echo = PostEcho {
        topic: "t_reply".to_owned(),
        id: "\"5\"".to_owned(),
        version: "1.0".to_owned(),
        method: "m".to_owned(),
    };
    Post { device: device(name), echo: Some(echo), said, bytes: 9 }
}

/// What the next device is answered.
async fn answer(bench: &Bench) -> (i64, String, Vec<(String, String)>) {
    match told(bench).await.told {
        Told::Done { code, message, failed, .. } => (code, message, failed),
        told @ Told::Time { .. } => panic!("{told:?}"),
    }
}

async fn told(bench: &Bench) -> PostAnswer {
    bench.told.lock().await.recv().await.unwrap()
}

fn counted(bench: &Bench, kind: &str, result: &str) -> f64 {
    bench.metric(&format!(r#"thingcall_posts_total{{kind="{kind}",result="{result}"}}"#))
}

#[tokio::test(start_paused = true)]
async fn device_is_told_of_success_after_its_report_is_in_the_log() {
    let log = Log::new(&[MessageKind::Property]);
    log.room.forget_permits(1000);
    let bench = usual(&log);

    bench.engine.accept_post(
        post(Said::Properties(vec![value("temp", "20.5"), value("on", "1")])),
        BY,
        "t",
        &Unawaited,
    );
    tokio::time::sleep(SECOND).await;
    assert!(bench.told.lock().await.try_recv().is_err(), "nothing is written yet");
    log.room.add_permits(1);

    assert_eq!(answer(&bench).await, (200, "success".to_owned(), Vec::new()));
    assert_eq!(log.kinds(), [MessageKind::Property]);
    assert_eq!(log.written.lock().unwrap()[0].words.topic, "5", "the id, without its quotes");
    assert_eq!(counted(&bench, "property", "taken"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_wants_it_the_device_is_answered_and_its_values_are_kept() {
    let log = Log::new(&[]);
    let bench = usual(&log);

    bench.engine.accept_post(post(Said::Properties(vec![value("temp", "20.5")])), BY, "t", &Unawaited);

    assert_eq!(answer(&bench).await.0, 200);
    assert!(log.kinds().is_empty());
    assert_eq!(log.kept(), [("temp".to_owned(), "20.5".to_owned(), 7)]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_told_beside_what_does_and_is_not_kept() {
    let log = Log::new(&[MessageKind::Property]);
    let bench = usual(&log);

    bench.engine.accept_post(
        post(Said::Properties(vec![value("temp", "20.5"), value("hum", "1"), value("on", "\"x\"")])),
        BY,
        "t",
        &Unawaited,
    );

    let (code, _, failed) = answer(&bench).await;
    assert_eq!(code, 200);
    assert_eq!(failed[0], ("hum".to_owned(), "tsl parse: params not exist -> hum".to_owned()));
    assert!(failed[1].1.starts_with("tsl parse: on is "), "{failed:?}");
    let reports = log.reports.lock().unwrap().clone();
    let [Report::Properties(items)] = &reports[..] else { panic!("{reports:?}") };
    let unfit: Vec<_> = items.iter().filter(|item| item.misfit.is_some()).map(|item| item.id.as_str()).collect();
    assert_eq!(unfit, ["hum", "on"]);
    assert!(items.iter().filter_map(|item| item.misfit.as_ref()).all(|misfit| misfit.code == 6304));
    assert_eq!(log.kept().len(), 1);
    let failures = r#"thingcall_validation_failures_total{direction="post",kind="unknown"}"#;
    assert_eq!(bench.metric(failures), 1.0);
}

#[tokio::test(start_paused = true)]
async fn bounds_count_where_replies_that_do_not_fit_are_rejected_and_nothing_where_nothing_is_checked() {
    let check = async |settings: ProductSettings| {
        let bench = usual_with(settings);
        bench.engine.accept_post(
            post(Said::Properties(vec![value("temp", "500.0"), value("hum", "1")])),
            BY,
            "t",
            &Unawaited,
        );
        answer(&bench).await.2.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(check(ProductSettings::default()).await, ["hum"]);
    let exact = ProductSettings { reply_check: ReplyCheck::Reject, ..ProductSettings::default() };
    assert_eq!(check(exact).await, ["temp", "hum"]);
    let free = ProductSettings { validation: Validation::Free, ..ProductSettings::default() };
    assert!(check(free).await.is_empty());
}

fn usual_with(settings: ProductSettings) -> Bench {
    bench(&Log::new(&[]), Config::default(), settings)
}

#[tokio::test(start_paused = true)]
async fn event_has_its_name_and_level() {
    let log = Log::new(&[MessageKind::Event]);
    let bench = usual(&log);

    bench.engine.accept_post(post(Said::Event(value("alarm", r#"{"level":2}"#))), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.2, []);
    bench.engine.accept_post(post(Said::Event(value("fire", "{}"))), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.2.len(), 1);

    let reports = log.reports.lock().unwrap().clone();
    let [Report::Event(alarm), Report::Event(fire)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((alarm.name.as_str(), alarm.level, &alarm.item.misfit), ("Alarm", "alert", &None));
    assert_eq!((fire.name.as_str(), fire.level), ("", "info"));
    assert!(fire.item.misfit.is_some());
}

#[tokio::test(start_paused = true)]
async fn batch_and_history_are_a_message_each_and_their_values_are_kept_by_time() {
    use MessageKind::{Event, History, Property};
    let log = Log::new(&[Property, Event, History]);
    let bench = usual(&log);
    let (properties, events) = (vec![value("temp", "1.0")], vec![value("alarm", "{}")]);

    bench.engine.accept_post(
        post(Said::Batch(Series { properties: properties.clone(), events: events.clone() })),
        BY,
        "t",
        &Unawaited,
    );
    assert_eq!(answer(&bench).await.0, 200);
    let properties = vec![properties, vec![value("on", "0")]];
    bench.engine.accept_post(post(Said::History { properties, events }), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.0, 200);

    assert_eq!(log.kinds(), [Property, Event, History, History, History]);
    assert_eq!(log.kept().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn time_ahead_of_ours_is_kept_as_ours() {
    let log = Log::new(&[]);
    let bench = usual(&log);
    let ahead = UnixMillis(UnixMillis::now().0 + 3_600_000);

    let values = vec![Value { at: Some(ahead), ..value("temp", "1.0") }, Value { at: None, ..value("on", "1") }];
    bench.engine.accept_post(post(Said::Properties(values)), BY, "t", &Unawaited);
    answer(&bench).await;

    let now = UnixMillis::now().0;
    assert!(log.kept().iter().all(|(_, _, at)| *at <= now), "{:?}", log.kept());
}

#[tokio::test(start_paused = true)]
async fn tags_and_custom_messages_are_told() {
    let log = Log::new(&[MessageKind::Tag, MessageKind::Custom]);
    let bench = usual(&log);

    let tag = Tag { key: "where".to_owned(), value: "attic".to_owned() };
    bench.engine.accept_post(post(Said::TagsSet(vec![tag])), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.0, 200);
    bench.engine.accept_post(post(Said::TagsRemoved(vec!["where".to_owned()])), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.0, 200);
    let custom = Said::Custom { topic: "/pk1/dev1/user/x".to_owned(), payload: Bytes::from_static(b"\x01") };
    bench.engine.accept_post(Post { echo: None, ..post(custom) }, BY, "t", &Unawaited);
    bench.engine.drain(SECOND).await;

    assert_eq!(log.kinds(), [MessageKind::Tag, MessageKind::Tag, MessageKind::Custom]);
    assert!(bench.told.lock().await.try_recv().is_err(), "a custom message has no answer");
}

#[tokio::test(start_paused = true)]
async fn time_is_told_with_when_it_was_asked() {
    let bench = usual(&Log::new(&[]));
    bench.engine.accept_post(Post { echo: None, ..post(Said::AsksTime("\"1\"".to_owned())) }, BY, "t", &Unawaited);
    let Told::Time { asked_at, came_at } = told(&bench).await.told else { panic!("no time") };
    assert_eq!(asked_at, "\"1\"");
    assert!(came_at.0 > 1_600_000_000_000);
}

#[tokio::test(start_paused = true)]
async fn refusal_goes_to_the_device_and_unknown_devices_are_told_so() {
    let bench = usual(&Log::new(&[MessageKind::Property]));
    bench.engine.accept_post(post(Said::Refused { code: 460, why: "no".to_owned() }), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await, (460, "no".to_owned(), Vec::new()));
    assert_eq!(counted(&bench, "other", "refused"), 1.0);

    bench.engine.accept_post(post_of("stranger", Said::Properties(Vec::new())), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.0, 403);
    assert_eq!(counted(&bench, "property", "denied"), 1.0);
    assert_eq!(bench.dropped("unknown_device"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn device_that_wants_no_answer_gets_none_and_is_heard() {
    let log = Log::new(&[MessageKind::Property]);
    let bench = usual(&log);
    bench.engine.accept_post(
        Post { echo: None, ..post(Said::Properties(vec![value("temp", "1.0")])) },
        BY,
        "t",
        &Unawaited,
    );
    bench.engine.drain(SECOND).await;
    assert_eq!(log.kinds(), [MessageKind::Property]);
    assert!(bench.told.lock().await.try_recv().is_err());
}

/// Every message is a report of a temperature; a longer one takes longer.
#[derive(Clone)]
struct Thermometer;

impl Handlers for Thermometer {
    fn find(&self, _: &thingcall_core::Call) -> Option<Arc<dyn Handler>> {
        None
    }
    fn codec(&self, _: &ProductKey) -> Option<Arc<dyn Codec>> {
        Some(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Codec for Thermometer {
    async fn encode(&self, _: &Delivery) -> Result<Bytes, CodecError> {
        Ok(Bytes::new())
    }
    async fn decode(&self, raw: RawReply) -> Result<Decoded, CodecError> {
        let length = raw.payload.len();
        tokio::time::sleep(SECOND * u32::try_from(length).unwrap()).await;
        let said = Said::Properties(vec![value("temp", &format!("{length}.0"))]);
        // Whoever vouches for the device does so for the message, whatever its content says.
        Ok(Decoded::Post(Box::new(Post { echo: None, ..post_of("another", said) })))
    }
}

#[tokio::test(start_paused = true)]
async fn report_in_a_device_s_own_bytes_counts_where_it_is_heard_once() {
    let log = Log::new(&[MessageKind::Property]);
    let settings = ProductSettings { data_format: DataFormat::Custom, ..ProductSettings::default() };
    let reports = Reports { log: log.clone(), words: log.clone(), last: log.clone() };
    let bench = bench_reporting((Config::default(), settings), Arc::new(Thermometer), reports);
    let raw = RawReply {
        device: device("dev1"),
        transport: TransportKind::Embedded,
        topic_id: None,
        service: None,
        payload: Bytes::from_static(b"\x01"),
    };

    bench.engine.accept_raw(raw.clone(), "t", &Unawaited);
    bench.engine.accept_raw_post(raw, HeardOnce { by: BY, answers: false }, "t", &Unawaited);
    bench.engine.drain(10 * SECOND).await;

    assert_eq!(log.kinds(), [MessageKind::Property], "once, though it came on both ways");
    assert_eq!(log.written.lock().unwrap()[0].device, device("dev1"));
}
