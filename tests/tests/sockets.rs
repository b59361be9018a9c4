//! What reaches the embedded broker's port and is no load of devices, and how its TCP treats theirs.

use std::net::TcpStream;

use serde_json::json;
use thingcall_tests::{Site, eventually, invocation};

const SILENT: usize = 400;
/// The server may open so many files, of which sockets of devices may be so many.
const FILES_MAX: u32 = 260;
const SOCKETS_MAX: usize = 150;

#[test]
fn four_hundred_silent_sockets_take_neither_the_api_nor_readyz_down() {
    let site = Site::embedded(&[("BROKER__SOCKETS_MAX", &SOCKETS_MAX.to_string())]);
    site.program.files_max(FILES_MAX);
    let (device, connected) = site.linkkit("steady");
    connected.answers(200, &json!({ "mean": 1, "samples": [] }));

    let silent: Vec<_> = (0..SILENT).map(|_| TcpStream::connect(site.broker()).expect("the port is there")).collect();

    let refused = (SILENT + 1 - SOCKETS_MAX) as f64;
    eventually("all that are too many are counted", || {
        let metrics = site.program.metrics();
        let too_many = metrics.sum("thingcall_broker_refusals_total", &[r#"reason="sockets_max""#]);
        (too_many >= refused).then_some(())
    });
    let metrics = site.program.metrics();
    let limit = metrics.sum("thingcall_broker_sockets_limit", &[]);
    assert_eq!(limit, SOCKETS_MAX as f64);
    assert!(metrics.sum("thingcall_broker_sockets", &[]) <= limit);
    assert_eq!(site.program.operator("/readyz").0, 200);
    assert_eq!(site.program.operator("/healthz").0, 200);
    let result = site.invoke(&device, "Measure", r#"{"channel":1}"#).ok().result();
    assert_eq!(result["data"]["mean"], 1, "a device that is connected stays so");
    drop(silent);
}

/// Its SDK leaves Nagle's algorithm on and sends PUBACK and answer one after the other; each such call took over 40 ms.
#[test]
fn synchronous_call_at_qos_1_does_not_wait_for_delayed_acknowledgements() {
    const CALLS: usize = 20;
    // Of its own: what others do would be in its figures.
    let site = Site::embedded(&[]);
    let (device, connected) = site.linkkit("quick");
    connected.answers(200, &json!({ "mean": 1, "samples": [] }));
    let mut call = invocation(&device, "Measure", r#"{"channel":1}"#);
    call["Qos"] = json!(1);

    let mut delayed = 0;
    for _ in 0..CALLS {
        let before = site.program.metrics().sum("thingcall_device_response_seconds_sum", &[]);
        site.ask("InvokeThingService", &call).ok();
        let took = site.program.metrics().sum("thingcall_device_response_seconds_sum", &[]) - before;
        delayed += usize::from(took >= 0.035);
    }

    assert!(delayed < CALLS / 2, "{delayed} of {CALLS} calls took as long as a delayed acknowledgement");
}
