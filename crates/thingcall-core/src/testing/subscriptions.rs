//! What every keeper of groups and subscriptions must do, whatever it keeps them in.

use std::any::Any;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;

use crate::{
    ConsumerGroup, DeviceKey, GroupId, MessageKind, MessageLog, NewMessage, ProductKey, Subscription,
    SubscriptionChange, SubscriptionError, SubscriptionLimits, Subscriptions, Topic, UnixMillis, Words,
};

/// Groups and subscriptions of which there are none yet, and the log that the groups read.
pub struct SubscriptionsUnderTest {
    /// What is under test, with the limits of [`tight_limits`].
    pub subscriptions: Arc<dyn Subscriptions>,
    /// The log that the groups read.
    pub log: Arc<dyn MessageLog>,
    /// Products that there are.
    pub products: [ProductKey; 2],
    /// What must live as long.
    pub keeps: Box<dyn Any + Send>,
}

/// Limits that a test comes to: 4 groups with the default one, 3 of a product, 1 product of a group.
///
/// # Panics
/// Never.
pub fn tight_limits() -> SubscriptionLimits {
    let some = |count| NonZeroUsize::new(count).expect("more than none");
    SubscriptionLimits { groups_max: some(4), groups_per_product_max: some(3), products_per_group_max: some(1) }
}

/// Holds groups and subscriptions to all that is asked of them; each fact gets its own.
///
/// # Panics
/// Where a fact is broken.
pub async fn assert_subscriptions(make: impl AsyncFn() -> SubscriptionsUnderTest) {
    the_default_group_is_always_there(make().await).await;
    a_group_is_made_renamed_and_removed(make().await).await;
    a_group_keeps_the_id_it_had_elsewhere(make().await).await;
    a_name_that_may_not_be_is_refused(make().await).await;
    a_product_has_one_subscription(make().await).await;
    a_subscription_is_of_what_there_is(make().await).await;
    groups_join_and_leave_a_subscription(make().await).await;
    who_changes_at_once_undoes_nothing(make().await).await;
    a_group_that_is_subscribed_is_not_removed(make().await).await;
    no_more_than_the_limits(make().await).await;
    a_group_gets_what_it_is_subscribed_to(make().await).await;
    what_waits_stays_when_a_subscription_ends(make().await).await;
}

const PLAN: [Topic; 2] = [Topic::DeviceData, Topic::DeviceStatus];

impl SubscriptionsUnderTest {
    fn product(&self) -> &ProductKey {
        let [first, _] = &self.products;
        first
    }

    fn other(&self) -> &ProductKey {
        let [_, second] = &self.products;
        second
    }

    async fn made(&self, name: &str) -> GroupId {
        self.subscriptions.create_group(name, None).await.expect("a group").id.clone()
    }

    async fn subscribe(&self, product: &ProductKey, groups: &[&GroupId]) -> Result<(), SubscriptionError> {
        let groups = groups.iter().copied().cloned().collect();
        let new = Subscription { product: product.clone(), topics: PLAN.to_vec(), groups };
        self.subscriptions.subscribe(new).await
    }

    async fn change(&self, change: SubscriptionChange) -> Result<(), SubscriptionError> {
        self.subscriptions.change_subscription(self.product(), change).await
    }

    fn groups_of(&self, product: &ProductKey) -> Vec<GroupId> {
        self.subscriptions.subscription(product).map_or_else(Vec::new, |of| of.groups.clone())
    }

    async fn append(&self, product: &ProductKey, kind: MessageKind) {
        let device = DeviceKey { product: product.clone(), name: "d1".try_into().expect("a name") };
        let words = Words { topic: "/a/topic".to_owned(), body: Bytes::from_static(b"{}"), trace: None };
        let new = NewMessage { kind, device, at: UnixMillis::now(), words };
        self.log.append(vec![new]).await.expect("it can be written");
    }

    async fn unread(&self, group: &GroupId) -> u64 {
        self.log.standing(&group.reader()).await.expect("it can be read").unread
    }
}

fn nobody() -> GroupId {
    GroupId::read("nobodynobodynobodynobody01").expect("26 letters and digits")
}

async fn the_default_group_is_always_there(at: SubscriptionsUnderTest) {
    let default = GroupId::default_group();
    let groups = at.subscriptions.groups();
    assert_eq!(groups.iter().map(|group| &group.id).collect::<Vec<_>>(), [&default]);
    assert_eq!(at.subscriptions.group(&default).expect("it is there").name, GroupId::DEFAULT);

    let renamed = at.subscriptions.rename_group(&default, "another").await;
    let removed = at.subscriptions.delete_group(&default).await;

    assert!(matches!(renamed, Err(SubscriptionError::Refused(_))), "{renamed:?}");
    assert!(matches!(removed, Err(SubscriptionError::Refused(_))), "{removed:?}");
    assert_eq!(at.subscriptions.group(&default).expect("it is there").name, GroupId::DEFAULT);
    assert_eq!(at.log.skip(&default.reader()).await, Ok(0));
    assert_eq!(at.unread(&default).await, 0);
}

async fn a_group_is_made_renamed_and_removed(at: SubscriptionsUnderTest) {
    let first = at.subscriptions.create_group("group", None).await.expect("a group");
    let second = at.subscriptions.create_group("group", None).await.expect("another of this name");
    assert!(first.id != second.id && !first.id.is_default(), "{first:?} {second:?}");
    assert_eq!(at.subscriptions.group(&first.id), Some(first.clone()));
    assert_eq!(at.subscriptions.groups().len(), 3);

    assert_eq!(at.subscriptions.rename_group(&first.id, "消费组").await, Ok(()));
    assert_eq!(at.subscriptions.delete_group(&second.id).await, Ok(()));

    let renamed = ConsumerGroup { name: "消费组".to_owned(), ..(*first).clone() };
    assert_eq!(at.subscriptions.group(&first.id).as_deref(), Some(&renamed));
    assert_eq!(at.subscriptions.group(&second.id), None);
    for gone in [second.id.clone(), nobody()] {
        let no_group = Err(SubscriptionError::NoGroup(gone.clone()));
        assert_eq!(at.subscriptions.rename_group(&gone, "group").await, no_group);
        assert_eq!(at.subscriptions.delete_group(&gone).await, no_group);
    }
}

async fn a_group_keeps_the_id_it_had_elsewhere(at: SubscriptionsUnderTest) {
    let elsewhere = nobody();
    let made = at.subscriptions.create_group("group", Some(elsewhere.clone())).await.expect("a group");
    assert_eq!((&made.id, at.subscriptions.group(&elsewhere)), (&elsewhere, Some(made.clone())));

    for there in [elsewhere, GroupId::default_group()] {
        let again = at.subscriptions.create_group("another", Some(there)).await;
        assert!(matches!(again, Err(SubscriptionError::Refused(_))), "{again:?}");
    }
    assert_eq!(at.subscriptions.groups().len(), 2);
    assert_eq!(at.subscriptions.group(&made.id), Some(made));
}

async fn a_name_that_may_not_be_is_refused(at: SubscriptionsUnderTest) {
    let group = at.made("group").await;
    for name in ["", "abc", "a group", &"消".repeat(16)] {
        let made = at.subscriptions.create_group(name, None).await;
        let renamed = at.subscriptions.rename_group(&group, name).await;
        assert!(matches!(made, Err(SubscriptionError::Refused(_))), "{name:?}: {made:?}");
        assert!(matches!(renamed, Err(SubscriptionError::Refused(_))), "{name:?}: {renamed:?}");
    }
    assert_eq!(at.subscriptions.groups().len(), 2);
    assert_eq!(at.subscriptions.group(&group).expect("it is there").name, "group");
}

async fn a_product_has_one_subscription(at: SubscriptionsUnderTest) {
    let default = GroupId::default_group();
    let none = Err(SubscriptionError::NoSubscription(at.product().clone()));
    assert_eq!(at.subscriptions.unsubscribe(at.product()).await, none);
    assert_eq!(at.change(SubscriptionChange::Add(default.clone())).await, none);

    assert_eq!(at.subscribe(at.product(), &[&default]).await, Ok(()));
    let again = at.subscribe(at.product(), &[&default]).await;

    assert_eq!(again, Err(SubscriptionError::Exists(at.product().clone())));
    let expected = Subscription { product: at.product().clone(), topics: PLAN.to_vec(), groups: vec![default] };
    assert_eq!(at.subscriptions.subscription(at.product()).as_deref(), Some(&expected));
    assert_eq!(at.subscriptions.subscriptions().len(), 1);
    assert_eq!(at.subscriptions.unsubscribe(at.product()).await, Ok(()));
    assert_eq!(at.subscriptions.subscription(at.product()), None);
}

async fn a_subscription_is_of_what_there_is(at: SubscriptionsUnderTest) {
    let default = GroupId::default_group();
    let nowhere: ProductKey = "nowhere".try_into().expect("a key");
    let no_product = Err(SubscriptionError::NoProduct(nowhere.clone()));
    assert_eq!(at.subscribe(&nowhere, &[&default]).await, no_product);
    let no_group = Err(SubscriptionError::NoGroup(nobody()));
    assert_eq!(at.subscribe(at.product(), &[&default, &nobody()]).await, no_group);
    let to_nobody = at.subscribe(at.product(), &[]).await;
    assert!(matches!(to_nobody, Err(SubscriptionError::Refused(_))), "{to_nobody:?}");
    let twice = at.subscribe(at.product(), &[&default, &default]).await;
    assert!(matches!(twice, Err(SubscriptionError::Refused(_))), "{twice:?}");
    assert!(at.subscriptions.subscriptions().is_empty());

    assert_eq!(at.subscribe(at.product(), &[&default]).await, Ok(()));
    assert_eq!(at.change(SubscriptionChange::Add(nobody())).await, no_group);
    let to_nothing = at.change(SubscriptionChange::To { topics: Vec::new(), groups: vec![default.clone()] }).await;
    assert!(matches!(to_nothing, Err(SubscriptionError::Refused(_))), "{to_nothing:?}");
    assert_eq!(at.groups_of(at.product()), [default]);
}

async fn groups_join_and_leave_a_subscription(at: SubscriptionsUnderTest) {
    let (default, group) = (GroupId::default_group(), at.made("group").await);
    assert_eq!(at.subscribe(at.product(), &[&default]).await, Ok(()));

    for _ in 0..2 {
        assert_eq!(at.change(SubscriptionChange::Add(group.clone())).await, Ok(()));
        assert_eq!(at.groups_of(at.product()), [default.clone(), group.clone()]);
    }
    assert_eq!(at.change(SubscriptionChange::Remove(default.clone())).await, Ok(()));
    for not in [default, group.clone()] {
        let refused = at.change(SubscriptionChange::Remove(not)).await;
        assert!(matches!(refused, Err(SubscriptionError::Refused(_))), "{refused:?}");
    }

    let old = at.subscriptions.subscription(at.product()).expect("it is there");
    assert_eq!((&*old.topics, &old.groups), (&PLAN[..], &vec![group.clone()]));
    let to = SubscriptionChange::To { topics: vec![Topic::ThingHistory], groups: vec![group.clone()] };
    assert_eq!(at.change(to).await, Ok(()));
    let new = at.subscriptions.subscription(at.product()).expect("it is there");
    assert_eq!((&*new.topics, &new.groups), (&[Topic::ThingHistory][..], &vec![group]));
}

async fn who_changes_at_once_undoes_nothing(at: SubscriptionsUnderTest) {
    let (default, first, second) = (GroupId::default_group(), at.made("first").await, at.made("second").await);
    assert_eq!(at.subscribe(at.product(), &[&default]).await, Ok(()));

    let joins = |group: &GroupId| at.change(SubscriptionChange::Add(group.clone()));
    assert_eq!(both(joins(&first), joins(&second)).await, (Ok(()), Ok(())));

    let left = at.groups_of(at.product());
    assert!(left.len() == 3 && [default, first, second].iter().all(|group| left.contains(group)), "{left:?}");
}

/// Waits for both beside each other.
async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(context)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = other.as_mut().poll(context)
        {
            second = Some(done);
        }
        match (first.take(), second.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            unfinished => {
                (first, second) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

async fn a_group_that_is_subscribed_is_not_removed(at: SubscriptionsUnderTest) {
    let group = at.made("group").await;
    assert_eq!(at.subscribe(at.product(), &[&group]).await, Ok(()));

    let refused = at.subscriptions.delete_group(&group).await;

    assert!(
        matches!(&refused, Err(SubscriptionError::Refused(why)) if why.contains(at.product().as_str())),
        "{refused:?}"
    );
    assert!(at.subscriptions.group(&group).is_some());
    assert_eq!(at.subscriptions.unsubscribe(at.product()).await, Ok(()));
    assert_eq!(at.subscriptions.delete_group(&group).await, Ok(()));
}

async fn no_more_than_the_limits(at: SubscriptionsUnderTest) {
    let default = GroupId::default_group();
    let [first, second, third] = [at.made("first").await, at.made("second").await, at.made("third").await];
    let full =
        |what: Result<(), SubscriptionError>| assert!(matches!(what, Err(SubscriptionError::Full(_))), "{what:?}");

    full(at.subscriptions.create_group("fourth", None).await.map(|_| ()));
    full(at.subscribe(at.product(), &[&default, &first, &second, &third]).await);
    assert_eq!(at.subscribe(at.product(), &[&default, &first, &second]).await, Ok(()));
    full(at.change(SubscriptionChange::Add(third.clone())).await);
    full(at.subscribe(at.other(), &[&first]).await);

    assert_eq!(at.groups_of(at.product()), [default, first, second]);
    assert_eq!(at.subscribe(at.other(), &[&third]).await, Ok(()));
}

async fn a_group_gets_what_it_is_subscribed_to(at: SubscriptionsUnderTest) {
    let (default, group) = (GroupId::default_group(), at.made("group").await);
    let wanted = |kind| at.log.is_wanted(at.product(), kind);
    assert!(!wanted(MessageKind::Result));
    at.append(at.product(), MessageKind::Result).await;
    assert_eq!(at.subscribe(at.product(), &[&default]).await, Ok(()));
    assert!(wanted(MessageKind::Result) && wanted(MessageKind::Status) && !wanted(MessageKind::LifeCycle));
    assert!(!at.log.is_wanted(at.other(), MessageKind::Result));

    for kind in [MessageKind::Result, MessageKind::Status, MessageKind::LifeCycle] {
        at.append(at.product(), kind).await;
        at.append(at.other(), kind).await;
    }
    assert_eq!((at.unread(&default).await, at.unread(&group).await), (2, 0));

    assert_eq!(at.change(SubscriptionChange::Add(group.clone())).await, Ok(()));
    at.append(at.product(), MessageKind::Result).await;
    assert_eq!((at.unread(&default).await, at.unread(&group).await), (3, 1));
}

async fn what_waits_stays_when_a_subscription_ends(at: SubscriptionsUnderTest) {
    let default = GroupId::default_group();
    assert_eq!(at.subscribe(at.product(), &[&default]).await, Ok(()));
    at.append(at.product(), MessageKind::Status).await;

    assert_eq!(at.subscriptions.unsubscribe(at.product()).await, Ok(()));
    assert!(!at.log.is_wanted(at.product(), MessageKind::Status));
    at.append(at.product(), MessageKind::Status).await;

    assert_eq!(at.unread(&default).await, 1);
    let taken = at.log.take(&default.reader(), 10).await.expect("it can be read");
    let places: Vec<_> = taken.iter().map(|taken| taken.message.place).collect();
    assert_eq!(places.len(), 1);
    assert_eq!(at.log.skip(&default.reader()).await, Ok(0));
    at.log.settle(&default.reader(), &places);
    assert_eq!(at.unread(&default).await, 0);
}
