//! What a watch sees, and what it does not.

use std::sync::Arc;

use thingcall_core::{DeviceKey, Happened, Seen};

use super::{AT_ONCE, DeviceWatches, EVENTS_MAX};

fn device(name: &str) -> DeviceKey {
    DeviceKey { product: "pk1".try_into().unwrap(), name: name.try_into().unwrap() }
}

fn topics(seen: &Seen) -> Vec<String> {
    let topic = |what: &Happened| {
        let Happened::Published { topic, .. } = what else { panic!("{what:?}") };
        topic.clone()
    };
    seen.events.iter().map(|event| topic(&event.what)).collect()
}

#[tokio::test]
async fn a_watch_sees_its_own_device_alone() {
    let watches = Arc::new(DeviceWatches::default());
    let mut watch = watches.watch(device("dev1"));
    watches.published(&device("dev2"), "embedded", ("/another", 1));
    watches.published(&device("dev1"), "embedded", ("/its\nown", 2));
    let seen = watch.next().await;
    assert_eq!((topics(&seen), seen.missed), (vec!["/its\\nown".to_owned()], 0));
    assert_eq!(seen.events[0].by, "embedded");
}

#[tokio::test]
async fn a_watch_that_is_not_read_holds_so_much_and_is_told_what_it_missed() {
    let watches = Arc::new(DeviceWatches::default());
    let mut watch = watches.watch(device("dev1"));
    (0..EVENTS_MAX + 7).for_each(|at| watches.published(&device("dev1"), "mqtt", (&at.to_string(), 1)));
    let mut all = Vec::new();
    for _ in 0..EVENTS_MAX / AT_ONCE - 1 {
        let seen = watch.next().await;
        assert_eq!(seen.missed, 0);
        all.extend(topics(&seen));
    }
    let last = watch.next().await;
    all.extend(topics(&last));
    assert_eq!(last.missed, 7);
    assert_eq!(all, (0..EVENTS_MAX).map(|at| at.to_string()).collect::<Vec<_>>());
}

#[test]
fn nothing_is_made_for_nobody() {
    let watches = Arc::new(DeviceWatches::default());
    watches.tell(&device("dev1"), "mqtt", || panic!("nobody watches"));
    let watch = watches.watch(device("dev1"));
    watches.tell(&device("dev2"), "mqtt", || panic!("nobody watches this one"));
    drop(watch);
    watches.tell(&device("dev1"), "mqtt", || panic!("nobody watches any more"));
    assert!(watches.all().is_empty());
}
