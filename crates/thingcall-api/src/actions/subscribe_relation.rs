//! Subscriptions of products: CreateSubscribeRelation, UpdateSubscribeRelation, QuerySubscribeRelation,
//! DeleteSubscribeRelation, CreateConsumerGroupSubscribeRelation, DeleteConsumerGroupSubscribeRelation.
//!
//! **Invariant:** what a request does not say is false, as Alibaba's reference has it: an update replaces all flags.

use thingcall_core::{GroupId, Subscription, SubscriptionChange, SubscriptionError, Topic};

use super::{consumer_group, flag, target};
use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::gateway::GatewayError;
use crate::params::Params;
use crate::subscribing::SubscriptionDesk;

const AMQP: &str = "AMQP";

/// The flags of requests and answers.
const FLAGS: [(&str, Topic); 10] = [
    ("DeviceDataFlag", Topic::DeviceData),
    ("DeviceStatusChangeFlag", Topic::DeviceStatus),
    ("DeviceLifeCycleFlag", Topic::DeviceLifeCycle),
    ("DeviceTopoLifeCycleFlag", Topic::DeviceTopoLifeCycle),
    ("FoundDeviceListFlag", Topic::FoundDeviceList),
    ("ThingHistoryFlag", Topic::ThingHistory),
    ("DeviceTagFlag", Topic::DeviceTag),
    ("OtaEventFlag", Topic::OtaEvent),
    ("OtaVersionFlag", Topic::OtaVersion),
    ("OtaJobFlag", Topic::OtaJob),
];

/// CreateSubscribeRelation.
pub(super) async fn create(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    must_be_amqp(params)?;
    let new = Subscription { product, topics: topics(params)?, groups: groups(params)? };
    desk.keeps.subscriptions.subscribe(new).await.map_err(|why| of_groups(why, ActionError::from))?;
    Ok(Fields::new())
}

/// UpdateSubscribeRelation.
pub(super) async fn update(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    params.get("Type").ok_or(GatewayError::Missing("Type"))?;
    must_be_amqp(params)?;
    let to = SubscriptionChange::To { topics: topics(params)?, groups: groups(params)? };
    let changed = desk.keeps.subscriptions.change_subscription(&product, to).await;
    changed.map_err(|why| of_groups(why, |why| desk.explained(why)))?;
    Ok(Fields::new())
}

/// That there are too many is told with the parameter that names them.
fn of_groups(why: SubscriptionError, others: impl FnOnce(SubscriptionError) -> ActionError) -> ActionError {
    if let SubscriptionError::Full(text) = why {
        return SubscriptionError::Full(format!("ConsumerGroupIds: {text}")).into();
    }
    others(why)
}

/// QuerySubscribeRelation.
pub(super) async fn query(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    must_be_amqp(params)?;
    let subscription = desk.subscription(&product)?;
    let mut fields = vec![("ProductKey", text(product.as_str())), ("Type", text(AMQP))];
    let groups = subscription.groups.iter().map(|group| text(group.as_str())).collect();
    fields.push(("ConsumerGroupIds", Node::Each("e", groups)));
    fields.extend(FLAGS.map(|(name, topic)| (name, Node::Flag(subscription.topics.contains(&topic)))));
    Ok(fields)
}

/// DeleteSubscribeRelation.
pub(super) async fn delete(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    must_be_amqp(params)?;
    let ended = desk.keeps.subscriptions.unsubscribe(&product).await;
    ended.map_err(|why| desk.explained(why))?;
    Ok(Fields::new())
}

/// CreateConsumerGroupSubscribeRelation.
pub(super) async fn add_group(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    change_group(desk, params, SubscriptionChange::Add).await
}

/// DeleteConsumerGroupSubscribeRelation.
pub(super) async fn remove_group(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    change_group(desk, params, SubscriptionChange::Remove).await
}

async fn change_group(
    desk: &SubscriptionDesk,
    params: &Params<'_>,
    change: fn(GroupId) -> SubscriptionChange,
) -> Result<Fields, ActionError> {
    let (product, group) = (target::product(params)?, consumer_group::id(params, "ConsumerGroupId")?);
    let changed = desk.keeps.subscriptions.change_subscription(&product, change(group)).await;
    changed.map_err(|why| desk.explained(why))?;
    Ok(Fields::new())
}

fn must_be_amqp(params: &Params<'_>) -> Result<(), ActionError> {
    match params.get("Type") {
        None | Some(AMQP) => Ok(()),
        Some("MNS") => Err(ActionError::illegal(
            "Type is MNS: there are no queues of Message Service here; right is AMQP, whose consumers connect to this server",
        )),
        Some(other) => Err(ActionError::wrong("Type", other, AMQP)),
    }
}

/// What the flags say.
fn topics(params: &Params<'_>) -> Result<Vec<Topic>, ActionError> {
    let mut topics = Vec::new();
    for (name, topic) in FLAGS {
        if flag(params, name)? {
            topics.push(topic);
        }
    }
    if topics.is_empty() {
        let names: Vec<_> = FLAGS.iter().map(|(name, _)| *name).collect();
        return Err(ActionError::illegal(format!("no flag is true; at least one of {} must be", names.join(", "))));
    }
    Ok(topics)
}

/// The groups of `ConsumerGroupIds.N`.
fn groups(params: &Params<'_>) -> Result<Vec<GroupId>, ActionError> {
    let ids = params.list("ConsumerGroupIds")?;
    if ids.is_empty() {
        return Err(ActionError::illegal(
            "ConsumerGroupIds.1 is missing; a subscription goes to one consumer group or more",
        ));
    }
    ids.into_iter().map(|id| consumer_group::read_id("ConsumerGroupIds", id)).collect()
}
