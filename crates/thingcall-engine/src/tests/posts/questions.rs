//! Questions whose answers nobody waits for: they are told as messages.

use std::num::NonZeroUsize;

use thingcall_core::{Asks, CallError, CallId, DeliverError, Letter, LetterTo, Report, Request, Sent, Takes};

use super::*;
use crate::testbench::bench as bench_of;

const TOPIC: &str = "/sys/pk1/dev1/rrpc/response/7";

fn question(bench: &Bench) -> Request {
    let letter = Letter { to: LetterTo::Rrpc, payload: Bytes::from_static(b"?"), extras: None };
    Request { asks: Asks::LetterUnawaited(Arc::new(letter)), ..bench.request("AsyncRRpc", "{}") }
}

async fn asks(bench: &Bench) -> CallId {
    bench.engine.invoke(question(bench)).await.unwrap().id
}

/// Says that the device answered so.
fn answers(bench: &Bench, from: &str, id: CallId, bytes: &'static [u8]) {
    let (device, payload) = (device(from), Bytes::from_static(bytes));
    let raw = RawReply { device, transport: TransportKind::Embedded, topic_id: Some(id), service: None, payload };
    bench.engine.accept_raw(raw, TOPIC, &Unawaited);
}

fn questions(bench: &Bench, result: &str) -> f64 {
    bench.metric(&format!(r#"thingcall_unawaited_questions_total{{result="{result}"}}"#))
}

#[tokio::test(start_paused = true)]
async fn answer_is_told_as_it_is_and_once_and_from_the_device_that_was_asked() {
    let log = Log::new(&[MessageKind::Custom]);
    let bench = usual(&log);
    let id = asks(&bench).await;
    let takes = |from: &str| bench.engine.takes(&device(from), Some(id));
    assert_eq!((takes("dev1"), takes("dev2")), (Takes::Bytes, Takes::Alink));
    answers(&bench, "dev2", id, b"forged");
    answers(&bench, "dev1", id, b"\x00\xff");
    answers(&bench, "dev1", id, b"again");
    bench.engine.finish(SECOND).await;
    let told = Report::Custom { topic: TOPIC.to_owned(), payload: Bytes::from_static(b"\x00\xff") };
    assert_eq!(*log.reports.lock().unwrap(), [told]);
    assert_eq!((questions(&bench, "answered"), bench.metric("thingcall_unawaited_questions")), (1.0, 0.0));
    assert_eq!(takes("dev1"), Takes::Alink);
}

#[tokio::test(start_paused = true)]
async fn question_that_is_not_answered_in_time_is_forgotten() {
    let log = Log::new(&[MessageKind::Custom]);
    let bench = usual(&log);
    let id = asks(&bench).await;
    tokio::time::advance(Config::default().unawaited_answer_timeout).await;
    answers(&bench, "dev1", id, b"late");
    bench.engine.refresh_metrics();
    bench.engine.finish(SECOND).await;
    assert!(log.reports.lock().unwrap().is_empty());
    assert_eq!((questions(&bench, "expired"), bench.metric("thingcall_unawaited_questions")), (1.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn so_many_may_be_without_an_answer_and_no_more() {
    let log = Log::new(&[MessageKind::Custom]);
    let config = Config { unawaited_questions_max: NonZeroUsize::MIN, ..Config::default() };
    let bench = bench(&log, config, ProductSettings::default());
    let id = asks(&bench).await;
    let refused = bench.engine.invoke(question(&bench)).await;
    assert!(
        matches!(&refused, Err(CallError::Overloaded(why)) if why.contains("unawaited_questions_max")),
        "{refused:?}"
    );
    answers(&bench, "dev1", id, b"room again");
    asks(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn question_that_did_not_leave_is_told_and_not_waited_for() {
    let bench = bench_of(|_, _| Err(DeliverError::Offline));
    let refused = bench.engine.invoke(question(&bench)).await;
    assert_eq!(refused, Err(CallError::Offline("pk1/dev1".to_owned())));
    assert_eq!(bench.metric("thingcall_unawaited_questions"), 0.0);
    let sent = bench_of(|_, _| Ok(Sent::Sent));
    asks(&sent).await;
    assert_eq!(sent.metric("thingcall_unawaited_questions"), 1.0);
}
