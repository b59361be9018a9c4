//! Faults of products, devices, batches of them, and of what devices reported.

use serde_json::{Value, json};

use super::{Entry, ILLEGAL, long, malformed, missing, names, of, too_many, unknown};

/// Of devices and of what they reported.
pub(super) fn entries() -> Vec<Entry> {
    const HISTORY: &str = "iot.device.QueryDeviceAttrDataHistoryFailed";
    const PROPS: &str = "iot.device.InvalidFormattedDevicePropertiesString";
    let tags: Value = (0..101).map(|at| (format!("t{at}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    vec![
        of("RegisterDevice", "Nickname", [too_many(long(65), ILLEGAL, "64 characters")]),
        of("*", "Status", [missing("MissingStatus"), malformed(2, ILLEGAL, "8 (disabled)")]),
        of("QueryDeviceStatistics", "GroupId", [malformed("g", ILLEGAL, "no device groups")]),
        of(
            "QueryDevicePropertyData",
            "Identifier",
            [missing("MissingIdentifier"), unknown("Gone", HISTORY, "no property \"Gone\"")],
        ),
        of(
            "QueryDevicePropertiesData",
            "Identifier",
            [
                missing(ILLEGAL),
                unknown(json!(["Brightness", "Gone"]), HISTORY, "no property \"Gone\""),
                too_many(names(11), ILLEGAL, "1 to 10"),
            ],
        ),
        of("QueryDeviceEventData", "Identifier", [unknown("Gone", ILLEGAL, "no event \"Gone\"")]),
        of("*", "EventType", [malformed("warn", ILLEGAL, "info, alert or error")]),
        of(
            "QueryDevicePropertyStatus",
            "FunctionBlockId",
            [
                malformed("a b", ILLEGAL, "FunctionBlockId"),
                unknown("nothing", "iot.device.QueryDeviceAttrStatusFailed", "no module nothing"),
            ],
        ),
        of(
            "SaveDeviceProp",
            "Props",
            [
                missing("iot.device.NullDevicePropertiesString"),
                malformed("[]", PROPS, "no JSON object"),
                malformed(r#"{"a":[]}"#, PROPS, "neither a text nor a number"),
                malformed(r#"{"":1}"#, "iot.device.InvalidFormattedDevicePropertyKey", "1 to 64"),
                malformed("{}", "iot.device.NoneDeviceProperties", "no tag"),
                too_many(tags.to_string(), "iot.device.TooManyDevicePropertiesPerTime", "100 are allowed"),
                too_many(json!({ "a": long(5120) }).to_string(), "iot.device.LongDevicePropertiesString", "5120"),
            ],
        ),
        of("DeleteDeviceProp", "PropKey", [missing("iot.device.NullDevicePropertyKey")]),
    ]
}

/// Of batches.
pub(super) fn batches() -> Vec<Entry> {
    const NAME: &str = "iot.device.InvalidFormattedDeviceName";
    const EXCEEDED: &str = "iot.device.DeviceCountExceeded";
    let listed = |names: &Value| -> Value {
        let names = names.as_array().expect("a list").iter();
        names.map(|name| json!({ "DeviceName": name })).collect()
    };
    let nickname = json!([{ "DeviceName": "a", "DeviceNickname": long(65) }]);
    vec![
        of(
            "BatchCheckDeviceNames",
            "DeviceName",
            [
                missing("iot.device.NoneDeviceNameElement"),
                malformed(json!(["a/b"]), NAME, "Data lists them"),
                malformed(json!(["a", "a"]), ILLEGAL, "named twice"),
                too_many(names(1001), EXCEEDED, "more than 1000"),
            ],
        ),
        of(
            "BatchCheckDeviceNames",
            "DeviceNameList",
            [
                malformed(listed(&json!(["a/b"])), NAME, "Data lists them"),
                malformed(nickname, NAME, "nicknames"),
                too_many(listed(&names(1001)), EXCEEDED, "more than 1000"),
            ],
        ),
        of(
            "BatchRegisterDevice",
            "Count",
            [
                missing("MissingCount"),
                malformed("some", EXCEEDED, "1 to 10000"),
                malformed(0, EXCEEDED, "1 to 10000"),
                too_many(10_001, EXCEEDED, "1 to 10000"),
            ],
        ),
        of(
            "*",
            "ApplyId",
            [
                missing("iot.device.NullApplyId"),
                malformed("x", "iot.device.InvalidFormattedApplyId", "BatchCheckDeviceNames"),
                unknown(999_999_999, "iot.device.DeviceApplyIsNotFound", "there is no batch 999999999"),
            ],
        ),
    ]
}

/// Of products.
pub(super) fn products() -> Vec<Entry> {
    let described = || [too_many(long(101), "iot.prod.LongProductDesc", "100 characters")];
    vec![
        of("*", "ProductName", [missing("MissingProductName"), too_many(long(31), ILLEGAL, "30 characters")]),
        of("*", "NodeType", [missing("MissingNodeType"), malformed(1, ILLEGAL, "right is 0")]),
        of("*", "DataFormat", [malformed(9, ILLEGAL, "1 or 0")]),
        of("*", "ValidateType", [malformed(9, ILLEGAL, "1 or 2")]),
        of("*", "NetType", [malformed("ZIGBEE", ILLEGAL, "CELLULAR")]),
        of("CreateProduct UpdateProduct", "Description", described()),
        of(
            "CreateProduct QueryProductList",
            "AliyunCommodityCode",
            [malformed("iot", "iot.prod.InvalidAliyunCommodityCode", "iothub_senior or iothub")],
        ),
    ]
}
