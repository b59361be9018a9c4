//! Devices that come and go.

use thingcall_core::{Credentials, Login, PresenceSink, SyncTopic, TransportName};
use thingcall_tsl::{Registry, Route};

use super::*;

const EMBEDDED: TransportName = TransportName::EMBEDDED;

#[tokio::test]
async fn memory_tells_presence_at_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.online(&key("d1"), EMBEDDED, Some("10.0.0.1:5"), UnixMillis(100));
    let now = told(&bench.store, "d1").await;
    assert!(now.online && now.address.as_deref() == Some("10.0.0.1:5"));
    assert_eq!((now.activated_at, now.last_seen_at), (Some(UnixMillis(100)), Some(UnixMillis(100))));
    bench.store.seen(&key("d1"), EMBEDDED, UnixMillis(200));
    bench.store.seen(&key("d1"), EMBEDDED, UnixMillis(150));
    assert_eq!(told(&bench.store, "d1").await.last_seen_at, Some(UnixMillis(200)));
    bench.store.offline(&key("d1"), UnixMillis(300));
    bench.store.online(&key("d1"), EMBEDDED, None, UnixMillis(400));
    let again = told(&bench.store, "d1").await;
    assert_eq!((again.activated_at, again.last_seen_at), (Some(UnixMillis(100)), Some(UnixMillis(400))));
}

#[tokio::test]
async fn presence_is_written_and_a_tool_leaves_it_alone() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    bench.store.claim(&Conditions::default()).await.unwrap();
    bench.store.online(&key("d1"), EMBEDDED, Some("10.0.0.1:5"), UnixMillis(100));
    bench.store.flush().await;
    let tool = bench.other().await;
    assert!(told(&tool, "d1").await.online && !told(&tool, "d2").await.online);
    tool.close().await;
    let tool = bench.other().await;
    let seen = told(&tool, "d1").await;
    assert!(seen.online && seen.activated_at == Some(UnixMillis(100)));
    assert_eq!(seen.address.as_deref(), Some("10.0.0.1:5"));
}

#[tokio::test]
async fn presence_outlives_a_change_of_the_device_and_dies_with_it() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.online(&key("d1"), EMBEDDED, None, UnixMillis(100));
    bench.store.set_enabled(&key("d1"), false).await.unwrap();
    assert!(told(&bench.store, "d1").await.online);
    bench.store.remove(&key("d1")).await.unwrap();
    bench.store.register(device("d1")).await.unwrap();
    bench.store.flush().await;
    assert!(!told(&*bench.other().await, "d1").await.online);
    assert_eq!(told(&bench.store, "d1").await.activated_at, None);
}

#[tokio::test]
async fn a_device_nobody_registered_is_left_out() {
    let bench = bench().await;
    bench.store.online(&key("d9"), EMBEDDED, None, UnixMillis(1));
    bench.store.flush().await;
    assert!(bench.store.credential(&key("d9")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_credential_says_whether_the_device_may_connect() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let secret = told(&bench.store, "d1").await.secret;
    let credential = || bench.store.credential(&key("d1"));
    let told = credential().await.unwrap().unwrap();
    assert_eq!((told.secret, told.enabled), (secret.clone(), true));
    bench.store.set_enabled(&key("d1"), false).await.unwrap();
    let told = credential().await.unwrap().unwrap();
    assert_eq!((told.secret, told.enabled), (secret, false));
}

#[tokio::test]
async fn the_way_to_a_device_outlives_a_restart() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let none = way(&bench.store, "d1").await.route();
    assert_eq!(none, Route::default());
    let login = Login { transport: TransportName::AMQP, sync_topic: Some(SyncTopic::Ext), address: None };
    bench.store.logged_in(&key("d1"), &login, UnixMillis(100));
    let factory = TransportName::new("factory-1");
    bench.store.set_transport(&key("d1"), factory).await.unwrap();
    let bench = bench.reopened().await;
    let route = Route { last: Some(TransportName::AMQP), sync_topic: Some(SyncTopic::Ext), unanswered: 0 };
    assert_eq!(way(&bench.store, "d1").await.route(), route);
    let record = told(&bench.store, "d1").await;
    assert_eq!((record.device.transport, record.activated_at), (factory, Some(UnixMillis(100))));
    // A report that comes another way says nothing about topics.
    bench.store.seen(&key("d1"), EMBEDDED, UnixMillis(200));
    assert_eq!(way(&bench.store, "d1").await.route(), Route { last: Some(EMBEDDED), ..route });
    bench.store.set_transport(&key("d1"), None).await.unwrap();
    assert_eq!(told(&bench.store, "d1").await.device.transport, None);
}

#[tokio::test]
async fn what_a_device_answers_on_is_told_once_and_outlives_a_restart() {
    let bench = bench().await.with_devices(&["d1"]).await;
    assert!(way(&bench.store, "d1").await.answered(SyncTopic::Ext));
    assert!(!way(&bench.store, "d1").await.answered(SyncTopic::Ext));
    // A login that does not say which topic takes nothing away; one that does is believed.
    let login = |sync_topic| Login { transport: TransportName::MQTT, sync_topic, address: None };
    bench.store.logged_in(&key("d1"), &login(None), UnixMillis(100));
    let bench = bench.reopened().await;
    assert_eq!(way(&bench.store, "d1").await.route().sync_topic, Some(SyncTopic::Ext));
    bench.store.logged_in(&key("d1"), &login(Some(SyncTopic::Rrpc)), UnixMillis(200));
    assert_eq!(way(&bench.store, "d1").await.route().sync_topic, Some(SyncTopic::Rrpc));
}

#[tokio::test]
async fn of_calls_that_were_made_together_one_counts_as_unanswered() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let way = way(&bench.store, "d1").await;
    for _ in 0..10 {
        way.unanswered(0);
    }
    assert_eq!(way.route().unanswered, 1);
    way.unanswered(1);
    assert_eq!(way.route().unanswered, 2);
    bench.store.answered_late(&key("d1"));
    assert_eq!(way.route(), Route::default());
}

#[tokio::test]
async fn a_clock_that_was_set_back_leaves_no_time_to_come() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let day = 24 * 60 * 60 * 1000;
    // In the year 2100.
    let ahead = UnixMillis(4_102_444_800_000);
    bench.run("UPDATE devices SET last_seen_at = 4102444800000, activated_at = 4102444800000").await;
    let bench = bench.reopened().await;
    let now = UnixMillis::now();
    let record = told(&bench.store, "d1").await;
    assert!(record.last_seen_at.is_some_and(|at| at < ahead) && record.activated_at.is_some_and(|at| at < ahead));
    // What is heard then counts, although it is earlier.
    bench.store.seen(&key("d2"), EMBEDDED, now);
    assert_eq!(told(&bench.store, "d2").await.last_seen_at, Some(now));
    bench.store.flush().await;
    let record = told(&*bench.other().await, "d2").await;
    assert_eq!((record.last_seen_at, record.activated_at), (Some(now), Some(now)));
    // An earlier sign that comes later does not count.
    bench.store.seen(&key("d2"), EMBEDDED, UnixMillis(now.0 - day));
    bench.store.flush().await;
    assert_eq!(told(&*bench.other().await, "d2").await.last_seen_at, Some(now));
}

#[tokio::test]
async fn when_a_device_came_is_not_when_it_was_last_heard_of() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let store = &bench.store;
    store.online(&key("d1"), EMBEDDED, None, UnixMillis(100));
    store.seen(&key("d1"), EMBEDDED, UnixMillis(200));
    let login = Login { transport: TransportName::MQTT, sync_topic: None, address: None };
    store.logged_in(&key("d2"), &login, UnixMillis(100));
    store.seen(&key("d2"), TransportName::MQTT, UnixMillis(200));
    let times = |record: DeviceRecord| (record.came_at(), record.changed_at(), record.last_seen_at);
    let at = |at| Some(UnixMillis(at));
    for _ in 0..2 {
        assert_eq!(times(told(store, "d1").await), (at(100), at(100), at(200)));
        assert_eq!(times(told(store, "d2").await), (at(100), at(200), at(200)), "nobody tells that it went");
        store.flush().await;
    }
    let other = bench.other().await;
    assert_eq!(times(told(&other, "d1").await), (at(100), at(100), at(200)));
    store.offline(&key("d1"), UnixMillis(300));
    assert_eq!(times(told(store, "d1").await), (at(100), at(300), at(300)));
    store.online(&key("d1"), EMBEDDED, None, UnixMillis(400));
    assert_eq!(times(told(store, "d1").await), (at(400), at(400), at(400)));
}

#[tokio::test]
async fn signs_of_a_device_mean_the_same_whichever_way_they_come() {
    let bench = bench().await.with_devices(&["d1", "d2", "d3"]).await;
    let ahead = UnixMillis(UnixMillis::now().0 + 60_000);
    bench.store.online(&key("d1"), EMBEDDED, None, ahead);
    bench.store.seen(&key("d2"), TransportName::MQTT, ahead);
    let login = Login { transport: TransportName::AMQP, sync_topic: None, address: None };
    bench.store.logged_in(&key("d3"), &login, ahead);
    for (name, from) in [("d1", EMBEDDED), ("d2", TransportName::MQTT), ("d3", TransportName::AMQP)] {
        let record = told(&bench.store, name).await;
        assert!(record.last_seen_at <= Some(UnixMillis::now()) && record.activated_at == record.last_seen_at);
        assert_eq!(record.came_from, Some(from));
    }
}

/// Whoever came again after a crash was told the device's secret, since it was not written yet that the device had logged in.
#[tokio::test]
async fn a_first_login_is_written_before_the_device_is_let_in_where_it_may_come_for_its_secret() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let store = &bench.store;
    let is_written = async |name: &str| {
        let row = store.shared().reads.device(&key(name)).await.unwrap().unwrap();
        row.live.seen().activated_at.is_some()
    };
    // A product that tells no secrets lets its devices in at once.
    let device = key("d1");
    let refused = store.first_is_written(&device);
    assert!(matches!(refused, thingcall_core::LookUp::Known(_)), "{refused:?}");
    let secret = thingcall_tsl::ProductSecret::try_from("0123456789abcdef").unwrap();
    let registration = Some(thingcall_tsl::Registration { who: thingcall_tsl::Registrants::Any, secret });
    let settings = ProductSettings { registration, ..ProductSettings::default() };
    store.change_settings(&"p".try_into().unwrap(), settings).await.unwrap();
    assert!(!is_written("d1").await && !is_written("d2").await);
    let now = UnixMillis::now();
    store.online(&key("d1"), TransportName::EMBEDDED, None, now);
    store.first_is_written(&key("d1")).await.unwrap();
    assert!(is_written("d1").await && !is_written("d2").await);
    // Long after its first login, nothing is waited for.
    store.online(&key("d2"), TransportName::EMBEDDED, None, UnixMillis(now.0 - 3_600_000));
    found(store, "d2").await.unwrap();
    let device = key("d2");
    let later = store.first_is_written(&device);
    assert!(matches!(later, thingcall_core::LookUp::Known(_)), "{later:?}");
}
