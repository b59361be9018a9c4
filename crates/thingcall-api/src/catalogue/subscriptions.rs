//! Actions of consumer groups and subscriptions.

use thingcall_core::{ActionGroup, ActionSheet, Need, ParamKind, ParamSheet, both};

use super::common::{CURRENT_PAGE, PRODUCT_KEY, TEXT, page_size};
use super::sheet;

const GROUP_ID: ParamSheet =
    ParamSheet::required("GroupId", TEXT, both("The consumer group", "消费组 ID"), "DEFAULT_GROUP");

const CONSUMER_GROUP_ID: ParamSheet = ParamSheet { name: "ConsumerGroupId", ..GROUP_ID };

const GROUP_IDS: ParamSheet = ParamSheet::required(
    "ConsumerGroupIds",
    ParamKind::Texts { count_max: 10 },
    both("The consumer groups that get it, up to 10", "消费组 ID，最多 10 个"),
    "DEFAULT_GROUP",
);

const NAME: ParamKind = ParamKind::Text { characters_max: Some(30) };

const TYPE: ParamSheet = ParamSheet::optional(
    "Type",
    ParamKind::Choice(&[("AMQP", both("a consumer group", "消费组"))]),
    both("How it is told; AMQP alone", "订阅类型，仅支持 AMQP"),
    "AMQP",
);

/// At least one of them must be true.
const FLAGS: &[&str] = &[
    "DeviceDataFlag",
    "DeviceStatusChangeFlag",
    "DeviceLifeCycleFlag",
    "DeviceTopoLifeCycleFlag",
    "FoundDeviceListFlag",
    "ThingHistoryFlag",
    "DeviceTagFlag",
    "OtaEventFlag",
    "OtaVersionFlag",
    "OtaJobFlag",
];

const fn flag(name: &'static str, en: &'static str, zh: &'static str) -> ParamSheet {
    ParamSheet { need: Need::Unless(FLAGS), ..ParamSheet::optional(name, ParamKind::Flag, both(en, zh), "true") }
}

const WITH_FLAGS: [ParamSheet; 13] = [
    PRODUCT_KEY,
    TYPE,
    flag("DeviceDataFlag", "What devices report and answer", "设备上报消息"),
    flag("DeviceStatusChangeFlag", "That they connect and leave", "设备状态变化"),
    flag("DeviceLifeCycleFlag", "That they are registered, disabled, removed", "设备生命周期变更"),
    flag("DeviceTopoLifeCycleFlag", "Sub-devices, of which there are none here", "设备拓扑关系变更（此处没有）"),
    flag(
        "FoundDeviceListFlag",
        "Sub-devices that were found, of which there are none here",
        "网关发现子设备（此处没有）",
    ),
    flag("ThingHistoryFlag", "What they report belatedly", "物模型历史数据上报"),
    flag("DeviceTagFlag", "That their tags change", "设备标签变更"),
    flag("OtaEventFlag", "Updates of firmware, of which there are none here", "OTA 升级状态（此处没有）"),
    flag("OtaVersionFlag", "Versions of firmware, of which there are none here", "OTA 模块版本号上报（此处没有）"),
    flag("OtaJobFlag", "Batches of such updates, of which there are none here", "OTA 升级批次状态（此处没有）"),
    GROUP_IDS,
];

const fn with_type(type_is: Need) -> [ParamSheet; 13] {
    let mut all = WITH_FLAGS;
    all[1] = ParamSheet { need: type_is, ..TYPE };
    all
}

const CREATE: [ParamSheet; 13] = with_type(Need::Never);
const UPDATE: [ParamSheet; 13] = with_type(Need::Always);

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "CreateConsumerGroup",
        ActionGroup::ConsumerGroups,
        both("Makes a consumer group.", "创建消费组。"),
        &[ParamSheet::required(
            "GroupName",
            NAME,
            both("4 to 30 letters, digits and signs", "名称，4～30 个字符"),
            "my-group",
        )],
    ),
    sheet(
        "UpdateConsumerGroup",
        ActionGroup::ConsumerGroups,
        both("Gives a consumer group another name.", "修改消费组名称。"),
        &[
            GROUP_ID,
            ParamSheet::required(
                "NewGroupName",
                NAME,
                both("4 to 30 letters, digits and signs", "新名称，4～30 个字符"),
                "my-group",
            ),
        ],
    ),
    sheet(
        "QueryConsumerGroupList",
        ActionGroup::ConsumerGroups,
        both("Lists consumer groups.", "查询消费组列表。"),
        &[
            CURRENT_PAGE,
            page_size(1000),
            ParamSheet::optional(
                "Fuzzy",
                ParamKind::Flag,
                both("Those alone whose name has GroupName in it", "按名称模糊查询"),
                "false",
            ),
            ParamSheet::optional(
                "GroupName",
                TEXT,
                both("A part of names, with Fuzzy", "名称的一部分，配合 Fuzzy"),
                "my",
            ),
        ],
    ),
    sheet(
        "QueryConsumerGroupByGroupId",
        ActionGroup::ConsumerGroups,
        both("Reads a consumer group.", "查询消费组详情。"),
        &[GROUP_ID],
    ),
    sheet(
        "QueryConsumerGroupStatus",
        ActionGroup::ConsumerGroups,
        both("What waits for a consumer group, and who consumes.", "查询消费组的堆积和在线客户端。"),
        &[GROUP_ID],
    ),
    sheet(
        "ResetConsumerGroupPosition",
        ActionGroup::ConsumerGroups,
        both("Drops what waits for a consumer group.", "清空消费组的堆积消息。"),
        &[GROUP_ID],
    ),
    sheet(
        "DeleteConsumerGroup",
        ActionGroup::ConsumerGroups,
        both("Removes a consumer group.", "删除消费组。"),
        &[GROUP_ID],
    ),
    sheet(
        "CreateSubscribeRelation",
        ActionGroup::Subscriptions,
        both("Subscribes a product: what of it goes to which consumer groups.", "创建产品的服务端订阅。"),
        &CREATE,
    ),
    sheet(
        "UpdateSubscribeRelation",
        ActionGroup::Subscriptions,
        both(
            "Says anew what of a product goes to whom: what is not given is false.",
            "修改产品的服务端订阅：未传的标志视为 false。",
        ),
        &UPDATE,
    ),
    sheet(
        "QuerySubscribeRelation",
        ActionGroup::Subscriptions,
        both("Reads what of a product goes to which consumer groups.", "查询产品的服务端订阅。"),
        &[PRODUCT_KEY, TYPE],
    ),
    sheet(
        "DeleteSubscribeRelation",
        ActionGroup::Subscriptions,
        both("Ends the subscription of a product.", "删除产品的服务端订阅。"),
        &[PRODUCT_KEY, TYPE],
    ),
    sheet(
        "CreateConsumerGroupSubscribeRelation",
        ActionGroup::Subscriptions,
        both("Lets a product's messages go to one more consumer group.", "为订阅增加一个消费组。"),
        &[PRODUCT_KEY, CONSUMER_GROUP_ID],
    ),
    sheet(
        "DeleteConsumerGroupSubscribeRelation",
        ActionGroup::Subscriptions,
        both("Lets a product's messages go to a consumer group no more.", "从订阅移除一个消费组。"),
        &[PRODUCT_KEY, CONSUMER_GROUP_ID],
    ),
];
