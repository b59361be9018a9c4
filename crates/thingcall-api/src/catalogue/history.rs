//! Actions that tell what devices reported, and what they were called.

use thingcall_core::{ActionGroup, ActionSheet, ParamKind, ParamSheet, both};

use super::common::{
    ASC, DEVICE_NAME_OR_ID, END_TIME, FUNCTION_BLOCK_ID, IOT_ID, PAGE_SIZE, PRODUCT_KEY_OR_ID, START_TIME, TEXT,
    page_size,
};
use super::sheet;

const SERVICE: ParamSheet = ParamSheet::optional(
    "Identifier",
    TEXT,
    both("A service; all if not given", "服务标识符，不传则为全部服务"),
    "myModule:myService",
);

const PROPERTY: ParamSheet =
    ParamSheet::required("Identifier", TEXT, both("The property", "属性标识符"), "LightSwitch");

const PROPERTIES: ParamSheet = ParamSheet {
    kind: ParamKind::Texts { count_max: 10 },
    ..PROPERTY.saying("The properties, up to 10", "属性标识符，最多 10 个")
};

const EVENT: ParamSheet = ParamSheet::optional(
    "Identifier",
    TEXT,
    both("An event; all if not given", "事件标识符，不传则为全部事件"),
    "Overheat",
);

const EVENT_TYPE: ParamSheet = ParamSheet::optional(
    "EventType",
    ParamKind::Choice(&[
        ("info", both("information", "信息")),
        ("alert", both("alert", "告警")),
        ("error", both("error", "故障")),
    ]),
    both("Events of this kind alone", "事件类型"),
    "alert",
);

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "QueryDevicePropertyStatus",
        ActionGroup::History,
        both("The properties of a module with their last values.", "查询设备属性的最新值。"),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, FUNCTION_BLOCK_ID],
    ),
    sheet(
        "QueryDevicePropertyData",
        ActionGroup::History,
        both("What a property was.", "查询设备单个属性的历史数据。"),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, PROPERTY, START_TIME, END_TIME, ASC, PAGE_SIZE],
    ),
    sheet(
        "QueryDevicePropertiesData",
        ActionGroup::History,
        both("What several properties were.", "查询设备多个属性的历史数据。"),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, PROPERTIES, START_TIME, END_TIME, ASC, page_size(100)],
    ),
    sheet(
        "QueryDeviceEventData",
        ActionGroup::History,
        both("What happened at a device.", "查询设备的历史事件。"),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, EVENT, EVENT_TYPE, START_TIME, END_TIME, ASC, PAGE_SIZE],
    ),
    sheet(
        "QueryDeviceServiceData",
        ActionGroup::History,
        both(
            "The calls of a device's services with what they were given and answered, as far as they are kept.",
            "查询设备服务的历史调用（入参和结果），以保留的记录为准。",
        ),
        &[PRODUCT_KEY_OR_ID, DEVICE_NAME_OR_ID, IOT_ID, SERVICE, START_TIME, END_TIME, ASC, PAGE_SIZE],
    ),
    sheet(
        "QueryDeviceOriginalServiceData",
        ActionGroup::History,
        both(
            "The calls of a device's services, with pages by NextPageToken.",
            "查询设备服务的历史调用，用 NextPageToken 翻页。",
        ),
        &[
            PRODUCT_KEY_OR_ID,
            DEVICE_NAME_OR_ID,
            IOT_ID,
            SERVICE,
            START_TIME,
            END_TIME,
            ASC,
            PAGE_SIZE,
            ParamSheet::optional(
                "NextPageToken",
                TEXT,
                both("That of the page before", "上一页返回的 NextPageToken"),
                "1764547200000j1",
            ),
        ],
    ),
];
