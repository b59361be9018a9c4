//! What actions of consumer groups and subscriptions work with.
//!
//! **Invariant:** what may be is the keeper's to say, by the rules of core; here it is only put into the words of the API.

use std::sync::Arc;

use thingcall_core::{
    CallError, ConsumerGroup, Consumers, GroupId, MessageLog, ProductKey, Subscription, SubscriptionError,
    Subscriptions,
};
use thingcall_tsl::Registry;

use crate::error::ActionError;

/// Who keeps groups, subscriptions and messages, and who knows their consumers.
#[derive(Clone)]
pub struct Subscribing {
    /// Groups and subscriptions.
    pub subscriptions: Arc<dyn Subscriptions>,
    /// What waits for the groups.
    pub log: Arc<dyn MessageLog>,
    /// Who is connected for them.
    pub consumers: Arc<dyn Consumers>,
}

/// The same, with the products that subscriptions are of.
pub(crate) struct SubscriptionDesk {
    pub(crate) keeps: Subscribing,
    products: Arc<dyn Registry>,
}

impl SubscriptionDesk {
    pub(crate) fn new(keeps: Subscribing, products: Arc<dyn Registry>) -> Self {
        Self { keeps, products }
    }

    /// The group of this id.
    pub(crate) fn group(&self, id: &GroupId) -> Result<Arc<ConsumerGroup>, ActionError> {
        let group = self.keeps.subscriptions.group(id);
        group.ok_or_else(|| SubscriptionError::NoGroup(id.clone()).into())
    }

    /// The product's subscription.
    pub(crate) fn subscription(&self, product: &ProductKey) -> Result<Arc<Subscription>, ActionError> {
        let subscription = self.keeps.subscriptions.subscription(product);
        subscription.ok_or_else(|| self.explained(SubscriptionError::NoSubscription(product.clone())))
    }

    /// A product that does not exist has no subscription either; the caller is told the former.
    pub(crate) fn explained(&self, error: SubscriptionError) -> ActionError {
        if let SubscriptionError::NoSubscription(product) = &error
            && self.products.product(product).is_none()
        {
            return CallError::UnknownProduct(product.to_string()).into();
        }
        error.into()
    }
}
