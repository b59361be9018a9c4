//! Actions of consumer groups and subscriptions.

use serde_json::json;

use super::About::{AllGroups, Group, Product, ProductAndGroups};
use super::Again::{Other, Same};
use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row("QueryConsumerGroupList", AllGroups, Same, |_| json!({ "CurrentPage": 1, "PageSize": 10, "Fuzzy": false })),
    row("QueryConsumerGroupByGroupId", Group, Same, |_| json!({ "GroupId": "DEFAULT_GROUP" })),
    row("QueryConsumerGroupStatus", Group, Same, |bench| json!({ "GroupId": bench.quiet_group })),
    row("CreateConsumerGroup", AllGroups, Other, |bench| json!({ "GroupName": bench.fresh("created") })),
    row(
        "UpdateConsumerGroup",
        Group,
        Other,
        |bench| json!({ "GroupId": bench.group(), "NewGroupName": bench.fresh("renamed") }),
    ),
    row("ResetConsumerGroupPosition", Group, Other, |bench| json!({ "GroupId": bench.group() })),
    row("DeleteConsumerGroup", Group, Other, |bench| json!({ "GroupId": bench.group() })),
    row("QuerySubscribeRelation", Product, Same, |bench| json!({ "ProductKey": bench.subscribed, "Type": "AMQP" })),
    row("CreateSubscribeRelation", ProductAndGroups, Other, |bench| {
        json!({ "ProductKey": bench.product(), "Type": "AMQP", "DeviceDataFlag": true,
            "ConsumerGroupIds": [bench.group()] })
    }),
    row("UpdateSubscribeRelation", ProductAndGroups, Other, |bench| {
        let group = bench.group();
        let product = bench.with_subscription(std::slice::from_ref(&group));
        json!({ "ProductKey": product, "Type": "AMQP", "OtaJobFlag": true, "ConsumerGroupIds": [group] })
    }),
    row(
        "DeleteSubscribeRelation",
        Product,
        Other,
        |bench| json!({ "ProductKey": bench.with_subscription(&[bench.group()]), "Type": "AMQP" }),
    ),
    row(
        "CreateConsumerGroupSubscribeRelation",
        ProductAndGroups,
        Other,
        |bench| json!({ "ProductKey": bench.with_subscription(&[bench.group()]), "ConsumerGroupId": bench.group() }),
    ),
    row("DeleteConsumerGroupSubscribeRelation", ProductAndGroups, Other, |bench| {
        let group = bench.group();
        let product = bench.with_subscription(&[bench.group(), group.clone()]);
        json!({ "ProductKey": product, "ConsumerGroupId": group })
    }),
];
