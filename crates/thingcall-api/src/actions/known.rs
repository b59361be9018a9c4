//! Which actions there are, and what is told of those that are not.

use enum_map::Enum;

use super::{Action, platform};
use crate::gateway::GatewayError;

impl Action {
    /// Those after which XML answers are not named.
    const NAMED_OTHERWISE: [(Self, &str); 2] = [
        (Self::UpdateConsumerGroup, "UpdateConsumerGroupName"),
        (Self::ResetConsumerGroupPosition, "ResetConsumerPosition"),
    ];

    /// All there are, in the order of their names.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let mut all: Vec<_> = (0..Self::LENGTH).map(Self::from_usize).collect();
        all.sort_unstable_by_key(|action| action.as_str());
        all.into_iter()
    }

    /// What a caller is told who asks for another one.
    pub(crate) fn unknown(name: &str) -> GatewayError {
        let shown: String = name.chars().take(64).collect();
        let what = if platform::has(name) {
            format!("{shown} is an action of Alibaba's API which this server does not have")
        } else {
            format!("There is no action {shown:?}, neither in Alibaba's API of this version nor here")
        };
        let here: Vec<_> = Self::all().map(Self::as_str).collect();
        GatewayError::Action(format!(
            "{what}; the README of this server tells in \"The actions\" which there are: {}.",
            here.join(", ")
        ))
    }

    /// What XML answers are named after: the action, but for two.
    pub(crate) fn answer_name(self) -> &'static str {
        let other = Self::NAMED_OTHERWISE.iter().find(|(action, _)| *action == self);
        other.map_or_else(|| self.as_str(), |(_, name)| name)
    }
}

/// The names of all actions, and of what else the rules of an access key may be of.
pub fn action_names() -> impl Iterator<Item = &'static str> {
    let others = [crate::events::ACTION, thingcall_subscription::CONSUME];
    (0..Action::LENGTH).map(|i| Action::from_usize(i).as_str()).chain(others)
}
