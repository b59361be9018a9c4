//! Consumer groups and subscriptions, as people and the API change them.
//!
//! **Invariant:** every change is one transaction, which first sees what there is and lets nobody else change it, and which sets
//! what the readers of the groups want. Memory takes it over before the write lock is let go.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    ConsumerGroup, GroupId, ProductKey, Subscription, SubscriptionChange, SubscriptionError, Subscriptions, UnixMillis,
};
use thingcall_tsl::Registry;

use crate::change::Subject;
use crate::database::Tx;
use crate::failure::{Failure, Stop};
use crate::groups::Subscribed;
use crate::shared::WriteSide;
use crate::{Store, changes, random};

/// What is done to groups and subscriptions.
enum Deed {
    Create(ConsumerGroup),
    Rename(GroupId, String),
    Delete(GroupId),
    Subscribe(Subscription),
    Change(ProductKey, SubscriptionChange),
    Unsubscribe(ProductKey),
}

#[async_trait]
impl Subscriptions for Store {
    fn groups(&self) -> Vec<Arc<ConsumerGroup>> {
        self.shared().groups.read().groups.values().cloned().collect()
    }

    fn group(&self, id: &GroupId) -> Option<Arc<ConsumerGroup>> {
        self.shared().groups.read().groups.get(id).cloned()
    }

    async fn create_group(&self, name: &str, id: Option<GroupId>) -> Result<Arc<ConsumerGroup>, SubscriptionError> {
        let id = id.map_or_else(new_id, Ok)?;
        let group = ConsumerGroup { id, name: name.to_owned(), created_at: UnixMillis::now() };
        self.does(Deed::Create(group.clone())).await?;
        Ok(Arc::new(group))
    }

    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<(), SubscriptionError> {
        self.does(Deed::Rename(id.clone(), name.to_owned())).await
    }

    async fn delete_group(&self, id: &GroupId) -> Result<(), SubscriptionError> {
        self.does(Deed::Delete(id.clone())).await
    }

    fn subscriptions(&self) -> Vec<Arc<Subscription>> {
        self.shared().groups.read().subscriptions.values().cloned().collect()
    }

    fn subscription(&self, product: &ProductKey) -> Option<Arc<Subscription>> {
        self.shared().groups.read().subscriptions.get(product).cloned()
    }

    async fn subscribe(&self, new: Subscription) -> Result<(), SubscriptionError> {
        if self.product(&new.product).is_none() {
            return Err(SubscriptionError::NoProduct(new.product));
        }
        self.does(Deed::Subscribe(new)).await
    }

    async fn change_subscription(
        &self,
        product: &ProductKey,
        change: SubscriptionChange,
    ) -> Result<(), SubscriptionError> {
        self.does(Deed::Change(product.clone(), change)).await
    }

    async fn unsubscribe(&self, product: &ProductKey) -> Result<(), SubscriptionError> {
        self.does(Deed::Unsubscribe(product.clone())).await
    }
}

impl Store {
    async fn does(&self, deed: Deed) -> Result<(), SubscriptionError> {
        let mut side = self.shared().write.lock().await;
        let done = self.transact(&mut side, deed).await;
        self.shared().ended(&mut side, done)
    }

    async fn transact(&self, side: &mut WriteSide, deed: Deed) -> Result<(), Stop<SubscriptionError>> {
        let mut tx = side.conn.begin().await?;
        let before = tx.subscribed().await?;
        let touched = self.apply(&mut *tx, before, deed).await?;
        let readers = touched.iter().map(|group| Subject::Reader(group.reader()));
        let subjects: Vec<_> = std::iter::once(Subject::Subscribed).chain(readers).collect();
        changes::commit_all(tx, &subjects).await?;
        changes::follow(self.shared(), side).await
    }

    /// Writes it, and tells the groups whose readers want something else now.
    async fn apply(
        &self,
        tx: &mut dyn Tx,
        mut all: Subscribed,
        deed: Deed,
    ) -> Result<BTreeSet<GroupId>, Stop<SubscriptionError>> {
        let limits = self.shared().config.messages.subscriptions;
        let mut touched = BTreeSet::new();
        match deed {
            Deed::Create(group) => {
                limits.check_group(&group, &all.groups).map_err(Stop::Refused)?;
                tx.put_group(&group).await?;
            }
            Deed::Rename(id, name) => {
                let group = own(&all, &id, "cannot get another name")?;
                ConsumerGroup::check_name(&name).map_err(Stop::Refused)?;
                tx.put_group(&ConsumerGroup { name, ..(*group).clone() }).await?;
            }
            Deed::Delete(id) => {
                own(&all, &id, "cannot be removed")?;
                unnamed(&all, &id)?;
                tx.remove_group(&id).await?;
                tx.remove_reader(&id.reader()).await?;
                touched.insert(id);
                return Ok(touched);
            }
            Deed::Subscribe(new) if all.subscriptions.contains_key(&new.product) => {
                return Err(Stop::Refused(SubscriptionError::Exists(new.product)));
            }
            Deed::Subscribe(new) => touched.extend(self.put(tx, &mut all, new).await?),
            Deed::Change(product, change) => {
                let old = subscription(&all, &product)?;
                let new = change.of(&old).map_err(Stop::Refused)?;
                touched.extend(old.groups.iter().cloned());
                touched.extend(self.put(tx, &mut all, new).await?);
            }
            Deed::Unsubscribe(product) => {
                touched.extend(subscription(&all, &product)?.groups.iter().cloned());
                tx.remove_subscription(&product).await?;
                all.subscriptions.remove(&product);
            }
        }
        for group in &touched {
            tx.set_reader(&group.reader(), &all.wanted(group)).await?;
        }
        Ok(touched)
    }

    /// Ends a product's subscription, if it has one; tells what that changes.
    pub(crate) async fn end_subscription(
        &self,
        tx: &mut dyn Tx,
        product: &ProductKey,
    ) -> Result<Vec<Subject>, Failure> {
        let mut all = tx.subscribed().await?;
        let Some(ended) = all.subscriptions.remove(product) else { return Ok(Vec::new()) };
        tx.remove_subscription(product).await?;
        let mut subjects = vec![Subject::Subscribed];
        for group in &ended.groups {
            tx.set_reader(&group.reader(), &all.wanted(group)).await?;
            subjects.push(Subject::Reader(group.reader()));
        }
        Ok(subjects)
    }

    /// Puts a subscription in, and tells its groups.
    async fn put(
        &self,
        tx: &mut dyn Tx,
        all: &mut Subscribed,
        new: Subscription,
    ) -> Result<Vec<GroupId>, Stop<SubscriptionError>> {
        if let Some(group) = new.groups.iter().find(|group| !all.groups.contains_key(group)) {
            return Err(Stop::Refused(SubscriptionError::NoGroup(group.clone())));
        }
        let others = all.subscriptions.values().filter(|other| other.product != new.product).map(|other| &**other);
        self.shared().config.messages.subscriptions.check_subscription(&new, others).map_err(Stop::Refused)?;
        tx.put_subscription(&new).await?;
        let groups = new.groups.clone();
        all.subscriptions.insert(new.product.clone(), Arc::new(new));
        Ok(groups)
    }
}

fn new_id() -> Result<GroupId, SubscriptionError> {
    let id = random::group_id().map_err(|error| SubscriptionError::Store(error.to_string()))?;
    GroupId::read(&id).ok_or_else(|| SubscriptionError::Store(format!("{id} is no id of a group")))
}

/// A group that people made.
fn own(all: &Subscribed, id: &GroupId, cannot: &str) -> Result<Arc<ConsumerGroup>, Stop<SubscriptionError>> {
    if id.is_default() {
        return Err(Stop::Refused(SubscriptionError::Refused(format!(
            "consumer group {id} {cannot}: it is always there"
        ))));
    }
    all.groups.get(id).cloned().ok_or_else(|| Stop::Refused(SubscriptionError::NoGroup(id.clone())))
}

/// Whether no subscription names it.
fn unnamed(all: &Subscribed, id: &GroupId) -> Result<(), Stop<SubscriptionError>> {
    let naming = all.subscriptions.values().find(|subscription| subscription.groups.contains(id));
    naming.map_or(Ok(()), |subscription| {
        let product = &subscription.product;
        Err(Stop::Refused(SubscriptionError::Refused(format!(
            "the subscription of product {product} goes to consumer group {id}; take the group out of it before you remove it"
        ))))
    })
}

fn subscription(all: &Subscribed, product: &ProductKey) -> Result<Arc<Subscription>, Stop<SubscriptionError>> {
    let found = all.subscriptions.get(product).cloned();
    found.ok_or_else(|| Stop::Refused(SubscriptionError::NoSubscription(product.clone())))
}
