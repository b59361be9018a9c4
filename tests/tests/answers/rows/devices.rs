//! Actions of devices.

use serde_json::{Value, json};
use thingcall_tests::PRODUCT;

use super::super::bench::Bench;
use super::About::{AllProducts, Device, Devices, DevicesOrIds, NewDevice, Product};
use super::Again::{Other, Same};
use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row(
        "RegisterDevice",
        NewDevice,
        Other,
        |bench| json!({ "ProductKey": PRODUCT, "DeviceName": bench.fresh("new"), "Nickname": "n" }),
    ),
    row("QueryDeviceDetail", Device, Same, past),
    row("BatchQueryDeviceDetail", Devices, Same, |_| json!({ "ProductKey": PRODUCT, "DeviceName": ["past"] })),
    row("QueryDevice", Product, Same, |_| json!({ "ProductKey": PRODUCT, "CurrentPage": 1, "PageSize": 2 })),
    row(
        "QueryDeviceByStatus",
        Product,
        Same,
        |_| json!({ "ProductKey": PRODUCT, "Status": 1, "CurrentPage": 1, "PageSize": 10 }),
    ),
    row("QueryDeviceStatistics", Product, Same, |_| json!({ "ProductKey": PRODUCT })),
    row(
        "BatchCheckDeviceNames",
        Product,
        Other,
        |bench| json!({ "ProductKey": PRODUCT, "DeviceName": [bench.fresh("checked")] }),
    ),
    row("BatchRegisterDevice", Product, Other, |_| json!({ "ProductKey": PRODUCT, "Count": 1 })),
    row(
        "BatchRegisterDeviceWithApplyId",
        Product,
        Other,
        |bench| json!({ "ProductKey": PRODUCT, "ApplyId": bench.batch() }),
    ),
    row(
        "QueryBatchRegisterDeviceStatus",
        Product,
        Same,
        |bench| json!({ "ProductKey": PRODUCT, "ApplyId": bench.refused_batch }),
    ),
    row(
        "QueryPageByApplyId",
        AllProducts,
        Same,
        |bench| json!({ "ApplyId": bench.made_batch, "CurrentPage": 1, "PageSize": 10 }),
    ),
    row(
        "SaveDeviceProp",
        Device,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": "whole", "Props": r#"{"size":"large"}"# }),
    ),
    row("QueryDeviceProp", Device, Same, past),
    row(
        "DeleteDeviceProp",
        Device,
        Other,
        |_| json!({ "ProductKey": PRODUCT, "DeviceName": "whole", "PropKey": "size" }),
    ),
    row("GetDeviceStatus", Device, Same, past),
    row("BatchGetDeviceState", DevicesOrIds, Same, |_| json!({ "ProductKey": PRODUCT, "DeviceName": ["past"] })),
    row("QueryDevicePropertyStatus", Device, Same, past),
    row("QueryDevicePropertyData", Device, Same, |bench| with_time(bench, &json!({ "Identifier": "Brightness" }))),
    row("QueryDevicePropertiesData", Device, Same, |bench| {
        with_time(bench, &json!({ "Identifier": ["Brightness", "LightSwitch"] }))
    }),
    row("QueryDeviceEventData", Device, Same, |bench| with_time(bench, &json!({ "EventType": "alert" }))),
    row("DisableThing", Device, Other, registered),
    row("EnableThing", Device, Other, registered),
    row("DeleteDevice", Device, Other, registered),
];

/// The device with a past.
fn past(_: &Bench) -> Value {
    json!({ "ProductKey": PRODUCT, "DeviceName": "past" })
}

/// The same, of all times, one on a page.
pub(super) fn with_time(bench: &Bench, more: &Value) -> Value {
    let mut params = past(bench);
    params["StartTime"] = json!(1);
    params["EndTime"] = json!(9_999_999_999_999_u64);
    params["PageSize"] = json!(1);
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

/// A device of its own.
fn registered(bench: &Bench) -> Value {
    json!({ "ProductKey": PRODUCT, "DeviceName": bench.device_of(PRODUCT) })
}
