//! Faults of consumer groups and subscriptions.

use serde_json::{Value, json};

use super::super::bench::Bench;
use super::{Entry, Fault, ILLEGAL, long, malformed, missing, of, too_many, unknown};

const FLAGS: [&str; 10] = [
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

pub(super) fn entries(bench: &Bench) -> Vec<Entry> {
    let nobody = || "A".repeat(26);
    let id = |missing: Fault| {
        [missing, malformed("x", ILLEGAL, "DEFAULT_GROUP"), unknown(nobody(), ILLEGAL, "consumer group AAAA")]
    };
    let name = |missing: Fault| {
        [missing, malformed("a group", ILLEGAL, "letters, digits"), too_many(long(31), ILLEGAL, "4 to 30")]
    };
    let kind = || [malformed("MNS", ILLEGAL, "AMQP"), malformed("MQTT", ILLEGAL, "AMQP")];
    let eleven: Value = (0..11).map(|_| json!(bench.group())).collect();
    let mut all = vec![
        of("*", "GroupId", id(missing("MissingGroupId"))),
        of("*", "ConsumerGroupId", id(missing("MissingConsumerGroupId"))),
        of(
            "*",
            "ConsumerGroupIds",
            [
                missing(ILLEGAL),
                malformed(json!(["x"]), ILLEGAL, "DEFAULT_GROUP"),
                unknown(json!([nobody()]), ILLEGAL, "consumer group AAAA"),
                too_many(eleven, ILLEGAL, "10 are allowed"),
            ],
        ),
        of("CreateConsumerGroup", "GroupName", name(missing("MissingGroupName"))),
        of("UpdateConsumerGroup", "NewGroupName", name(missing("MissingNewGroupName"))),
        of(
            "QueryConsumerGroupList",
            "Fuzzy",
            [malformed("perhaps", ILLEGAL, "true or false"), malformed(true, ILLEGAL, "GroupName is missing")],
        ),
        of("CreateSubscribeRelation QuerySubscribeRelation DeleteSubscribeRelation", "Type", kind()),
        of("UpdateSubscribeRelation", "Type", [vec![missing("MissingType")], kind().to_vec()].concat()),
    ];
    // Each row has one that is true, without which there is none.
    for flag in FLAGS {
        all.push(of("*", flag, [malformed("perhaps", ILLEGAL, "true or false")]));
    }
    let none = || [missing(ILLEGAL), malformed("perhaps", ILLEGAL, "true or false")];
    all.push(of("CreateSubscribeRelation", "DeviceDataFlag", none()));
    all.push(of("UpdateSubscribeRelation", "OtaJobFlag", none()));
    all
}
