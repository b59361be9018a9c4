//! Actions that send messages of an application's own.

use thingcall_core::{ActionGroup, ActionSheet, ParamKind, ParamSheet, both};

use super::common::{DEVICE_NAME, PRODUCT_KEY, QOS, TEXT};
use super::sheet;

const CONTENT: ParamSheet = ParamSheet::required(
    "MessageContent",
    ParamKind::Base64 { bytes_max: 256 * 1024 },
    both("The message's bytes in Base64, up to 256 KiB", "消息内容的 Base64 编码，最大 256 KiB"),
    "aGVsbG8=",
);

const CONTENT_OF_MANY: ParamSheet = ParamSheet {
    kind: ParamKind::Base64 { bytes_max: 64 * 1024 },
    ..CONTENT.saying("The message's bytes in Base64, up to 64 KiB", "消息内容的 Base64 编码，最大 64 KiB")
};

const TOPIC: ParamSheet = ParamSheet::required(
    "TopicFullName",
    TEXT,
    both(
        "A topic that the device reads, or /broadcast/PRODUCTKEY/NAME of all that subscribed to it",
        "设备可订阅的 Topic，或广播 Topic：/broadcast/PRODUCTKEY/NAME",
    ),
    "/myProduct/dev1/user/get",
);

const ASKED_ON: ParamSheet = TOPIC.may_lack().saying(
    "A topic of the device's own to ask on: /PRODUCTKEY/DEVICENAME/user/...",
    "自定义 Topic：/PRODUCTKEY/DEVICENAME/user/...",
);

const CONTENT_TYPE: ParamSheet = ParamSheet::optional(
    "ContentType",
    TEXT,
    both("What the content is, for a device that speaks MQTT 5", "内容类型，供 MQTT 5 设备使用"),
    "application/json",
);

const BIT: ParamKind = ParamKind::Choice(&[("0", both("bytes", "字节")), ("1", both("text in UTF-8", "UTF-8 文本"))]);

const USER_PROP: &[ParamSheet] = &[
    ParamSheet::required("Key", TEXT, both("A name", "键"), "color"),
    ParamSheet::required("Value", TEXT, both("What it is", "值"), "red"),
];

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "Pub",
        ActionGroup::Messages,
        both("Publishes a message on a topic of a device.", "向设备的 Topic 发布消息。"),
        &[
            PRODUCT_KEY,
            TOPIC,
            CONTENT,
            DEVICE_NAME
                .may_lack()
                .saying("The device; if not given the one that the topic names", "设备，不传则取 Topic 中的设备"),
            QOS,
            CONTENT_TYPE,
            ParamSheet::optional(
                "PayloadFormatIndicator",
                BIT,
                both("What the bytes are, for MQTT 5", "内容格式，MQTT 5"),
                "1",
            ),
            ParamSheet::optional(
                "MessageExpiryInterval",
                ParamKind::Whole { min: 1, max: u32::MAX as i64 },
                both("After so many seconds it is of no use any more, for MQTT 5", "消息过期时间（秒），MQTT 5"),
                "60",
            ),
            ParamSheet::optional(
                "ResponseTopic",
                TEXT,
                both("Where an answer is to go, for MQTT 5", "响应 Topic，MQTT 5"),
                "/myProduct/dev1/user/update",
            ),
            ParamSheet::optional(
                "CorrelationData",
                ParamKind::Base64 { bytes_max: 256 * 1024 },
                both(
                    "Bytes by which an answer is told from others, in Base64, for MQTT 5",
                    "关联数据的 Base64 编码，MQTT 5",
                ),
                "MQ==",
            ),
            ParamSheet::optional(
                "UserProp",
                ParamKind::Structures { count_max: 20, members: USER_PROP },
                both("Names and values beside it, up to 20, for MQTT 5", "用户属性，最多 20 个，MQTT 5"),
                "",
            ),
        ],
    ),
    sheet(
        "PubBroadcast",
        ActionGroup::Messages,
        both(
            "Sends a message to the devices of a product: those that subscribed to a topic, or all that are connected.",
            "向产品下的设备广播消息：订阅了该 Topic 的设备，或全部在线设备。",
        ),
        &[
            PRODUCT_KEY,
            TOPIC
                .may_lack()
                .saying(
                    "/broadcast/PRODUCTKEY/NAME; without one it goes to all",
                    "/broadcast/PRODUCTKEY/NAME；不传则发给全部在线设备",
                )
                .such_as("/broadcast/myProduct/all"),
            CONTENT_OF_MANY,
        ],
    ),
    sheet(
        "RRpc",
        ActionGroup::Messages,
        both("Asks a device in bytes and waits for its answer.", "向设备发送请求消息，并同步等待应答。"),
        &[
            PRODUCT_KEY,
            DEVICE_NAME,
            ParamSheet::required(
                "RequestBase64Byte",
                ParamKind::Base64 { bytes_max: 256 * 1024 },
                both("The question's bytes in Base64, up to 256 KiB", "请求内容的 Base64 编码，最大 256 KiB"),
                "aGVsbG8=",
            ),
            ParamSheet::required(
                "Timeout",
                ParamKind::Whole { min: 1000, max: 8000 },
                both("How long it waits, in milliseconds", "等待应答的时间（毫秒）"),
                "8000",
            ),
            ParamSheet { name: "Topic", ..ASKED_ON },
            CONTENT_TYPE,
        ],
    ),
    sheet(
        "AsyncRRpc",
        ActionGroup::Messages,
        both(
            "Asks a device in bytes and does not wait: its answer is told as a message.",
            "向设备发送请求消息，不等待应答；应答以消息形式推送。",
        ),
        &[PRODUCT_KEY, DEVICE_NAME, CONTENT, ASKED_ON],
    ),
];
