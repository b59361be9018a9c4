//! Actions of devices and of batches of them.

use thingcall_core::{ActionGroup, ActionSheet, ParamKind, ParamSheet, both};

use super::common::{
    CURRENT_PAGE, DEVICE_NAME, DEVICE_NAME_OR_ID, DEVICE_NAMES, IOT_ID, OF_DEVICE, PAGE_SIZE, PRODUCT_KEY,
    PRODUCT_KEY_OR_ID, TEXT,
};
use super::sheet;

const NICKNAME: ParamKind = ParamKind::Text { characters_max: Some(64) };

const OR_ALL: ParamSheet = PRODUCT_KEY.may_lack().saying("The product; all if not given", "产品，不传则为全部产品");

const STATUS: ParamKind = ParamKind::Choice(&[
    ("0", both("never connected", "未激活")),
    ("1", both("online", "在线")),
    ("3", both("offline", "离线")),
    ("8", both("disabled", "禁用")),
]);

const APPLY_ID: ParamSheet =
    ParamSheet::required("ApplyId", ParamKind::Whole { min: 1, max: i64::MAX }, both("The batch", "申请批次 ID"), "1");

const NAMED: &[ParamSheet] = &[
    DEVICE_NAME.saying("Its name", "设备名称"),
    ParamSheet::optional("DeviceNickname", NICKNAME, both("What people call it", "备注名称"), "kitchen"),
];

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "RegisterDevice",
        ActionGroup::Devices,
        both("Registers a device.", "注册设备。"),
        &[
            PRODUCT_KEY,
            DEVICE_NAME.may_lack().saying("Its name; one is made up if not given", "设备名称，不传则自动生成"),
            ParamSheet::optional(
                "Nickname",
                NICKNAME,
                both("What people call it, up to 64 characters", "备注名称，最多 64 个字符"),
                "kitchen",
            ),
        ],
    ),
    sheet(
        "QueryDeviceDetail",
        ActionGroup::Devices,
        both("Everything that is known of a device, its secret too.", "查询设备详情，包括 DeviceSecret。"),
        &OF_DEVICE,
    ),
    sheet(
        "BatchQueryDeviceDetail",
        ActionGroup::Devices,
        both(
            "Everything that is known of up to 100 devices; those that do not exist are left out.",
            "批量查询设备详情，最多 100 个；不存在的设备不返回。",
        ),
        &[PRODUCT_KEY, DEVICE_NAMES],
    ),
    sheet(
        "QueryDevice",
        ActionGroup::Devices,
        both("Lists a product's devices.", "查询产品下的设备列表。"),
        &[
            PRODUCT_KEY,
            CURRENT_PAGE,
            PAGE_SIZE,
            ParamSheet::optional(
                "NextToken",
                TEXT,
                both(
                    "That of the page before; without it lists end at 10,000 devices",
                    "上一页返回的 NextToken；不传最多查 10000 个",
                ),
                "",
            ),
        ],
    ),
    sheet(
        "QueryDeviceByStatus",
        ActionGroup::Devices,
        both("Lists the devices of one status.", "按状态查询设备列表。"),
        &[
            OR_ALL,
            ParamSheet::required("Status", STATUS, both("Which status", "设备状态"), "1"),
            CURRENT_PAGE,
            PAGE_SIZE,
        ],
    ),
    sheet(
        "QueryDeviceStatistics",
        ActionGroup::Devices,
        both("How many devices there are, were ever connected and are.", "查询设备总数、激活数和在线数。"),
        &[OR_ALL],
    ),
    sheet(
        "GetDeviceStatus",
        ActionGroup::Devices,
        both("Whether a device is connected.", "查询设备状态。"),
        &OF_DEVICE,
    ),
    sheet(
        "BatchGetDeviceState",
        ActionGroup::Devices,
        both("Whether up to 50 devices are connected.", "批量查询设备状态，最多 50 个。"),
        &[
            PRODUCT_KEY_OR_ID,
            ParamSheet { kind: ParamKind::Texts { count_max: 50 }, ..DEVICE_NAMES }
                .unless(&["IotId"])
                .saying("The devices, up to 50", "设备的 DeviceName，最多 50 个"),
            ParamSheet { kind: ParamKind::Texts { count_max: 50 }, ..IOT_ID },
        ],
    ),
    sheet(
        "SaveDeviceProp",
        ActionGroup::Devices,
        both("Adds or changes tags of a device.", "新增或修改设备标签。"),
        &[
            PRODUCT_KEY_OR_ID,
            DEVICE_NAME_OR_ID,
            IOT_ID,
            ParamSheet::required(
                "Props",
                ParamKind::Json,
                both("Tags and their values as a JSON object, up to 5 KiB", "标签，JSON 对象，最大 5 KiB"),
                r#"{"color":"red"}"#,
            ),
        ],
    ),
    sheet("QueryDeviceProp", ActionGroup::Devices, both("Reads a device's tags.", "查询设备标签。"), &OF_DEVICE),
    sheet(
        "DeleteDeviceProp",
        ActionGroup::Devices,
        both("Takes a tag away from a device.", "删除设备标签。"),
        &[
            PRODUCT_KEY_OR_ID,
            DEVICE_NAME_OR_ID,
            IOT_ID,
            ParamSheet::required("PropKey", TEXT, both("The tag", "标签的键"), "color"),
        ],
    ),
    sheet(
        "DisableThing",
        ActionGroup::Devices,
        both("Keeps a device from connecting and being called.", "禁用设备，断开其连接。"),
        &OF_DEVICE,
    ),
    sheet(
        "EnableThing",
        ActionGroup::Devices,
        both("Lets a device connect and be called again.", "启用设备。"),
        &OF_DEVICE,
    ),
    sheet("DeleteDevice", ActionGroup::Devices, both("Forgets a device.", "删除设备。"), &OF_DEVICE),
    sheet(
        "BatchCheckDeviceNames",
        ActionGroup::Batches,
        both("Makes a batch of up to 1,000 devices by their names.", "按名称申请批量注册设备，最多 1000 个。"),
        &[
            PRODUCT_KEY,
            ParamSheet { kind: ParamKind::Texts { count_max: 1000 }, ..DEVICE_NAMES }
                .unless(&["DeviceNameList"])
                .saying("Their names", "设备名称"),
            ParamSheet::optional(
                "DeviceNameList",
                ParamKind::Structures { count_max: 1000, members: NAMED },
                both("Their names with nicknames, in place of DeviceName", "设备名称和备注名称，可代替 DeviceName"),
                "",
            ),
        ],
    ),
    sheet(
        "BatchRegisterDevice",
        ActionGroup::Batches,
        both("Registers up to 10,000 devices whose names are made up.", "批量注册设备，名称自动生成，最多 10000 个。"),
        &[
            PRODUCT_KEY,
            ParamSheet::required("Count", ParamKind::Whole { min: 1, max: 10_000 }, both("How many", "设备数量"), "10"),
        ],
    ),
    sheet(
        "BatchRegisterDeviceWithApplyId",
        ActionGroup::Batches,
        both("Registers a batch that was checked.", "注册申请批次中的设备。"),
        &[PRODUCT_KEY, APPLY_ID],
    ),
    sheet(
        "QueryBatchRegisterDeviceStatus",
        ActionGroup::Batches,
        both("What became of a batch.", "查询申请批次的结果。"),
        &[PRODUCT_KEY, APPLY_ID],
    ),
    sheet(
        "QueryPageByApplyId",
        ActionGroup::Batches,
        both(
            "Lists the devices that a batch registered, with their secrets.",
            "查询批次注册的设备列表，包括 DeviceSecret。",
        ),
        &[APPLY_ID, CURRENT_PAGE, PAGE_SIZE],
    ),
];
