//! Faults of calls, messages and calls of many devices.

use serde_json::{Value, json};
use thingcall_tests::PRODUCT;

use super::{Entry, Fault, ILLEGAL, long, malformed, missing, names, of, too_many, unknown};

const INVOKE: &str = "iot.device.InvokeThingServiceFailed";
const SET: &str = "iot.device.SetDevicePropertyFailed";
const NOT_BASE64: &str = "iot.messagebroker.MessageContentIsNotBase64Encode";
const TOPIC: &str = "iot.messagebroker.InvalidFormattedTopicName";

/// Of services and properties.
pub(super) fn entries() -> Vec<Entry> {
    let service =
        || [missing("MissingIdentifier"), malformed("a b", INVOKE, "1 to"), unknown("Nothing", INVOKE, "Nothing")];
    let args = || {
        [
            missing("MissingArgs"),
            malformed("no json", INVOKE, "not JSON"),
            malformed("[]", INVOKE, "array"),
            unknown(r#"{"nothing":1}"#, INVOKE, "nothing"),
        ]
    };
    let items = || {
        [
            missing("MissingItems"),
            malformed("no json", SET, "not JSON"),
            malformed(r#"{"Brightness":"much"}"#, SET, "Brightness"),
            unknown(r#"{"Nothing":1}"#, SET, "Nothing"),
        ]
    };
    vec![
        of("InvokeThingService InvokeThingsService CreateFleetCall", "Identifier", service()),
        of("InvokeThingService InvokeThingsService CreateFleetCall", "Args", args()),
        of("SetDeviceProperty SetDevicesProperty", "Items", items()),
        of("*", "Qos", [malformed(2, ILLEGAL, "0 or 1")]),
        of("QueryDeviceServiceData QueryDeviceOriginalServiceData", "Identifier", [malformed("a b", ILLEGAL, "1 to")]),
    ]
}

/// Of Pub and RRpc.
pub(super) fn messages() -> Vec<Entry> {
    let own = |rest: &str| format!("/{PRODUCT}/whole/user/{rest}");
    let topic = || [malformed(own("+"), TOPIC, "user/get"), unknown(format!("/{PRODUCT}/past/get"), TOPIC, "user/get")];
    let properties = |count: usize| (0..count).map(|_| json!({ "Key": "k", "Value": "v" })).collect::<Value>();
    let content = |code: &'static str| {
        [missing(code), malformed("hello", NOT_BASE64, "Base64"), too_many(long(4 * 90_000), ILLEGAL, "at most 262144")]
    };
    // Too much of it does not fit into the query, where this SDK puts it; `broadcasts` has the rest.
    let of_many = content("iot.messagebroker.NullMessageContent")[..2].to_vec();
    let nowhere = unknown("/elsewhere/whole/user/get", TOPIC, "names no device");
    vec![
        of(
            "Pub",
            "TopicFullName",
            [vec![missing("iot.messagebroker.NullTopicName"), nowhere], topic().to_vec()].concat(),
        ),
        of("Pub AsyncRRpc", "MessageContent", content("iot.messagebroker.NullMessageContent")),
        of("Pub", "MessageExpiryInterval", [malformed(0, ILLEGAL, "seconds"), malformed("long", ILLEGAL, "seconds")]),
        of("Pub", "PayloadFormatIndicator", [malformed(2, ILLEGAL, "0 or 1")]),
        of(
            "Pub",
            "Retained",
            [malformed("perhaps", ILLEGAL, "true or false"), malformed(true, ILLEGAL, "leave it out")],
        ),
        of("Pub", "CorrelationData", [malformed("hello", NOT_BASE64, "Base64")]),
        of(
            "Pub",
            "UserProp",
            [
                malformed(json!([{ "Key": "k" }]), ILLEGAL, "give both"),
                too_many(properties(21), ILLEGAL, "more than 20"),
            ],
        ),
        // Without one it goes to all.
        of(
            "PubBroadcast",
            "TopicFullName",
            [
                malformed(format!("/broadcast/{PRODUCT}/+"), TOPIC, "/NAME"),
                unknown("/broadcast/elsewhere/all", TOPIC, "right is /broadcast/"),
            ],
        ),
        of("PubBroadcast", "MessageContent", of_many),
        of("RRpc", "RequestBase64Byte", content("MissingRequestBase64Byte")),
        of("RRpc", "Timeout", timeouts()),
        of("RRpc", "Topic", topic()),
        of("AsyncRRpc", "TopicFullName", topic()),
    ]
}

fn timeouts() -> Vec<Fault> {
    const CODE: &str = "iot.messagebroker.InvalidTimeoutValue";
    let wrong = |given: Value| malformed(given, CODE, "1000 to 8000");
    vec![missing("MissingTimeout"), wrong(json!("soon")), wrong(json!(999)), too_many(8001, CODE, "1000 to 8000")]
}

/// Of CreateFleetCall and what goes with it. The platform's SDKs have no models of these.
pub(super) fn fleets() -> Vec<Entry> {
    let nobody = "A".repeat(26);
    vec![
        // Without any it calls all.
        of(
            "CreateFleetCall",
            "DeviceName",
            [
                malformed(json!(["a/b"]), "iot.device.InvalidFormattedDeviceName", "1 to"),
                unknown(json!(["whole", "nobody"]), ILLEGAL, "1 of the 2 devices"),
                too_many(names(1001), ILLEGAL, "more than 1000"),
            ],
        ),
        of("*", "CallsPerSecond", [malformed(0, ILLEGAL, "1 to 1000"), too_many(1001, ILLEGAL, "1 to 1000")]),
        of("*", "InFlight", [malformed("all", ILLEGAL, "1 to 1000"), too_many(1001, ILLEGAL, "1 to 1000")]),
        of(
            "*",
            "FleetCallId",
            [
                missing("MissingFleetCallId"),
                malformed("x", ILLEGAL, "26 letters and digits"),
                unknown(nobody, ILLEGAL, "there is no fleet call"),
            ],
        ),
        of("*", "Outcome", [malformed("GOOD", ILLEGAL, "SUCCEEDED, FAILED or UNKNOWN")]),
    ]
}
