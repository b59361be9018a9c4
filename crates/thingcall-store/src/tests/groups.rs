//! Consumer groups and subscriptions.

use std::time::Duration;

use thingcall_core::{
    ConsumerGroup, GroupId, MessageKind, MessageLog, NewMessage, ProductKey, Subscription, SubscriptionChange,
    SubscriptionError, Subscriptions, Topic, Words,
};

use super::*;

fn p() -> ProductKey {
    "p".try_into().unwrap()
}

fn to(topics: &[Topic], groups: &[&GroupId]) -> Subscription {
    Subscription { product: p(), topics: topics.to_vec(), groups: groups.iter().map(|id| (*id).clone()).collect() }
}

fn names(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = store.groups().iter().map(|group| group.name.clone()).collect();
    names.sort_unstable();
    names
}

fn event() -> NewMessage {
    let words = Words { topic: "t".to_owned(), body: "{}".into(), trace: None };
    NewMessage { kind: MessageKind::Event, device: key("d1"), at: UnixMillis::now(), words }
}

#[tokio::test]
async fn the_default_group_is_always_there_and_others_come_and_go() {
    let bench = bench().await.with_devices(&[]).await;
    let default = GroupId::default_group();
    assert!(bench.store.group(&default).is_some_and(|group| group.created_at.0 > 1_600_000_000_000));
    let made = bench.store.create_group("lamps", None).await.unwrap();
    assert_eq!(bench.store.group(&made.id).as_deref(), Some(&*made));
    bench.store.rename_group(&made.id, "lights").await.unwrap();
    let bench = bench.reopened().await;
    assert_eq!(names(&bench.store), ["DEFAULT_GROUP", "lights"]);
    let other = bench.other().await;
    bench.store.delete_group(&made.id).await.unwrap();
    assert_eq!(names(&bench.store), ["DEFAULT_GROUP"]);
    while other.group(&made.id).is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for refused in [bench.store.rename_group(&default, "lamps").await, bench.store.delete_group(&default).await] {
        assert!(matches!(refused, Err(SubscriptionError::Refused(_))), "{refused:?}");
    }
    assert_eq!(bench.store.delete_group(&made.id).await, Err(SubscriptionError::NoGroup(made.id.clone())));
    assert!(matches!(bench.store.create_group("a", None).await, Err(SubscriptionError::Refused(_))));
}

#[tokio::test]
async fn a_group_s_reader_gets_what_the_subscriptions_that_name_it_want() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let (default, made) = (GroupId::default_group(), bench.store.create_group("lamps", None).await.unwrap().id.clone());
    bench.store.subscribe(to(&[Topic::DeviceStatus], &[&default])).await.unwrap();
    assert_eq!(*bench.store.subscription(&p()).unwrap(), to(&[Topic::DeviceStatus], &[&default]));
    assert!(bench.store.is_wanted(&p(), MessageKind::Status) && !bench.store.is_wanted(&p(), MessageKind::Event));
    bench.store.change_subscription(&p(), SubscriptionChange::Add(made.clone())).await.unwrap();
    let data = SubscriptionChange::To { topics: vec![Topic::DeviceData], groups: vec![made.clone()] };
    bench.store.change_subscription(&p(), data).await.unwrap();
    assert!(!bench.store.is_wanted(&p(), MessageKind::Status) && bench.store.is_wanted(&p(), MessageKind::Event));
    bench.store.append(vec![event()]).await.unwrap();
    assert_eq!(bench.store.standing(&made.reader()).await.unwrap().unread, 1);
    assert_eq!(bench.store.standing(&default.reader()).await.unwrap().unread, 0);
    let refused = bench.store.delete_group(&made).await;
    assert!(matches!(refused, Err(SubscriptionError::Refused(_))), "a subscription names it: {refused:?}");
    bench.store.unsubscribe(&p()).await.unwrap();
    assert!(!bench.store.is_wanted(&p(), MessageKind::Event));
    let bench = bench.reopened().await;
    assert_eq!(bench.store.standing(&made.reader()).await.unwrap().unread, 1, "what is queued stays");
    assert!(bench.store.subscriptions().is_empty());
    bench.store.delete_group(&made).await.unwrap();
    assert_eq!(bench.store.standing(&made.reader()).await.unwrap().unread, 0);
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let bench = bench().await.with_devices(&[]).await;
    let (default, nobody) = (GroupId::default_group(), GroupId::read(&"x".repeat(26)).unwrap());
    let data = [Topic::DeviceData];
    let q = Subscription { product: "q".try_into().unwrap(), ..to(&data, &[&default]) };
    assert_eq!(bench.store.subscribe(q.clone()).await, Err(SubscriptionError::NoProduct(q.product.clone())));
    let refused = bench.store.subscribe(to(&data, &[&nobody])).await;
    assert_eq!(refused, Err(SubscriptionError::NoGroup(nobody)));
    assert!(matches!(bench.store.subscribe(to(&[], &[&default])).await, Err(SubscriptionError::Refused(_))));
    let none = SubscriptionError::NoSubscription(p());
    assert_eq!(bench.store.unsubscribe(&p()).await, Err(none.clone()));
    let add = SubscriptionChange::Add(default.clone());
    assert_eq!(bench.store.change_subscription(&p(), add).await, Err(none));
    bench.store.subscribe(to(&data, &[&default])).await.unwrap();
    assert_eq!(bench.store.subscribe(to(&data, &[&default])).await, Err(SubscriptionError::Exists(p())));
}

#[tokio::test]
async fn of_two_who_add_a_group_at_once_neither_undoes_the_other() {
    let bench = bench().await.with_devices(&[]).await;
    let other = bench.other().await;
    bench.store.subscribe(to(&[Topic::DeviceData], &[&GroupId::default_group()])).await.unwrap();
    let groups: Vec<ConsumerGroup> = vec![
        (*bench.store.create_group("group_a", None).await.unwrap()).clone(),
        (*bench.store.create_group("group_b", None).await.unwrap()).clone(),
    ];
    let (product, add) = (p(), |at: usize| SubscriptionChange::Add(groups[at].id.clone()));
    let (a, b) =
        tokio::join!(bench.store.change_subscription(&product, add(0)), other.change_subscription(&product, add(1)));
    assert_eq!((a, b), (Ok(()), Ok(())));
    while bench.store.subscription(&p()).unwrap().groups.len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
