//! What can be wrong with each parameter of each action, and what is answered then.
//!
//! **Invariant:** every parameter that the SDK's models have is here, with a fault or with the reason why it can have none
//! (`every_parameter_has_its_faults`).

mod calls;
mod devices;
mod free;
mod models;
mod subscriptions;

pub(crate) use free::{is_ignored, why_free};

use serde_json::{Value, json};

use super::bench::Bench;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is not there.
    Missing,
    /// It is not of its form, or none of the values that may be.
    Malformed,
    /// It names what is not there.
    Unknown,
    /// There is too much of it.
    TooMany,
}

/// A value that is wrong, and what is told.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Null leaves it out.
    pub(crate) given: Value,
    pub(crate) code: &'static str,
    /// Words of the text, which say what would be right, or what is not there.
    pub(crate) said: &'static str,
}

/// The faults of a parameter in these actions.
pub(crate) struct Entry {
    /// Their names, with spaces between; `*` is all that no other entry names.
    actions: &'static str,
    parameter: &'static str,
    faults: Vec<Fault>,
}

pub(crate) const ILLEGAL: &str = "iot.system.IllegalRequest";
const PAGES: &str = "iot.common.InvalidPageParams";

fn of(actions: &'static str, parameter: &'static str, faults: impl Into<Vec<Fault>>) -> Entry {
    Entry { actions, parameter, faults: faults.into() }
}

/// Without it the request is refused with this code; without a code with that of the gateway.
fn missing(code: &'static str) -> Fault {
    Fault { kind: Kind::Missing, given: Value::Null, code, said: "" }
}

fn malformed(given: impl Into<Value>, code: &'static str, said: &'static str) -> Fault {
    Fault { kind: Kind::Malformed, given: given.into(), code, said }
}

fn unknown(given: impl Into<Value>, code: &'static str, said: &'static str) -> Fault {
    Fault { kind: Kind::Unknown, given: given.into(), code, said }
}

fn too_many(given: impl Into<Value>, code: &'static str, said: &'static str) -> Fault {
    Fault { kind: Kind::TooMany, given: given.into(), code, said }
}

/// So many names, each of them one that may be.
fn names(count: usize) -> Value {
    (0..count).map(|at| json!(format!("n{at}"))).collect()
}

fn long(characters: usize) -> String {
    "x".repeat(characters)
}

/// All entries.
pub(crate) fn entries(bench: &Bench) -> Vec<Entry> {
    let parts =
        [targets(), ids(), pages(), times(), calls::entries(), calls::messages(), calls::fleets(), devices::entries()];
    let others = [devices::batches(), devices::products(), models::entries(), subscriptions::entries(bench)];
    parts.into_iter().chain(others).flatten().collect()
}

/// The faults of an action's parameter, if any are known.
pub(crate) fn faults<'e>(entries: &'e [Entry], action: &str, parameter: &str) -> Option<&'e [Fault]> {
    let mut of_it = entries.iter().filter(|entry| entry.parameter == parameter);
    let named = of_it.clone().find(|entry| entry.actions.split(' ').any(|name| name == action));
    named.or_else(|| of_it.find(|entry| entry.actions == "*")).map(|entry| &*entry.faults)
}

/// Which product or device.
fn targets() -> Vec<Entry> {
    const KEY: &str = "iot.prod.InvalidFormattedProductkey";
    const NAME: &str = "iot.device.InvalidFormattedDeviceName";
    const NO_DEVICE: &str = "iot.device.NotExistedDevice";
    const NONE: &str = "iot.device.NoneDeviceNameElement";
    const TOPIC: &str = "iot.messagebroker.InvalidFormattedTopicName";
    let key = || malformed("a/b", KEY, "1 to");
    let no_product = || unknown("a1Nothing00", "iot.prod.NotExistedProduct", "a1Nothing00");
    let of_another =
        || unknown("a1Nothing00", "iot.device.DeviceApplyIsNotFound", "its product is gone or another one");
    let named = || malformed(json!(["a/b"]), NAME, "1 to");
    let hundred = || too_many(names(101), ILLEGAL, "more than 100");
    vec![
        of("*", "ProductKey", [missing("iot.prod.NullProductKey"), key(), no_product()]),
        // The topic of its row names a device of another one.
        of(
            "Pub",
            "ProductKey",
            [missing("iot.prod.NullProductKey"), key(), unknown("a1Nothing00", TOPIC, "a1Nothing00")],
        ),
        // Without one they are of all products.
        of("QueryDeviceStatistics QueryDeviceByStatus", "ProductKey", [key(), no_product()]),
        of(
            "BatchRegisterDeviceWithApplyId QueryBatchRegisterDeviceStatus",
            "ProductKey",
            [missing("iot.prod.NullProductKey"), key(), of_another()],
        ),
        of(
            "*",
            "DeviceName",
            [
                missing("iot.device.NullDeviceName"),
                malformed("a/b", NAME, "1 to"),
                unknown("nobody", NO_DEVICE, "nobody does not exist"),
            ],
        ),
        // Without one it is the topic's.
        of("Pub", "DeviceName", [malformed("a/b", NAME, "1 to"), unknown("nobody", NO_DEVICE, "nobody")]),
        // Without one it makes one up.
        of(
            "RegisterDevice",
            "DeviceName",
            [malformed("a/b", NAME, "1 to"), unknown("whole", ILLEGAL, "exists already")],
        ),
        of(
            "InvokeThingsService SetDevicesProperty",
            "DeviceName",
            [missing(NONE), named(), unknown(json!(["whole", "nobody"]), NO_DEVICE, "nobody"), hundred()],
        ),
        // It leaves those out that are not there.
        of("BatchQueryDeviceDetail", "DeviceName", [missing(NONE), named(), hundred()]),
        of(
            "BatchGetDeviceState",
            "DeviceName",
            [
                missing(NONE),
                named(),
                unknown(json!(["nobody"]), NO_DEVICE, "nobody"),
                too_many(names(51), ILLEGAL, "more than 50"),
            ],
        ),
    ]
}

/// Which device, by its id.
fn ids() -> Vec<Entry> {
    const ID: &str = "iot.device.InvalidIoTId";
    vec![
        of("*", "IotId", [malformed("no id!", ID, "1 to"), unknown("nobody", ID, "no device has the IotId nobody")]),
        of(
            "BatchGetDeviceState",
            "IotId",
            [
                malformed(json!(["no id!"]), ID, "1 to"),
                unknown(json!(["nobody"]), ID, "nobody"),
                too_many(names(51), ILLEGAL, "more than 50"),
            ],
        ),
    ]
}

/// Which page.
fn pages() -> Vec<Entry> {
    let size = |max: u32, said: &'static str| {
        [malformed(0, PAGES, said), malformed("many", PAGES, said), too_many(max + 1, PAGES, said)]
    };
    let with_missing = |faults: [Fault; 3]| [vec![missing("MissingPageSize")], faults.to_vec()].concat();
    let number = || [malformed(0, PAGES, "1 or more"), malformed("first", PAGES, "1 or more")];
    let with_number = || [vec![missing("MissingCurrentPage")], number().to_vec()].concat();
    let far = too_many(1001, PAGES, "10000");
    vec![
        of("*", "PageSize", size(50, "1 to 50")),
        of("QueryDevicePropertiesData", "PageSize", size(100, "1 to 100")),
        of("QueryConsumerGroupList", "PageSize", size(1000, "1 to 1000")),
        of("QueryProductList", "PageSize", with_missing(size(200, "1 to 200"))),
        of("*", "CurrentPage", number()),
        of("QueryProductList", "CurrentPage", with_number()),
        // Two a page in its row.
        of("QueryDevice", "CurrentPage", [number().to_vec(), vec![Fault { given: json!(5001), ..far }]].concat()),
        of("QueryDevice", "NextToken", [malformed("x", PAGES, "the NextToken of an answer")]),
        of("QueryDeviceOriginalServiceData", "NextPageToken", [malformed("x", ILLEGAL, "that of the page before")]),
    ]
}

/// Which time, and in which order.
fn times() -> Vec<Entry> {
    let time = |code| [missing(code), malformed("yesterday", ILLEGAL, "milliseconds since 1970")];
    vec![
        of("*", "StartTime", time("MissingStartTime")),
        of("*", "EndTime", time("MissingEndTime")),
        of("*", "Asc", [malformed(2, ILLEGAL, "0 or 1")]),
    ]
}
