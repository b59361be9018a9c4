//! Consumer groups and subscriptions in memory, and what of it the log must know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::MemoryLog;
use crate::{
    ConsumerGroup, GroupId, ProductKey, Subscription, SubscriptionChange, SubscriptionError, SubscriptionLimits,
    Subscriptions, UnixMillis, Wanted,
};

/// Groups and subscriptions, for as long as it lives.
pub struct MemorySubscriptions {
    log: Arc<MemoryLog>,
    limits: SubscriptionLimits,
    products: BTreeSet<ProductKey>,
    kept: Mutex<Kept>,
}

struct Kept {
    groups: BTreeMap<GroupId, Arc<ConsumerGroup>>,
    subscriptions: BTreeMap<ProductKey, Arc<Subscription>>,
    /// How many groups were ever made.
    made: u32,
}

impl MemorySubscriptions {
    /// Of these products; `log` is what the groups read.
    pub fn new(
        log: Arc<MemoryLog>,
        limits: SubscriptionLimits,
        products: impl IntoIterator<Item = ProductKey>,
    ) -> Self {
        let default = ConsumerGroup::default_group(UnixMillis(0));
        let groups = [(default.id.clone(), Arc::new(default))].into_iter().collect();
        let kept = Kept { groups, subscriptions: BTreeMap::new(), made: 0 };
        Self { log, limits, products: products.into_iter().collect(), kept: Mutex::new(kept) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a subscription in its product's place, if it may be.
    fn put(&self, kept: &mut Kept, new: Subscription) -> Result<(), SubscriptionError> {
        if let Some(missing) = new.groups.iter().find(|group| !kept.groups.contains_key(group)) {
            return Err(SubscriptionError::NoGroup(missing.clone()));
        }
        let others = kept.subscriptions.values().filter(|other| other.product != new.product);
        self.limits.check_subscription(&new, others.map(|other| &**other))?;
        kept.subscriptions.insert(new.product.clone(), Arc::new(new));
        self.tell(kept);
        Ok(())
    }

    /// Tells the log what the groups want.
    fn tell(&self, kept: &Kept) {
        for group in kept.groups.keys() {
            let of = kept.subscriptions.values().filter(|subscription| subscription.groups.contains(group));
            let of = of.map(|subscription| (Some(subscription.product.clone()), subscription.kinds())).collect();
            self.log.want(&group.reader(), Wanted { of });
        }
    }
}

impl Kept {
    /// A group that is not the default one.
    fn own(&self, id: &GroupId, must_not: &str) -> Result<&Arc<ConsumerGroup>, SubscriptionError> {
        if id.is_default() {
            return Err(SubscriptionError::Refused(format!("consumer group {id} cannot be {must_not}")));
        }
        self.groups.get(id).ok_or_else(|| SubscriptionError::NoGroup(id.clone()))
    }
}

#[async_trait]
impl Subscriptions for MemorySubscriptions {
    fn groups(&self) -> Vec<Arc<ConsumerGroup>> {
        self.kept().groups.values().cloned().collect()
    }

    fn group(&self, id: &GroupId) -> Option<Arc<ConsumerGroup>> {
        self.kept().groups.get(id).cloned()
    }

    async fn create_group(&self, name: &str, id: Option<GroupId>) -> Result<Arc<ConsumerGroup>, SubscriptionError> {
        let mut kept = self.kept();
        kept.made += 1;
        let id = id.unwrap_or_else(|| GroupId::read(&format!("{:026}", kept.made)).expect("26 digits"));
        let created_at = UnixMillis(i64::from(kept.made) * 1000);
        let group = Arc::new(ConsumerGroup { id: id.clone(), name: name.to_owned(), created_at });
        self.limits.check_group(&group, &kept.groups)?;
        kept.groups.insert(id, group.clone());
        Ok(group)
    }

    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<(), SubscriptionError> {
        ConsumerGroup::check_name(name)?;
        let mut kept = self.kept();
        let group = ConsumerGroup { name: name.to_owned(), ..(**kept.own(id, "renamed")?).clone() };
        kept.groups.insert(id.clone(), Arc::new(group));
        Ok(())
    }

    async fn delete_group(&self, id: &GroupId) -> Result<(), SubscriptionError> {
        let mut kept = self.kept();
        kept.own(id, "removed")?;
        if let Some(of) = kept.subscriptions.values().find(|of| of.groups.contains(id)) {
            let product = &of.product;
            return Err(SubscriptionError::Refused(format!(
                "the subscription of product {product} goes to consumer group {id}; take the group out of it first"
            )));
        }
        kept.groups.remove(id);
        self.log.forget(&id.reader());
        Ok(())
    }

    fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.kept().subscriptions.values().cloned().collect()
    }

    fn subscription(&self, product: &ProductKey) -> Option<Arc<Subscription>> {
        self.kept().subscriptions.get(product).cloned()
    }

    async fn subscribe(&self, new: Subscription) -> Result<(), SubscriptionError> {
        let mut kept = self.kept();
        if !self.products.contains(&new.product) {
            return Err(SubscriptionError::NoProduct(new.product));
        }
        if kept.subscriptions.contains_key(&new.product) {
            return Err(SubscriptionError::Exists(new.product));
        }
        self.put(&mut kept, new)
    }

    async fn change_subscription(
        &self,
        product: &ProductKey,
        change: SubscriptionChange,
    ) -> Result<(), SubscriptionError> {
        let mut kept = self.kept();
        let old = kept.subscriptions.get(product);
        let new = change.of(old.ok_or_else(|| SubscriptionError::NoSubscription(product.clone()))?)?;
        self.put(&mut kept, new)
    }

    async fn unsubscribe(&self, product: &ProductKey) -> Result<(), SubscriptionError> {
        let mut kept = self.kept();
        let removed = kept.subscriptions.remove(product);
        removed.ok_or_else(|| SubscriptionError::NoSubscription(product.clone()))?;
        self.tell(&kept);
        Ok(())
    }
}

impl fmt::Debug for MemorySubscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        write!(f, "MemorySubscriptions({} groups, {} subscriptions)", kept.groups.len(), kept.subscriptions.len())
    }
}
