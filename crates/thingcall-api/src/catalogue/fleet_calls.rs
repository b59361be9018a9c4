//! Actions of calls of many devices, which the platform does not have.

use thingcall_core::{ActionGroup, ActionSheet, ParamKind, ParamSheet, both};

use super::calls::{ARGS, IDENTIFIER};
use super::common::{CURRENT_PAGE, DEVICE_NAMES, PAGE_SIZE, PRODUCT_KEY, QOS, TEXT};
use super::sheet;

const ID: ParamSheet = ParamSheet::required(
    "FleetCallId",
    TEXT,
    both("The id that CreateFleetCall answered", "CreateFleetCall 返回的 ID"),
    "01JD8Q2ZJ5T4W7V9X3C6B8N1M0",
);

const DEVICES: ParamSheet = ParamSheet {
    kind: ParamKind::Texts { count_max: 1000 },
    ..DEVICE_NAMES.may_lack().saying(
        "The devices, up to 1,000; without any all of the product",
        "设备，最多 1000 个；不传则为产品下全部设备",
    )
};

const THOUSAND: ParamKind = ParamKind::Whole { min: 1, max: 1000 };

const OUTCOMES: ParamKind = ParamKind::Choice(&[
    ("SUCCEEDED", both("the device answered", "成功")),
    ("FAILED", both("it did not, or was not called", "失败")),
    ("UNKNOWN", both("nobody knows whether it was called", "未知")),
]);

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "CreateFleetCall",
        ActionGroup::FleetCalls,
        both("Has a service of many devices called.", "创建设备群调用：由服务端逐个调用大量设备的服务。"),
        &[
            PRODUCT_KEY,
            DEVICES,
            IDENTIFIER,
            ARGS,
            QOS,
            ParamSheet::optional(
                "CallsPerSecond",
                THOUSAND,
                both("How many calls begin a second; 50 if not given", "每秒发起的调用数，默认 50"),
                "50",
            ),
            ParamSheet::optional(
                "InFlight",
                THOUSAND,
                both("How many are under way at once; 100 if not given", "同时进行的调用数，默认 100"),
                "100",
            ),
        ],
    ),
    sheet(
        "QueryFleetCall",
        ActionGroup::FleetCalls,
        both("How far a call of many devices is.", "查询设备群调用的进度。"),
        &[ID],
    ),
    sheet(
        "QueryFleetCallList",
        ActionGroup::FleetCalls,
        both("Lists calls of many devices, the newest first.", "查询设备群调用列表，按创建时间倒序。"),
        &[CURRENT_PAGE, PAGE_SIZE],
    ),
    sheet(
        "QueryFleetCallDevices",
        ActionGroup::FleetCalls,
        both("What became of each device of such a call.", "查询每个设备的调用结果。"),
        &[
            ID,
            ParamSheet::optional("Outcome", OUTCOMES, both("Those alone that ended so", "只看该结果的设备"), "FAILED"),
            CURRENT_PAGE,
            PAGE_SIZE,
        ],
    ),
    sheet(
        "CancelFleetCall",
        ActionGroup::FleetCalls,
        both("Begins no further call of many; those under way end as they do.", "取消设备群调用，不再发起新的调用。"),
        &[ID],
    ),
];
