//! Parameters that can have no fault, and why.

/// Those that are read: actions, a parameter, and the reason.
const READ: &[(&str, &str, &str)] = &[
    ("*", "ContentType", "a text that is handed on"),
    ("Pub", "ResponseTopic", "a text that is handed on"),
    ("ImportThingModelTsl CreateThingModel UpdateThingModel", "FunctionBlockName", "a name for people"),
    ("DeleteDeviceProp", "PropKey", "a tag that is not there is taken away already"),
    ("QueryConsumerGroupList", "GroupName", "a part of names, whatever it is"),
];

/// Those that no action reads: the same.
const IGNORED: &[(&str, &str, &str)] = &[
    (
        "*",
        "IotInstanceId",
        "a server without an id reads none; `sdks::instance_id_must_be_given_where_the_server_has_one`",
    ),
    ("*", "ResourceGroupId", "there are no resource groups, so it names nothing"),
    ("AsyncRRpc", "ExtInfo", "of the platform's own"),
    ("Pub", "TopicAlias", "it is of the platform's own connections"),
    ("CreateProduct", "AuthType", "accepted and left out, as the README says"),
    ("CreateProduct", "CategoryKey", "accepted and left out"),
    ("CreateProduct", "Id2", "accepted and left out"),
    ("CreateProduct", "JoinPermissionId", "of LoRaWAN, which is not here"),
    ("CreateProduct", "ProtocolType", "of gateways, which are not here"),
    ("CreateProduct", "PublishAuto", "a model is in force as soon as it is set"),
    ("RegisterDevice", "AppKey", "of LoRaWAN, which is not here"),
    ("RegisterDevice", "DevEui", "of LoRaWAN, which is not here"),
    ("RegisterDevice", "JoinEui", "of LoRaWAN, which is not here"),
    ("RegisterDevice", "LoraNodeType", "of LoRaWAN, which is not here"),
    ("RegisterDevice", "PinCode", "of LoRaWAN, which is not here"),
    ("GetThingModelTsl GetThingModelTslPublished", "Simple", "the whole holds what the short form does"),
    ("ImportThingModelTsl", "TslUrl", "nothing is fetched; without TslStr the request is refused"),
    ("QueryConsumerGroupList", "SubBizCode", "of the platform's own"),
    ("QueryConsumerGroupList", "Type", "of the platform's own"),
    ("CreateSubscribeRelation UpdateSubscribeRelation", "MnsConfiguration", "Type MNS is refused"),
    ("CreateSubscribeRelation UpdateSubscribeRelation", "SubscribeFlags", "the ten flags say it"),
];

/// Why this parameter of an action can have no fault, where it is so.
pub(crate) fn why_free(action: &str, parameter: &str) -> Option<&'static str> {
    found(READ, action, parameter).or_else(|| found(IGNORED, action, parameter))
}

/// Whether no action reads it, or there is but one value that it may have to any effect.
pub(crate) fn is_ignored(action: &str, parameter: &str) -> bool {
    found(IGNORED, action, parameter).is_some()
}

fn found(all: &[(&str, &str, &'static str)], action: &str, parameter: &str) -> Option<&'static str> {
    let is_of = |actions: &str| actions == "*" || actions.split(' ').any(|name| name == action);
    all.iter().find(|(actions, name, _)| *name == parameter && is_of(actions)).map(|(.., why)| *why)
}
