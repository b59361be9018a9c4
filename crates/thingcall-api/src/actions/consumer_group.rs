//! Consumer groups: CreateConsumerGroup, UpdateConsumerGroup, QueryConsumerGroupList, QueryConsumerGroupByGroupId,
//! QueryConsumerGroupStatus, ResetConsumerGroupPosition, DeleteConsumerGroup.
//!
//! **Invariant:** a group is named by its id alone; names are for people, and several groups may have the same.

use std::cmp::Reverse;

use thingcall_core::{Consumer, ConsumerGroup, GroupId};

use super::flag;
use super::page::{Pages, count};
use crate::answer::{Fields, Node, text};
use crate::clock;
use crate::error::ActionError;
use crate::params::Params;
use crate::subscribing::SubscriptionDesk;

/// The pages of QueryConsumerGroupList. Source: Alibaba's reference, but for how far they reach.
const PAGES: Pages = Pages { size_max: 1000, size_default: Some(1000), reach_max: usize::MAX };

/// CreateConsumerGroup.
pub(super) async fn create(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let group = desk.keeps.subscriptions.create_group(name(params, "GroupName")?, None).await?;
    Ok(vec![("GroupId", text(group.id.as_str()))])
}

/// UpdateConsumerGroup: its name, which is all there is.
pub(super) async fn update(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let (id, name) = (id(params, "GroupId")?, name(params, "NewGroupName")?);
    desk.keeps.subscriptions.rename_group(&id, name).await?;
    Ok(Fields::new())
}

/// QueryConsumerGroupList. Without `Fuzzy` it is all groups, as Alibaba's reference says, also where a name is given.
pub(super) async fn list(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let page = PAGES.asked(params)?;
    let part = if flag(params, "Fuzzy")? {
        let name = params.get("GroupName");
        name.ok_or_else(|| {
            ActionError::illegal("GroupName is missing; with Fuzzy it is the part of names to look for")
        })?
    } else {
        ""
    };
    let mut groups = desk.keeps.subscriptions.groups();
    groups.retain(|group| group.name.contains(part));
    groups.sort_by_key(|group| (Reverse(group.id.is_default()), group.created_at, group.id.clone()));
    let shown = groups.iter().skip(page.skipped()).take(page.size);
    let shown = shown.map(|group| Node::Object(described(group))).collect();
    Ok(vec![
        ("CurrentPage", count(page.number)),
        ("PageSize", count(page.size)),
        ("PageCount", count(groups.len().div_ceil(page.size))),
        ("Total", count(groups.len())),
        ("Data", Node::Object(vec![("ConsumerGroupDTO", Node::List(shown))])),
    ])
}

/// QueryConsumerGroupByGroupId.
pub(super) async fn by_id(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let group = desk.group(&id(params, "GroupId")?)?;
    Ok(vec![("Data", Node::Object(described(&group)))])
}

/// QueryConsumerGroupStatus.
pub(super) async fn status(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let group = desk.group(&id(params, "GroupId")?)?;
    let standing = desk.keeps.log.standing(&group.id.reader()).await?;
    let consumption = desk.keeps.consumers.of(&group.id).await;
    let clients = consumption.clients.iter().map(|client| Node::Object(connected(client))).collect();
    let mut fields = vec![
        ("AccumulationCount", count(standing.unread)),
        ("ConsumerSpeed", count(consumption.consumed.all())),
        ("RealTimeConsumeCountPerMinute", count(consumption.consumed.fresh)),
        ("AccumulatedConsumeCountPerMinute", count(consumption.consumed.backlog)),
    ];
    // Where nothing was consumed there is no such time.
    fields.extend(consumption.last_at.map(|at| ("LastConsumerTime", text(clock::utc(at)))));
    let list = vec![("ConsumerGroupClientConnectionInfo", Node::List(clients))];
    fields.push(("ClientConnectionStatusList", Node::Object(list)));
    Ok(fields)
}

/// ResetConsumerGroupPosition: what waits for the group is dropped.
pub(super) async fn reset(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let group = desk.group(&id(params, "GroupId")?)?;
    desk.keeps.log.skip(&group.id.reader()).await?;
    Ok(Fields::new())
}

/// DeleteConsumerGroup.
pub(super) async fn delete(desk: &SubscriptionDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    desk.keeps.subscriptions.delete_group(&id(params, "GroupId")?).await?;
    Ok(Fields::new())
}

fn name<'a>(params: &'a Params<'_>, parameter: &'static str) -> Result<&'a str, ActionError> {
    let name = params.need(parameter)?;
    ConsumerGroup::check_name(name).map_err(|why| ActionError::illegal(format!("{parameter}: {why}")))?;
    Ok(name)
}

/// The id of a group in this parameter.
pub(super) fn id(params: &Params<'_>, name: &'static str) -> Result<GroupId, ActionError> {
    read_id(name, params.need(name)?)
}

/// Reads the id of a group.
pub(super) fn read_id(name: &str, text: &str) -> Result<GroupId, ActionError> {
    GroupId::read(text).ok_or_else(|| {
        let right =
            format!("DEFAULT_GROUP, or the {} letters and digits that CreateConsumerGroup answers", GroupId::CHARS);
        ActionError::wrong(name, text, &right)
    })
}

fn described(group: &ConsumerGroup) -> Fields {
    vec![
        ("GroupId", text(group.id.as_str())),
        ("GroupName", text(&group.name)),
        ("CreateTime", text(clock::utc(group.created_at))),
    ]
}

fn connected(client: &Consumer) -> Fields {
    vec![
        ("ClientId", text(&client.client)),
        ("ClientIpPort", text(&client.address)),
        ("OnlineTime", Node::Number(client.since.0)),
        ("RealTimeConsumeCountPerMinute", count(client.consumed.fresh)),
        ("AccumulatedConsumeCountPerMinute", count(client.consumed.backlog)),
    ]
}
