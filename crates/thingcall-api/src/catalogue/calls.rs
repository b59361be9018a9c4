//! Actions that call services of devices and set their properties.

use thingcall_core::{ActionGroup, ActionSheet, ParamKind, ParamSheet, both};

use super::common::{DEVICE_NAME_OR_ID, DEVICE_NAMES, IOT_ID, PRODUCT_KEY, PRODUCT_KEY_OR_ID, QOS, TEXT};
use super::sheet;

pub(super) const IDENTIFIER: ParamSheet = ParamSheet::required(
    "Identifier",
    TEXT,
    both("The service; one of a custom module is written module:service", "服务标识符；自定义模块的服务写作 模块:服务"),
    "myModule:myService",
);

pub(super) const ARGS: ParamSheet = ParamSheet::required(
    "Args",
    ParamKind::Json,
    both(
        "The service's inputs as a JSON object; {} where it has none. A float or double is written with its point: 10.0",
        "服务入参，JSON 对象；无入参时传 {}。float、double 必须带小数点：10.0",
    ),
    r#"{"param1":1}"#,
);

const ITEMS: ParamSheet = ParamSheet::required(
    "Items",
    ParamKind::Json,
    both(
        "The properties and their values as a JSON object; one of a custom module is written module:property",
        "属性及其值，JSON 对象；自定义模块的属性写作 模块:属性",
    ),
    r#"{"LightSwitch":1}"#,
);

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "InvokeThingService",
        ActionGroup::Calls,
        both(
            "Calls a service of a device. A synchronous one answers with the device's result, an asynchronous one with its MessageId.",
            "调用设备的服务。同步服务返回设备的结果，异步服务返回 MessageId。",
        ),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, IDENTIFIER, ARGS, QOS],
    ),
    sheet(
        "InvokeThingsService",
        ActionGroup::Calls,
        both("Calls a service of up to 100 devices, asynchronously.", "批量调用设备的服务，最多 100 个设备，异步。"),
        &[PRODUCT_KEY, DEVICE_NAMES, IDENTIFIER, ARGS, QOS],
    ),
    sheet(
        "SetDeviceProperty",
        ActionGroup::Calls,
        both("Sets properties of a device, asynchronously.", "设置设备的属性，异步。"),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, ITEMS, QOS],
    ),
    sheet(
        "SetDevicesProperty",
        ActionGroup::Calls,
        both("Sets properties of up to 100 devices, asynchronously.", "批量设置设备的属性，最多 100 个设备，异步。"),
        &[PRODUCT_KEY, DEVICE_NAMES, ITEMS, QOS],
    ),
];
