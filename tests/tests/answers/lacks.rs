//! What the models of the official SDK have and answers lack, and why.
//!
//! **Invariant:** each is lacked still: one that an answer has must go from this list.

/// What every answer lacks that is a success: the code and the words of failures.
const OF_FAILURES: [&str; 2] = ["Code", "ErrorMessage"];

/// An action, a member of its answer, and why it is not there.
const LACKS: &[(&str, &str, &str)] = &[
    ("QueryDeviceDetail", "Data.FirmwareVersion", "what a device says of its firmware is not kept"),
    ("BatchQueryDeviceDetail", "Data.Data.FirmwareVersion", "what a device says of its firmware is not kept"),
    ("QueryDevice", "Data.DeviceInfo.DeviceType", "of a device of the platform's own kinds"),
    ("QueryDevice", "Data.DeviceInfo.GmtModified", "when a device was changed last is not kept"),
    ("QueryDevice", "Data.DeviceInfo.UtcModified", "when a device was changed last is not kept"),
    ("QueryDeviceByStatus", "Data.SimpleDeviceInfo.GmtModified", "when a device was changed last is not kept"),
    ("QueryDeviceByStatus", "Data.SimpleDeviceInfo.UtcModified", "when a device was changed last is not kept"),
    ("BatchCheckDeviceNames", "Data.InvalidDetailList", "of a batch with names that are none"),
    ("BatchCheckDeviceNames", "Data.InvalidDeviceNameList", "of a batch with names that are none"),
    ("BatchCheckDeviceNames", "Data.InvalidDeviceNicknameList", "of a batch with names that are none"),
    ("BatchCheckDeviceNames", "Data.RepeatedDeviceNameList", "of a batch with names that are named twice"),
    ("QueryProduct", "Data.CategoryKey", "there are no categories"),
    ("QueryProduct", "Data.CategoryName", "there are no categories"),
    ("QueryProduct", "Data.ProductSecret", "a product has one where its devices may come for their own"),
    ("QueryProduct", "Data.ProtocolType", "of gateways, which are not here"),
    ("RegisterDevice", "Data.DevEui", "of LoRaWAN, which is not here"),
    ("RegisterDevice", "Data.JoinEui", "of LoRaWAN, which is not here"),
    (
        "CreateProduct",
        "Data.ProductSecret",
        "a product has one where its devices may come for their own, and this one is new",
    ),
    ("CreateProduct", "Data.ProtocolType", "of gateways, which are not here"),
    ("GetThingModelTsl", "Data.TslUri", "the text itself is answered, whatever its length"),
    ("GetThingModelTslPublished", "Data.TslUri", "the text itself is answered, whatever its length"),
    ("QueryConsumerGroupStatus", "LastConsumerTime", "nothing was consumed yet"),
    ("QuerySubscribeRelation", "MnsConfiguration", "there is no Message Service here"),
    ("QuerySubscribeRelation", "SubscribeFlags", "the ten flags say it"),
];

/// What the answer of an action lacks that succeeds.
pub(crate) fn of(action: &str) -> Vec<&'static str> {
    let mut all: Vec<_> = LACKS.iter().filter(|(of, ..)| *of == action).map(|(_, member, _)| *member).collect();
    all.extend(OF_FAILURES);
    all.sort_unstable();
    all
}
