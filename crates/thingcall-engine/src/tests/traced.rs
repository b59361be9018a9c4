//! What a trace is told of calls.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use thingcall_core::{
    Begins, Delivery, Fact, Outcome, Request, Sent, Span, TRACE_SPANS_MAX, TraceContext, TraceId, Traced, TracedPart,
    Tracer,
};

use crate::testbench::{Bench, SECOND, answers_after, bench};
use crate::traced::part;

const MEASURE: &str = r#"{"channel":1}"#;

/// Keeps what it is told.
#[derive(Default)]
struct Told {
    spans: Mutex<Vec<Span>>,
    too_many: Mutex<u64>,
}

impl Tracer for Told {
    fn begin(self: Arc<Self>, what: Begins, came: Instant) -> Arc<Traced> {
        let context = TraceContext::root(TraceId::random(), true);
        Traced::new(context, &what, (came, SystemTime::UNIX_EPOCH), Some(self))
    }

    fn take(&self, spans: Vec<Span>) {
        self.spans.lock().unwrap().extend(spans);
    }

    fn too_many(&self, spans: u64) {
        *self.too_many.lock().unwrap() += spans;
    }
}

impl Told {
    /// Name, milliseconds from the request to begin and end, and error of each span, in their order.
    fn take_all(&self) -> Vec<(String, u128, u128, Option<String>)> {
        let millis = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let told = |span: Span| {
            (span.name.into_owned(), millis(span.began), millis(span.ended), span.error.map(|error| error.into_owned()))
        };
        self.spans.lock().unwrap().drain(..).map(told).collect()
    }
}

fn traced(bench: &Bench, told: &Arc<Told>) -> Request {
    let request = bench.request("Measure", MEASURE);
    let trace = Some(told.clone().begin(Begins::Call, request.arrived));
    Request { trace, ..request }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_told_in_parts_with_their_times() {
    let (bench, told) = (bench(answers_after(2 * SECOND, r#"{"mean":1}"#)), Arc::new(Told::default()));
    let request = traced(&bench, &told);
    tokio::time::sleep(SECOND).await;
    bench.engine.invoke(request).await.unwrap();
    let at = |name: &str, began, ended| (name.to_owned(), began, ended, None);
    assert_eq!(
        told.take_all(),
        [
            at("publish", 1000, 1000),
            at("device", 1000, 3000),
            at("decode", 3000, 3000),
            at("validate", 1000, 1000),
            at("call", 0, 3000),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_silent_or_whose_caller_hangs_up_has_its_span_too() {
    let (bench, told) = (bench(|_, _| Ok(Sent::Acked)), Arc::new(Told::default()));
    bench.engine.invoke(traced(&bench, &told)).await.unwrap_err();
    let device = |ended| ("device".to_owned(), 0, ended, Some("no_answer".to_owned()));
    let end = |ended, outcome: Outcome| ("call".to_owned(), 0, ended, Some(outcome.as_str().to_owned()));
    let all = told.take_all();
    assert!(all.contains(&device(8000)) && all.last() == Some(&end(8000, Outcome::Timeout)), "{all:?}");

    let waiting = bench.engine.invoke(traced(&bench, &told));
    tokio::time::timeout(3 * SECOND, waiting).await.unwrap_err();
    let all = told.take_all();
    assert!(all.contains(&device(3000)) && all.last() == Some(&end(3000, Outcome::Cancelled)), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_is_told_the_span_of_its_hop_and_a_record_its_trace() {
    let seen = Arc::new(Mutex::new(None));
    let noted = seen.clone();
    let bench = bench(move |delivery: &Delivery, _: &_| {
        *noted.lock().unwrap() = delivery.trace.as_ref().map(|hop| (hop.context.clone(), hop.parent));
        Ok(Sent::Acked)
    });
    let told = Arc::new(Told::default());
    bench.engine.invoke(traced(&bench, &told)).await.unwrap_err();
    let (context, parent) = seen.lock().unwrap().take().unwrap();
    let spans = std::mem::take(&mut *told.spans.lock().unwrap());
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!((&named("device").context, named("device").parent), (&context, Some(named("call").context.span_id)));
    assert_eq!(parent, named("call").context.span_id);
    let outcome = named("call").facts.iter().find(|(name, _)| *name == "thingcall.outcome").unwrap();
    assert_eq!(outcome.1, Fact::from("timeout"));
    let [record] = <[_; 1]>::try_from(bench.records.take()).unwrap();
    assert_eq!(record.trace_id, Some(context.trace_id));
    assert_eq!(bench.engine.failures(&record.request_id.to_string())[0].trace_id, Some(context.trace_id));
}

#[tokio::test(start_paused = true)]
async fn of_what_is_not_recorded_nothing_is_made_but_its_place() {
    let bench = bench(answers_after(Duration::ZERO, "{}"));
    let context = TraceContext::root(TraceId::random(), false);
    let request = bench.request("Measure", MEASURE);
    let trace = Traced::new(context, &Begins::Call, (request.arrived, SystemTime::UNIX_EPOCH), None);
    bench.engine.invoke(Request { trace: Some(trace.clone()), ..request }).await.unwrap();
    trace.part(|| unreachable!("nobody asks what it was"));
    let [record] = <[_; 1]>::try_from(bench.records.take()).unwrap();
    assert_eq!(record.trace_id, None, "who looks for it finds nothing");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_no_more_spans_than_it_may() {
    let told = Arc::new(Told::default());
    let now = tokio::time::Instant::now();
    let trace = told.clone().begin(Begins::Call, now.into_std());
    for _ in 0..TRACE_SPANS_MAX + 5 {
        trace.part(|| TracedPart { facts: Vec::new(), ..part("part", (now, now)) });
    }
    trace.call_ended("call", now.into_std(), None);
    assert_eq!((told.spans.lock().unwrap().len(), *told.too_many.lock().unwrap()), (TRACE_SPANS_MAX + 1, 5));
}
