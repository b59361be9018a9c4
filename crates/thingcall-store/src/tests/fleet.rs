//! Fleet calls, as they are kept: each device's call begins once, whoever makes it.

use std::time::Duration;

use thingcall_core::{
    FleetCall, FleetCalls, FleetEnd, FleetError, FleetLimits, FleetOrder, FleetOutcome, FleetState, Qos,
};

use super::*;

const LEASE: Duration = Duration::from_secs(60);
const LIMITS: FleetLimits = FleetLimits { calls_max: 3, devices_max: 3 };

fn order(devices: &[&str]) -> FleetOrder {
    FleetOrder {
        account: "acme".to_owned(),
        key: Some("key1".to_owned()),
        product: "p".try_into().unwrap(),
        devices: devices.iter().map(|name| (*name).try_into().unwrap()).collect(),
        service: "m:Measure".try_into().unwrap(),
        args: r#"{"channel":1}"#.to_owned(),
        qos: Qos::AtLeastOnce,
        calls_per_second: 50,
        in_flight: 10,
    }
}

fn ended(outcome: FleetOutcome) -> FleetEnd {
    let (code, message) = (Some("460".to_owned()), Some("it's \"so\"".to_owned()));
    let result = Some(r#"{"mean":1}"#.to_owned());
    FleetEnd { outcome, code, message, message_id: Some("7".to_owned()), result, at: UnixMillis(9) }
}

async fn three(bench: Bench) -> (Bench, FleetCall) {
    let bench = bench.with_devices(&["d1", "d2", "d3"]).await;
    let call = bench.store.create(order(&[]), LIMITS).await.unwrap();
    (bench, call)
}

async fn begun(store: &Store, call: &FleetCall, by: &str, max: u32) -> Vec<i64> {
    store.begin_devices(&call.id, by, max).await.unwrap().iter().map(|device| device.number).collect()
}

#[tokio::test]
async fn what_is_ordered_is_kept_with_the_devices_there_are() {
    let (bench, call) = three(bench().await).await;
    let store = &bench.store;
    assert_eq!((call.total, call.begun, call.state), (3, 0, FleetState::Running));
    assert_eq!(call.order, order(&[]));
    let some = store.create(order(&["d1", "d3"]), LIMITS).await.unwrap();
    let devices = store.fleet_devices(&some.id, None, 0, 10).await.unwrap();
    let names: Vec<_> = devices.shown.iter().map(|device| device.name.as_str()).collect();
    assert_eq!((names, devices.total), (vec!["d1", "d3"], 2));
    let missing = store.create(order(&["d1", "nobody"]), LIMITS).await.unwrap_err();
    assert!(missing.to_string().contains("1 of the 2 devices do not exist"), "{missing}");
    assert!(missing.to_string().ends_with(": nobody"), "{missing}");
    let many: Vec<_> = (0..9).map(|n| format!("n{n}")).collect();
    let many = store.create(order(&many.iter().map(String::as_str).collect::<Vec<_>>()), LIMITS).await.unwrap_err();
    assert!(many.to_string().ends_with(": n0, n1, n2, n3, n4, ..."), "{many}");
    let large = store.create(order(&[]), FleetLimits { devices_max: 2, ..LIMITS }).await.unwrap_err();
    assert!(large.to_string().contains("fleet_devices_max"), "{large}");
    store.create(order(&["d2"]), LIMITS).await.unwrap();
    let many = store.create(order(&["d2"]), LIMITS).await.unwrap_err();
    assert!(matches!(many, FleetError::Full(_)) && many.to_string().contains("fleet_calls_max"), "{many}");
    let list = store.fleet_calls("acme", 1, 1).await.unwrap();
    assert_eq!((list.shown.len(), list.total), (1, 3));
    assert_eq!(store.fleet_calls("other", 0, 10).await.unwrap().total, 0);
    assert_eq!(store.fleet_call("other", &call.id).await, Err(FleetError::NotFound(call.id.clone())));
}

/// A hundred of them once locked an account out for as long as they were kept.
#[tokio::test]
async fn what_ended_first_makes_room_and_what_runs_does_not() {
    let (bench, first) = three(bench().await).await;
    let store = &bench.store;
    let [second, third] =
        [store.create(order(&["d1"]), LIMITS).await.unwrap(), store.create(order(&["d2"]), LIMITS).await.unwrap()];
    let full = store.create(order(&["d3"]), LIMITS).await.unwrap_err();
    assert!(full.to_string().contains("fleet calls of this account run"), "{full}");
    store.cancel("acme", &third.id).await.unwrap();
    bench.run("UPDATE fleet_calls SET ended_at = 5 WHERE ended_at IS NOT NULL").await;
    store.give_up(&second.id, "because").await.unwrap();
    let fourth = store.create(order(&["d3"]), LIMITS).await.unwrap();
    let kept: Vec<_> = store.fleet_marks("acme").await.unwrap().into_iter().map(|mark| mark.id).collect();
    assert_eq!(kept.len(), 3);
    assert!([&first, &second, &fourth].iter().all(|call| kept.contains(&call.id)), "the one that ended first is gone");
    assert_eq!(store.fleet_devices(&third.id, None, 0, 10).await.unwrap().total, 0);
    store.create(order(&["d3"]), LIMITS).await.unwrap();
    assert!(store.create(order(&["d3"]), LIMITS).await.is_err(), "all of them run");
}

#[tokio::test]
async fn what_is_given_up_says_why_and_whose_it_is_is_kept() {
    let (bench, call) = three(bench().await).await;
    let store = &bench.store;
    store.take_fleet_calls("one", LEASE).await.unwrap();
    assert_eq!(begun(store, &call, "one", 1).await, [1]);
    store.give_up(&call.id, "its access key key1 is disabled").await.unwrap();
    assert_eq!(begun(store, &call, "one", 1).await, [0_i64; 0]);
    let told = store.fleet_call("acme", &call.id).await.unwrap();
    assert_eq!((told.state, told.reason.as_deref()), (FleetState::Cancelled, Some("its access key key1 is disabled")));
    store.cancel("acme", &call.id).await.unwrap();
    assert_eq!(store.fleet_call("acme", &call.id).await.unwrap().reason, told.reason, "it stays as it was");
    let marks = store.fleet_marks("acme").await.unwrap();
    assert_eq!((marks[0].product.as_str(), marks[0].key.as_deref()), ("p", Some("key1")));
    assert!(store.fleet_marks("other").await.unwrap().is_empty());
}

#[tokio::test]
async fn calls_begin_once_and_end_once_and_then_it_has_ended() {
    let (bench, call) = three(bench().await).await;
    let store = &bench.store;
    assert_eq!(begun(store, &call, "one", 2).await, [0_i64; 0], "nobody has it");
    assert_eq!(store.take_fleet_calls("one", LEASE).await.unwrap().len(), 1);
    assert_eq!(begun(store, &call, "one", 2).await, [1, 2]);
    assert_eq!(begun(store, &call, "one", 2).await, [3]);
    assert_eq!(begun(store, &call, "one", 2).await, [0_i64; 0]);
    let ends = [(1, ended(FleetOutcome::Succeeded)), (2, ended(FleetOutcome::Failed))];
    store.end_devices(&call.id, &ends).await.unwrap();
    store.end_devices(&call.id, &[(2, ended(FleetOutcome::Succeeded))]).await.unwrap();
    let failed = store.fleet_devices(&call.id, Some(FleetOutcome::Failed), 0, 10).await.unwrap();
    assert_eq!((failed.total, &failed.shown[0].end), (1, &Some(ended(FleetOutcome::Failed))));
    assert_eq!(store.fleet_call("acme", &call.id).await.unwrap().state, FleetState::Running);
    store.end_devices(&call.id, &[(3, ended(FleetOutcome::Unknown))]).await.unwrap();
    assert_eq!(begun(store, &call, "one", 2).await, [0_i64; 0]);
    let told = store.fleet_call("acme", &call.id).await.unwrap();
    assert_eq!((told.state, told.begun), (FleetState::Ended, 3));
    assert_eq!((told.succeeded, told.failed, told.unknown), (1, 1, 1));
    assert!(store.take_fleet_calls("one", LEASE).await.unwrap().is_empty());
}

#[tokio::test]
async fn another_goes_on_when_the_first_is_gone_and_begins_nothing_again() {
    let (bench, call) = three(bench().await).await;
    let store = &bench.store;
    store.take_fleet_calls("one", LEASE).await.unwrap();
    assert_eq!(begun(store, &call, "one", 2).await, [1, 2]);
    store.end_devices(&call.id, &[(1, ended(FleetOutcome::Succeeded))]).await.unwrap();
    assert!(store.take_fleet_calls("two", LEASE).await.unwrap().is_empty(), "the first has it");
    bench.run("UPDATE fleet_calls SET runner_until = 1").await;
    assert_eq!(begun(store, &call, "one", 2).await, [0_i64; 0], "its time is over");
    assert_eq!(store.take_fleet_calls("two", LEASE).await.unwrap().len(), 1);
    let unknown = store.fleet_devices(&call.id, Some(FleetOutcome::Unknown), 0, 10).await.unwrap().shown;
    let told: Vec<_> = unknown.iter().map(|device| (device.number, device.end.clone().unwrap().code)).collect();
    assert_eq!(told, [(2, Some("interrupted".to_owned()))]);
    assert_eq!(begun(store, &call, "two", 2).await, [3], "what had begun begins no more");
    assert_eq!(begun(store, &call, "one", 2).await, [0_i64; 0]);
    store.let_go("two").await.unwrap();
    assert_eq!(store.take_fleet_calls("one", LEASE).await.unwrap().len(), 1, "who lets go is not waited for");
}

#[tokio::test]
async fn what_is_cancelled_begins_no_more_and_is_forgotten_in_time() {
    let (bench, call) = three(bench().await).await;
    let store = &bench.store;
    store.take_fleet_calls("one", LEASE).await.unwrap();
    assert_eq!(begun(store, &call, "one", 1).await, [1]);
    assert!(store.cancel("other", &call.id).await.is_err());
    store.cancel("acme", &call.id).await.unwrap();
    store.cancel("acme", &call.id).await.unwrap();
    assert_eq!(begun(store, &call, "one", 1).await, [0_i64; 0]);
    store.end_devices(&call.id, &[(1, ended(FleetOutcome::Succeeded))]).await.unwrap();
    let told = store.fleet_call("acme", &call.id).await.unwrap();
    assert_eq!((told.state, told.succeeded), (FleetState::Cancelled, 1));
    let at = told.ended_at.unwrap();
    assert_eq!(store.forget_fleet_calls(at).await.unwrap(), 0);
    assert_eq!(store.forget_fleet_calls(UnixMillis(at.0 + 1)).await.unwrap(), 1);
    assert_eq!(store.fleet_devices(&call.id, None, 0, 10).await.unwrap().total, 0);
}
