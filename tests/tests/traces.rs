//! Traces: a real collector gets every span of a call, the device's own among them.

use serde_json::{Value, json};
use thingcall_tests::{
    Collector, DeviceSecrets, SECRET, Site, Span, TracedDevice, WebhookReceiver, eventually, invocation, rust_plugin,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What a call's params are with the place in the trace that its caller names.
fn traced(device: &DeviceSecrets, service: &str, flags: &str) -> Value {
    let args = match service {
        "Measure" => r#"{"channel":1}"#,
        "SetScene" => r#"{"scene":1}"#,
        _ => r#"{"param1":1}"#,
    };
    let mut params = invocation(device, service, args);
    params["traceparent"] = format!("00-{TRACE}-{CALLER}-{flags}").into();
    params["tracestate"] = "vendor=1".into();
    params
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name() == name).unwrap_or_else(|| panic!("no {name}: {spans:#?}"))
}

/// Spans of a synchronous call that goes to a device which traces.
const CALL: [&str; 7] = ["InvokeThingService", "auth", "decode", "device", "execute", "publish", "validate"];

/// Holds a trace of a synchronous call against what the device saw.
fn is_whole(spans: &[Span], called: &Value) {
    let root = named(spans, "InvokeThingService");
    assert_eq!((root.text("trace"), root.text("parent"), root.text("kind")), (TRACE, CALLER, "SPAN_KIND_SERVER"));
    assert_eq!(root.text("state"), "vendor=1");
    for (name, kind) in [
        ("auth", "SPAN_KIND_INTERNAL"),
        ("validate", "SPAN_KIND_INTERNAL"),
        ("publish", "SPAN_KIND_PRODUCER"),
        ("device", "SPAN_KIND_CLIENT"),
        ("decode", "SPAN_KIND_INTERNAL"),
    ] {
        let span = named(spans, name);
        assert_eq!((span.text("parent"), span.text("kind")), (root.text("span"), kind), "{span:?}");
        let ((began, ended), (from, to)) = (span.times(), root.times());
        assert!(from <= began && began <= ended && ended <= to, "{span:?} lies in {root:?}");
    }
    // What the device is told is the span of its own hop, and what it does is below that.
    let hop = named(spans, "device");
    let (properties, own) = (&called["properties"], named(spans, "execute"));
    assert_eq!(properties["traceparent"], format!("00-{TRACE}-{}-01", hop.text("span")), "{called}");
    assert_eq!(properties["tracestate"], "vendor=1", "{called}");
    assert_eq!((own.text("parent"), own.text("span")), (hop.text("span"), called["span"].as_str().unwrap_or_default()));
}

#[test]
fn a_call_is_one_trace_from_its_caller_to_its_device() {
    let collector = Collector::start();
    let site = Site::embedded(&[
        ("TRACES__ENDPOINT", &collector.http()),
        ("TRACES__EXPORT_INTERVAL", "50ms"),
        ("TRACES__SAMPLED", "0"),
        ("TRACES__SERVICE_NAME", "calls"),
        ("RECORDS__KEEP", "all"),
    ]);
    let device = site.device("traced");
    let connected = TracedDevice::connect(site.program.addresses.mqtt.expect("a broker"), &device, &collector);

    let answer = site.ask("InvokeThingService", &traced(&device, "Measure", "01")).ok();

    let (called, spans) = (connected.called(), collector.trace(&CALL));
    is_whole(&spans, &called);
    let root = named(&spans, "InvokeThingService");
    let attributes = [
        ("http.request.method", json!("POST")),
        ("http.response.status_code", json!(200)),
        ("thingcall.action", json!("InvokeThingService")),
        ("thingcall.product", json!(device.product)),
        ("thingcall.device", json!("traced")),
        ("thingcall.service", json!("Measure")),
        ("thingcall.message_id", json!(answer.message_id())),
        ("thingcall.request_id", json!(answer.text_at("RequestId"))),
        ("thingcall.outcome", json!("ok")),
        ("thingcall.transport", json!("embedded")),
    ];
    for (name, value) in attributes {
        assert_eq!(root.attribute(name), &value, "{name} of {root:?}");
    }
    assert_eq!(root.0["resource"]["service.name"], "calls");
    let publish = named(&spans, "publish");
    assert_eq!(publish.attribute("messaging.system"), "mqtt");
    assert_eq!(publish.attribute("messaging.destination.name"), &called["topic"]);

    // From the call to its trace.
    let device_of = format!("{}/{}", device.product, device.name);
    eventually("the record is kept", || {
        let calls = site.command(&["calls", "--device", &device_of, "--json"]);
        calls.contains(&answer.message_id()).then_some(())
    });
    let record = site.command_json(&["explain", &answer.message_id()]);
    assert_eq!(record["traceId"], TRACE, "{record}");

    // What its caller does not record is not, and the device is told so.
    site.ask("InvokeThingService", &traced(&device, "Measure", "00")).ok();
    let properties = connected.called()["properties"].clone();
    let parent = properties["traceparent"].as_str().unwrap_or_default();
    assert!(parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-00"), "{properties}");

    // Where the caller names no place, or none that can be read, a trace of its own begins; of those none is recorded here.
    site.invoke(&device, "Measure", r#"{"channel":1}"#).ok();
    let parent = connected.called()["properties"]["traceparent"].as_str().unwrap_or_default().to_owned();
    assert!(parent.len() == 55 && !parent.contains(TRACE) && parent.ends_with("-00"), "{parent}");
    let metric = |name: &str, labels: &[&str]| site.program.metrics().sum(name, labels);
    assert_eq!(metric("thingcall_traces_total", &[r#"decision="recorded""#]), 1.0);
    assert!(metric("thingcall_traces_total", &[r#"decision="not_sampled""#]) >= 2.0);
    eventually("the spans are counted", || (metric("thingcall_trace_spans_exported_total", &[]) == 6.0).then_some(()));
}

#[test]
fn a_failed_call_names_its_trace_and_grpc_carries_it() {
    let collector = Collector::start();
    let settings =
        [("TRACES__ENDPOINT", &*collector.grpc()), ("TRACES__PROTOCOL", "grpc"), ("TRACES__EXPORT_INTERVAL", "50ms")];
    let site = Site::embedded(&settings);
    let device = site.device("away");

    let answer = site.ask("InvokeThingService", &traced(&device, "Measure", "01"));

    assert_eq!(answer.failure().0, "iot.messagebroker.OFFLINE");
    let spans = collector.trace(&["InvokeThingService", "auth", "publish", "validate"]);
    let root = named(&spans, "InvokeThingService");
    assert_eq!((root.text("status"), root.attribute("thingcall.outcome")), ("STATUS_CODE_ERROR", &json!("offline")));
    assert_eq!(named(&spans, "publish").attribute("error.type"), "offline");
    let explained = site.command_json(&["explain", answer.text_at("RequestId")]);
    assert_eq!(explained["traceId"], TRACE, "{explained}");
    eventually("the line of the call names its trace", || site.program.log().contains(TRACE).then_some(()));
}

#[test]
fn a_collector_that_is_away_holds_up_nobody_and_what_it_misses_is_counted() {
    let mut collector = Collector::away();
    let site = Site::embedded(&[
        ("TRACES__ENDPOINT", &collector.http()),
        ("TRACES__EXPORT_INTERVAL", "50ms"),
        ("TRACES__QUEUE_SPANS_MAX", "20"),
    ]);
    let (device, connected) = site.linkkit("patient");
    for _ in 0..20 {
        site.invoke(&device, "Measure", r#"{"channel":1}"#).ok();
        connected.called();
    }
    let metric = |name: &str, labels: &[&str]| site.program.metrics().sum(name, labels);
    assert_eq!(metric("thingcall_trace_queue_spans_limit", &[]), 20.0);
    let dropped = eventually("what finds no room is counted", || {
        let dropped = metric("thingcall_trace_spans_dropped_total", &[r#"reason="queue_full""#]);
        (dropped > 0.0).then_some(dropped)
    });
    assert!(dropped > 10.0, "{dropped}");
    eventually("it is told", || site.program.log().contains("the collector does not take spans").then_some(()));

    collector.comes();
    eventually("it is told again", || site.program.log().contains("the collector takes spans again").then_some(()));
    assert!(metric("thingcall_trace_spans_exported_total", &[]) > 0.0);
}

/// A configuration with a webhook, whose spans go to this collector.
fn hooked(collector: &Collector, receiver: &WebhookReceiver) -> String {
    format!(
        "[traces]\nendpoint = \"{}\"\nexport_interval = \"50ms\"\n[webhooks.app]\nurl = \"{}\"\nsecret = \"{SECRET}\"\n\
         kinds = [\"result\"]\n",
        collector.http(),
        receiver.url()
    )
}

#[test]
fn a_result_belongs_to_the_trace_of_its_call() {
    let (collector, receiver) = (Collector::start(), WebhookReceiver::start());
    let site = Site::with_plugins(&hooked(&collector, &receiver), &[]);
    let device = site.device("scene");
    let connected = TracedDevice::connect(site.broker(), &device, &collector);

    let accepted = site.ask("InvokeThingService", &traced(&device, "SetScene", "01")).ok();

    let (called, told) = (connected.called(), receiver.told());
    let spans = collector.trace(&["InvokeThingService", "auth", "device", "execute", "publish", "validate", "webhook"]);
    let (root, hop, webhook) = (named(&spans, "InvokeThingService"), named(&spans, "device"), named(&spans, "webhook"));
    assert_eq!((hop.text("trace"), hop.text("parent")), (TRACE, root.text("span")), "{spans:#?}");
    assert_eq!(hop.attribute("thingcall.message_id"), &json!(accepted.message_id()));
    let told_device = called["properties"]["traceparent"].clone();
    assert_eq!(told_device, format!("00-{TRACE}-{}-01", hop.text("span")));
    assert_eq!(named(&spans, "execute").text("parent"), hop.text("span"));
    // The result says where its device's hop was, and each request of the webhook is a span below that.
    assert_eq!((&told.body["traceparent"], &told.body["tracestate"]), (&told_device, &json!("vendor=1")));
    assert_eq!((webhook.text("parent"), webhook.text("kind")), (hop.text("span"), "SPAN_KIND_CLIENT"));
    assert_eq!(told.traceparent, format!("00-{TRACE}-{}-01", webhook.text("span")));
    let record = site.command_json(&["explain", &accepted.message_id()]);
    assert_eq!(record["traceId"], TRACE, "{record}");
}

#[test]
fn what_waits_for_its_device_over_a_restart_stays_in_its_trace() {
    let (collector, receiver) = (Collector::start(), WebhookReceiver::start());
    let mut site = Site::with_plugins(&hooked(&collector, &receiver), &[]);
    let device = site.device("asleep");
    let mut params = traced(&device, "SetScene", "01");
    params["Qos"] = 1.into();
    let accepted = site.ask("InvokeThingService", &params).ok();
    site.program.kill();
    site.start_again();

    let connected = TracedDevice::connect(site.broker(), &device, &collector);

    let (called, told) = (connected.called(), receiver.told());
    let parent = called["properties"]["traceparent"].as_str().unwrap_or_default().to_owned();
    assert!(parent.starts_with(&format!("00-{TRACE}-")), "{called}");
    assert_eq!((&told.body["traceparent"], &called["properties"]["tracestate"]), (&json!(parent), &json!("vendor=1")));
    let record = site.command_json(&["explain", &accepted.message_id()]);
    assert_eq!((&record["traceId"], &record["outcome"]), (&json!(TRACE), &json!("ok")), "{record}");
    let (_, hop) = parent.split_at(36);
    // Its request's own spans ended with the server that was killed, unless they had left.
    collector.span("device", |span| hop.starts_with(span.text("span")) && span.text("trace") == TRACE);
}

#[test]
fn a_plugin_is_a_span_with_its_commands_below() {
    let collector = Collector::start();
    let toml = format!("[traces]\nendpoint = \"{}\"\nexport_interval = \"50ms\"\n", collector.http());
    let site = Site::with_plugins(&toml, &[&rust_plugin("test-fb")]);
    let device = site.device("handled");
    let connected = TracedDevice::connect(site.broker(), &device, &collector);

    site.ask("InvokeThingService", &traced(&device, "testFb:testService", "01")).ok();

    connected.called();
    let spans = collector.trace(&[
        "InvokeThingService",
        "auth",
        "decode",
        "device",
        "device",
        "execute",
        "execute",
        "plugin",
        "publish",
        "publish",
        "validate",
    ]);
    let (root, plugin) = (named(&spans, "InvokeThingService"), named(&spans, "plugin"));
    assert_eq!((plugin.text("parent"), plugin.attribute("thingcall.plugin")), (root.text("span"), &json!("test-fb")));
    for span in spans.iter().filter(|span| ["device", "publish"].contains(&span.name())) {
        assert_eq!(span.text("parent"), plugin.text("span"), "{span:?}");
    }
    let hops: Vec<_> = spans.iter().filter(|span| span.name() == "device").map(|span| span.text("span")).collect();
    let own: Vec<_> = spans.iter().filter(|span| span.name() == "execute").map(|span| span.text("parent")).collect();
    assert!(hops.iter().all(|hop| own.contains(hop)), "each command has its own hop: {spans:#?}");
}

#[test]
fn a_device_behind_mosquitto_is_told_where_the_server_speaks_mqtt_5() {
    let collector = Collector::start();
    let site = Site::external(&[
        ("MQTT__VERSION", "5"),
        ("TRACES__ENDPOINT", &collector.http()),
        ("TRACES__EXPORT_INTERVAL", "50ms"),
    ]);
    site.is_ready();
    let device = site.device("behind");
    let connected = TracedDevice::connect(site.broker(), &device, &collector);

    site.ask("InvokeThingService", &traced(&device, "Measure", "01")).ok();

    let (called, spans) = (connected.called(), collector.trace(&CALL));
    is_whole(&spans, &called);
    assert_eq!(named(&spans, "publish").attribute("thingcall.transport"), "mqtt");
}
