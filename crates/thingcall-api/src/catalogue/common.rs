//! Parameters that several actions read.

use thingcall_core::{ParamKind, ParamSheet, both};

/// A text without a limit of its own.
pub(super) const TEXT: ParamKind = ParamKind::Text { characters_max: None };

pub(super) const PRODUCT_KEY: ParamSheet =
    ParamSheet::required("ProductKey", TEXT, both("The product", "产品的 ProductKey"), "myProduct");

/// Of a device that may be named by its IotId instead.
pub(super) const PRODUCT_KEY_OR_ID: ParamSheet = PRODUCT_KEY.unless(&["IotId"]);

pub(super) const DEVICE_NAME: ParamSheet =
    ParamSheet::required("DeviceName", TEXT, both("The device", "设备的 DeviceName"), "dev1");

pub(super) const DEVICE_NAME_OR_ID: ParamSheet = DEVICE_NAME.unless(&["IotId"]);

pub(super) const IOT_ID: ParamSheet = ParamSheet::optional(
    "IotId",
    TEXT,
    both("The device by its id, in place of ProductKey and DeviceName", "设备 ID，可代替 ProductKey 和 DeviceName"),
    "Q7uOhVRdZRRlDnTLv6GP000100",
);

/// A device by its product and name.
pub(super) const OF_DEVICE: [ParamSheet; 3] = [PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID];

pub(super) const DEVICE_NAMES: ParamSheet = ParamSheet::required(
    "DeviceName",
    ParamKind::Texts { count_max: 100 },
    both("The devices, up to 100", "设备的 DeviceName，最多 100 个"),
    "dev1",
);

pub(super) const QOS: ParamSheet = ParamSheet::optional(
    "Qos",
    ParamKind::Choice(&[("0", both("at most once", "最多一次")), ("1", both("at least once", "至少一次"))]),
    both("How it is sent to the device; 0 if not given", "下发给设备的 QoS，默认 0"),
    "0",
);

pub(super) const CURRENT_PAGE: ParamSheet = ParamSheet::optional(
    "CurrentPage",
    ParamKind::Whole { min: 1, max: i64::MAX },
    both("Which page, counted from 1", "页码，从 1 开始"),
    "1",
);

pub(super) const PAGE_SIZE: ParamSheet = page_size(50);

/// How many a page shows.
pub(super) const fn page_size(max: i64) -> ParamSheet {
    let about = both("How many a page shows", "每页数量");
    ParamSheet::optional("PageSize", ParamKind::Whole { min: 1, max }, about, "10")
}

pub(super) const START_TIME: ParamSheet = ParamSheet::required(
    "StartTime",
    ParamKind::Millis,
    both("From when on, in milliseconds since 1970", "开始时间，毫秒时间戳"),
    "1764547200000",
);

pub(super) const END_TIME: ParamSheet = ParamSheet::required(
    "EndTime",
    ParamKind::Millis,
    both("Until when, in milliseconds since 1970", "结束时间，毫秒时间戳"),
    "4102444800000",
);

pub(super) const ASC: ParamSheet = ParamSheet::optional(
    "Asc",
    ParamKind::Choice(&[("0", both("the newest first", "倒序")), ("1", both("the oldest first", "正序"))]),
    both("In which order; 0 if not given", "排序方式，默认 0"),
    "0",
);

pub(super) const FUNCTION_BLOCK_ID: ParamSheet = ParamSheet::optional(
    "FunctionBlockId",
    TEXT,
    both("A custom module of the thing model; the default one if not given", "自定义模块标识符，不传则为默认模块"),
    "myModule",
);

pub(super) const FUNCTION_BLOCK_NAME: ParamSheet = ParamSheet::optional(
    "FunctionBlockName",
    TEXT,
    both("What that module is called; a new one must have a name", "自定义模块名称，新增模块时必填"),
    "My module",
);

pub(super) const MODEL_VERSION: ParamSheet = ParamSheet::optional(
    "ModelVersion",
    TEXT,
    both("A version of the model; the one in force if not given", "物模型版本号，不传则为当前版本"),
    "1.0.0",
);
