//! Whether the rules of an access key allow a request.
//!
//! **Invariants:** a request is judged by the parameters that its action reads (`Names`), and by each of them; one that does not
//! say what it is about is about everything. A device that is named by its IotId is judged by its product and name; one that is
//! not there, as if it could be any. So what is refused tells nothing of what is there.

use thingcall_core::{AllowList, CallError, DeviceRef, IotId, Target};
use thingcall_tsl::Registry;

use crate::actions::{Action, Names, is_of_many};
use crate::error::ActionError;
use crate::gateway::GatewayError;
use crate::params::Params;
use crate::topic::named_in_topic;

/// Refuses what no rule allows.
pub(crate) async fn judge(
    rules: &AllowList,
    action: Action,
    params: &Params<'_>,
    registry: &dyn Registry,
) -> Result<(), ActionError> {
    let judge = Judge { rules, action: action.as_str(), params, registry };
    match action.names() {
        Names::Device => match params.get("IotId") {
            Some(id) => judge.iot_id(id).await,
            None => judge.must(judge.pair(params.get("DeviceName"))),
        },
        // Whatever device it names: it is told many.
        Names::DeviceOfTopic if params.get("TopicFullName").is_some_and(is_of_many) => judge.must(judge.product()),
        Names::DeviceOfTopic => match (params.get("IotId"), params.get("DeviceName")) {
            (Some(id), _) => judge.iot_id(id).await,
            (None, Some(name)) => judge.must(judge.pair(Some(name))),
            (None, None) => judge.must(judge.pair(judge.named_in_topic())),
        },
        Names::NewDevice => judge.must(judge.pair(params.get("DeviceName"))),
        Names::Devices => judge.devices(),
        Names::DevicesOrIds => judge.devices_or_ids().await,
        // Whoever may do none of it is told so at once; the rest says what is found.
        Names::FleetCall | Names::FleetCalls if rules.may(action.as_str()) => Ok(()),
        Names::FleetCall | Names::FleetCalls => judge.must(Target::AllProducts),
        Names::Product => judge.must(judge.product()),
        Names::AllProducts => judge.must(Target::AllProducts),
        Names::Group => judge.must(group(params.get("GroupId"))),
        Names::AllGroups => judge.must(Target::AllGroups),
        Names::ProductAndGroup => {
            judge.must(judge.product()).and_then(|()| judge.must(group(params.get("ConsumerGroupId"))))
        }
        Names::ProductAndGroups => judge.must(judge.product()).and_then(|()| judge.groups()),
    }
}

struct Judge<'a> {
    rules: &'a AllowList,
    action: &'static str,
    params: &'a Params<'a>,
    registry: &'a dyn Registry,
}

fn group(id: Option<&str>) -> Target<'_> {
    id.map_or(Target::AllGroups, Target::Group)
}

impl Judge<'_> {
    fn must(&self, target: Target<'_>) -> Result<(), ActionError> {
        if self.rules.allows(self.action, target) {
            return Ok(());
        }
        Err(GatewayError::Forbidden { action: self.action, what: target.to_string() }.into())
    }

    fn product(&self) -> Target<'_> {
        self.params.get("ProductKey").map_or(Target::AllProducts, Target::Product)
    }

    /// The device of this name, as far as the request says which that is.
    fn pair<'t>(&'t self, name: Option<&'t str>) -> Target<'t> {
        match (self.params.get("ProductKey"), name) {
            (Some(product), Some(name)) => Target::Device { product, name },
            (Some(product), None) => Target::Product(product),
            (None, _) => Target::AllProducts,
        }
    }

    /// The device that the topic of a message names, where nothing else names it.
    fn named_in_topic(&self) -> Option<&str> {
        named_in_topic(self.params.get("ProductKey")?, self.params.get("TopicFullName")?)
    }

    async fn iot_id(&self, text: &str) -> Result<(), ActionError> {
        let found = match IotId::try_from(text) {
            Ok(id) => self.registry.find(&DeviceRef::IotId(id)).await.map_err(CallError::from)?,
            Err(_) => None,
        };
        match &found {
            Some(found) => {
                let key = &found.device.key;
                self.must(Target::Device { product: key.product.as_str(), name: key.name.as_str() })
            }
            None => self.must(Target::AllProducts),
        }
    }

    /// By the names alone: an action that takes no `IotId.N` may do with a whole product what names none of its devices. Names
    /// that are refused later are judged as if there were none.
    fn devices(&self) -> Result<(), ActionError> {
        let names = self.params.list("DeviceName").unwrap_or_default();
        if names.is_empty() {
            return self.must(self.pair(None));
        }
        names.into_iter().try_for_each(|name| self.must(self.pair(Some(name))))
    }

    async fn devices_or_ids(&self) -> Result<(), ActionError> {
        let Ok(ids) = self.params.list("IotId") else { return self.must(Target::AllProducts) };
        if ids.is_empty() {
            return self.devices();
        }
        for id in ids {
            self.iot_id(id).await?;
        }
        Ok(())
    }

    fn groups(&self) -> Result<(), ActionError> {
        let ids = self.params.list("ConsumerGroupIds").unwrap_or_default();
        if ids.is_empty() {
            return self.must(Target::AllGroups);
        }
        ids.into_iter().try_for_each(|id| self.must(Target::Group(id)))
    }
}
