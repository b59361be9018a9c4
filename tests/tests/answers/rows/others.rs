//! Actions of calls, messages and calls of many devices.

use serde_json::json;
use thingcall_tests::PRODUCT;

use super::super::bench::{HELLO, SERVICE};
use super::About::{AllProducts, Device, DeviceOfTopic, Devices, Product};
use super::Again::{Other, Same};
use super::devices::with_time;
use super::{Row, row};

pub(super) const READING: &[Row] = &[
    row("QueryFleetCall", AllProducts, Same, |bench| json!({ "FleetCallId": bench.fleet_call })),
    row("QueryFleetCallDevices", AllProducts, Same, |bench| json!({ "FleetCallId": bench.fleet_call })),
    row("QueryFleetCallList", AllProducts, Same, |_| json!({ "CurrentPage": 1, "PageSize": 10 })),
    row("QueryDeviceServiceData", Device, Same, |bench| with_time(bench, &json!({}))),
    row("QueryDeviceOriginalServiceData", Device, Same, |bench| with_time(bench, &json!({}))),
];

pub(super) const CALLING: &[Row] = &[
    row(
        "InvokeThingService",
        Device,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": "whole", "Identifier": SERVICE.0, "Args": SERVICE.1 }),
    ),
    row(
        "InvokeThingsService",
        Devices,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": ["whole"], "Identifier": "SetScene", "Args": "{}" }),
    ),
    row(
        "SetDeviceProperty",
        Device,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": "whole", "Items": r#"{"Brightness":1}"# }),
    ),
    row(
        "SetDevicesProperty",
        Devices,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": ["whole"], "Items": r#"{"Brightness":2}"# }),
    ),
    row("Pub", DeviceOfTopic, Other, |_| {
        let topic = format!("/{PRODUCT}/whole/user/get");
        json!({ "ProductKey": PRODUCT, "TopicFullName": topic, "MessageContent": HELLO })
    }),
    row("PubBroadcast", Product, Other, |_| {
        let topic = format!("/broadcast/{PRODUCT}/all");
        json!({ "ProductKey": PRODUCT, "TopicFullName": topic, "MessageContent": HELLO })
    }),
    row(
        "RRpc",
        Device,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": "whole", "RequestBase64Byte": HELLO, "Timeout": 8000 }),
    ),
    row(
        "AsyncRRpc",
        Device,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": "whole", "MessageContent": HELLO }),
    ),
    row(
        "CreateFleetCall",
        Devices,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": ["whole"], "Identifier": SERVICE.0, "Args": SERVICE.1 }),
    ),
    row(
        "CancelFleetCall",
        AllProducts,
        Other,
        |bench| json!({ "FleetCallId": bench.fleet_call(&["whole", "past"], 1) }),
    ),
];
