//! Which messages a reader asks for.

use std::str::FromStr;

use sha2::{Digest, Sha256};
use thingcall_core::{
    AccessKey, GroupId, Message, MessageKind, MessageKinds, ProductKey, Subscriptions, Target, Wanted,
};
use thingcall_subscription::concerns;

use super::ACTION;
use crate::gateway::GatewayError;
use crate::params::Params;

/// What it is asked with. Those of the signature begin with a capital letter.
const NAMES: [&str; 5] = ["kinds", "products", "modules", "group", "lastEventId"];
/// How many products may be named.
const PRODUCTS_MAX: usize = 100;
const RIGHT_KINDS: &str = "right are, with commas: result, status, life_cycle, property, event, history, tag, custom";

/// What a request asks for.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    kinds: MessageKinds,
    /// Of all if empty; sorted.
    products: Vec<ProductKey>,
    /// Of all if empty.
    modules: Vec<String>,
    /// What goes to it, and nothing else.
    group: Option<GroupId>,
}

impl Filter {
    pub(super) fn read(params: &Params<'_>, subscriptions: &dyn Subscriptions) -> Result<Self, GatewayError> {
        known(params)?;
        let kinds: Vec<MessageKind> = list(params, "kinds", RIGHT_KINDS)?;
        let mut products: Vec<ProductKey> = list(params, "products", "right are product keys, with commas")?;
        products.sort();
        products.dedup();
        if products.len() > PRODUCTS_MAX {
            return Err(invalid(
                "products",
                format!("there are {}; at most {PRODUCTS_MAX} may be named", products.len()),
            ));
        }
        let modules = params.get("modules").into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
        let group = params.get("group").map(|text| group(text, subscriptions));
        let kinds = if kinds.is_empty() { MessageKinds::all() } else { kinds.into_iter().collect() };
        Ok(Self { kinds, products, modules, group: group.transpose()? })
    }

    /// The first thing that this reader asks for and that the key's rules do not allow.
    pub(super) fn forbidden(&self, key: &AccessKey) -> Option<Target<'_>> {
        let may_not = |target: &Target<'_>| !key.allows(ACTION, *target);
        let everything = match &self.group {
            Some(group) => Some(Target::Group(group.as_str())),
            None if self.products.is_empty() => Some(Target::AllProducts),
            None => return self.products.iter().map(|product| Target::Product(product.as_str())).find(may_not),
        };
        everything.filter(may_not)
    }

    /// What is to be written for this reader, since it is no group's; `None` where it is.
    pub(super) fn of_nobody(&self, subscriptions: &dyn Subscriptions) -> Option<Wanted> {
        if self.group.is_some() { None } else { self.wanted(subscriptions) }
    }

    /// What is read of the log; `None` where the group is gone. Its subscriptions may change meanwhile.
    pub(super) fn wanted(&self, subscriptions: &dyn Subscriptions) -> Option<Wanted> {
        let Some(group) = &self.group else {
            let of: Vec<_> = self.products.iter().map(|product| (Some(product.clone()), self.kinds)).collect();
            return Some(Wanted { of: if of.is_empty() { vec![(None, self.kinds)] } else { of } });
        };
        subscriptions.group(group)?;
        let all = subscriptions.subscriptions();
        let of_group = all.iter().filter(|subscription| {
            subscription.groups.contains(group)
                && (self.products.is_empty() || self.products.contains(&subscription.product))
        });
        let of = of_group.filter_map(|subscription| {
            let kinds: MessageKinds = subscription.kinds().iter().filter(|kind| self.kinds.contains(*kind)).collect();
            (!kinds.is_empty()).then(|| (Some(subscription.product.clone()), kinds))
        });
        Some(Wanted { of: of.collect() })
    }

    /// Whether a message that was read is told.
    pub(super) fn tells(&self, message: &Message) -> bool {
        concerns(&self.modules, message)
    }

    /// Names what is to be written, the same in every instance.
    pub(super) fn purpose(&self) -> String {
        let group = self.group.as_ref().map_or("", GroupId::as_str);
        let mut text = format!("{group} {:?}", self.kinds);
        for product in &self.products {
            text.push(' ');
            text.push_str(product.as_str());
        }
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Refuses a parameter that looks like one of ours and is none: what it was to leave out would be told.
fn known(params: &Params<'_>) -> Result<(), GatewayError> {
    let looks_ours = |name: &str| {
        let ours = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        ours || (name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.starts_with("x-"))
    };
    match params.all().find(|(name, _)| looks_ours(name) && !NAMES.contains(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let problem = format!("{:?} is none of this request's; right are {}", shown(name), NAMES.join(", "));
            Err(invalid("name", problem))
        }
    }
}

/// The group of this id, or of this name.
fn group(text: &str, subscriptions: &dyn Subscriptions) -> Result<GroupId, GatewayError> {
    if let Some(id) = GroupId::read(text).filter(|id| subscriptions.group(id).is_some()) {
        return Ok(id);
    }
    let mut named = subscriptions.groups();
    named.retain(|group| group.name == text);
    match &*named {
        [group] => Ok(group.id.clone()),
        [] => Err(invalid("group", format!("there is no consumer group {:?}", shown(text)))),
        several => {
            let problem = format!("{} consumer groups are called {:?}; give the id of one", several.len(), shown(text));
            Err(invalid("group", problem))
        }
    }
}

/// The words of a parameter, between commas; none if it is absent.
fn list<T: FromStr>(params: &Params<'_>, name: &'static str, right: &str) -> Result<Vec<T>, GatewayError> {
    let words = params.get(name).into_iter().flat_map(|text| text.split(',')).map(str::trim);
    words.map(|word| word.parse().map_err(|_| invalid(name, format!("{:?} is none; {right}", shown(word))))).collect()
}

const fn invalid(name: &'static str, problem: String) -> GatewayError {
    GatewayError::Invalid { name, problem }
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    //! What is asked for, and what is refused.

    use std::sync::Arc;

    use thingcall_core::SubscriptionLimits;
    use thingcall_core::testing::{MemoryLog, MemorySubscriptions};

    use super::*;

    fn none() -> MemorySubscriptions {
        MemorySubscriptions::new(Arc::new(MemoryLog::default()), SubscriptionLimits::default(), [])
    }

    fn read(query: &str, subscriptions: &MemorySubscriptions) -> Result<Filter, String> {
        Filter::read(&Params::read(query, &[]), subscriptions).map_err(|error| error.to_string())
    }

    #[test]
    fn a_parameter_that_is_none_is_refused() {
        let none = none();
        let right = "Action=StreamMessages&SignatureNonce=1&kinds=result&products=p&modules=a&lastEventId=x&x-trace=1";
        assert!(read(right, &none).is_ok());
        for wrong in ["kindz=result", "Kinds=result", "product=p", "last=1"] {
            let told = read(wrong, &none).unwrap_err();
            assert!(told.contains("right are kinds, products, modules, group, lastEventId"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_group_is_named_by_its_id_or_its_name() {
        let groups = none();
        let made = groups.create_group("orders", None).await.unwrap();
        for named in ["orders", made.id.as_str()] {
            assert_eq!(read(&format!("group={named}"), &groups).unwrap().group, Some(made.id.clone()));
        }
        assert!(read("group=others", &groups).unwrap_err().contains("there is no consumer group"));
        groups.create_group("orders", None).await.unwrap();
        assert!(read("group=orders", &groups).unwrap_err().contains("give the id of one"));
    }
}
