//! The table of actions: of each, a request that succeeds.
//!
//! **Invariant:** every action that the README names has its row (`every_action_of_the_readme_has_its_row`).

mod devices;
mod models;
mod others;
mod products;
mod subscriptions;

use serde_json::Value;

use super::bench::Bench;

/// What an action is about, as the rules of access keys name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The device of `IotId`, else of `ProductKey` and `DeviceName`.
    Device,
    /// The same, else the one that `TopicFullName` names behind `ProductKey`.
    DeviceOfTopic,
    /// A device of `ProductKey` and `DeviceName`, which may not be there yet.
    NewDevice,
    /// Those of `ProductKey` and `DeviceName.N`.
    Devices,
    /// Those of `IotId.N`, else of `ProductKey` and `DeviceName.N`.
    DevicesOrIds,
    /// The product of `ProductKey`.
    Product,
    /// Products in general.
    AllProducts,
    /// The group of `GroupId`.
    Group,
    /// Groups in general.
    AllGroups,
    /// The product of `ProductKey` and the group of `ConsumerGroupId`, or those of `ConsumerGroupIds.N`.
    ProductAndGroups,
}

/// Whether a row's request may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// The answer is the same each time.
    Same,
    /// It does something, or what it tells differs from time to time.
    Other,
}

/// An action, and a request that succeeds.
pub(crate) struct Row {
    pub(crate) action: &'static str,
    pub(crate) about: About,
    pub(crate) again: Again,
    /// Makes what the request needs, and says its parameters.
    pub(crate) with: fn(&Bench) -> Value,
}

const fn row(action: &'static str, about: About, again: Again, with: fn(&Bench) -> Value) -> Row {
    Row { action, about, again, with }
}

/// All of them. Rows that list what others make come before these.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    let reading = others::READING.iter().chain(products::ROWS).chain(devices::ROWS).chain(models::ROWS);
    reading.chain(subscriptions::ROWS).chain(others::CALLING)
}

impl Row {
    /// Whether it is an action of the platform, whose SDKs have a model of it.
    pub(crate) fn is_of_the_platform(&self) -> bool {
        !self.action.contains("FleetCall")
    }
}
