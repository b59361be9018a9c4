//! Consumer groups and subscriptions, in memory like products: all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use thingcall_core::{ConsumerGroup, GroupId, ProductKey, Subscription, Wanted};

/// All groups, the default one among them, and all subscriptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subscribed {
    pub(crate) groups: BTreeMap<GroupId, Arc<ConsumerGroup>>,
    pub(crate) subscriptions: BTreeMap<ProductKey, Arc<Subscription>>,
}

impl Subscribed {
    /// What a group's reader wants: what the subscriptions that name it want.
    pub(crate) fn wanted(&self, group: &GroupId) -> Wanted {
        let naming = self.subscriptions.values().filter(|subscription| subscription.groups.contains(group));
        Wanted { of: naming.map(|subscription| (Some(subscription.product.clone()), subscription.kinds())).collect() }
    }
}

/// The memory of one store.
#[derive(Debug, Default)]
pub(crate) struct Groups(RwLock<Subscribed>);

impl Groups {
    /// From now on it is so.
    pub(crate) fn replace(&self, now: Subscribed) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// As it is now.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Subscribed> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
