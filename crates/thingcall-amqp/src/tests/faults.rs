//! Bad days of brokers and wires.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lapin::BasicProperties;
use thingcall_core::{DeliverError, Qos, Secret, Sent, Transport};
use tokio::time::timeout;

use super::device::Device;
use super::proxy::Proxy;
use super::rabbit::{faulty, shared};
use super::{Bench, Names, PATIENCE, Told, delivery, until};
use crate::Config;

#[tokio::test]
async fn a_wrong_password_is_told_and_tried_again() {
    let rabbit = shared();
    let wrong = |config: &mut Config| config.password = Secret::new("wrong");
    let bench = Bench::start(rabbit.amqp, &Names::new(), wrong);
    until("refused twice", || bench.metric("connects_total", "auth") >= 2.0).await;
    assert!(!bench.transport.ready());
    let nowhere = |config: &mut Config| config.vhost = "nowhere".to_owned();
    let bench = Bench::start(rabbit.amqp, &Names::new(), nowhere);
    until("refused", || bench.metric("connects_total", "auth") >= 1.0).await;
}

#[tokio::test]
async fn nothing_is_taken_before_there_is_a_connection() {
    let bench = Bench::start(1, &Names::new(), |_| {});
    assert_eq!(bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await, Err(DeliverError::Down));
    until("refused", || bench.metric("connects_total", "refused") >= 2.0).await;
    assert_eq!(bench.metric("up", ""), 0.0);
}

#[tokio::test]
async fn a_new_connection_sends_nothing_of_the_old_one() {
    let (rabbit, names) = (shared(), Names::new());
    let proxy = Proxy::to(rabbit.amqp).await;
    let mut bench = Bench::ready(proxy.port, &names, |config| config.instance = Some("one".to_owned())).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    for id in 0..3 {
        assert_eq!(bench.deliver(&delivery(id, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
        let command = device.command().await;
        proxy.cut();
        assert!(matches!(bench.told().await, Told::Lost));
        bench.until_ready().await;
        // The key of replies has stayed.
        let body = format!(r#"{{"id":"{id}","code":200}}"#);
        device.answer(&command, body.as_bytes(), BasicProperties::default()).await;
        assert_eq!(bench.reply().await.payload_id.map(|id| id.as_u32()), Some(id));
    }
    assert_eq!((bench.metric("connects_total", "ok"), bench.metric("up", "")), (4.0, 1.0));
}

/// Calls without end while the wire is cut again and again: each ends once, and none comes twice.
#[tokio::test]
async fn each_delivery_ends_once_and_comes_once_however_often_the_wire_is_cut() {
    let (rabbit, names) = (shared(), Names::new());
    let proxy = Proxy::to(rabbit.amqp).await;
    let mut bench = Bench::ready(proxy.port, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    let mut ends: HashMap<u32, Result<Sent, DeliverError>> = HashMap::new();
    for round in 0..6 {
        let calls: Vec<_> = (0..200).map(|at| Arc::new(delivery(round * 1000 + at, "d1", Qos::AtMostOnce))).collect();
        let deliver = |call: Arc<thingcall_core::Delivery>| {
            let transport = bench.transport.clone();
            tokio::spawn(async move { (call.id.as_u32(), transport.deliver(&call).await) })
        };
        let running: Vec<_> = calls.into_iter().map(deliver).collect();
        // Once some have arrived.
        let _first = device.command().await;
        proxy.cut();
        for call in running {
            let (id, end) = timeout(PATIENCE, call).await.unwrap().unwrap();
            ends.insert(id, end);
        }
        assert!(matches!(bench.told().await, Told::Lost));
        bench.until_ready().await;
    }
    bench.deliver(&delivery(999_999, "d1", Qos::AtMostOnce)).await.unwrap();
    let mut came: HashMap<u32, u32> = HashMap::new();
    loop {
        let id = device.command().await.properties.correlation_id().as_ref().unwrap().as_str().parse().unwrap();
        if id == 999_999 {
            break;
        }
        *came.entry(id).or_default() += 1;
    }
    assert!(came.values().all(|times| *times == 1));
    assert_eq!(ends.len(), 1200);
    for (id, end) in &ends {
        let honest = match end {
            Ok(Sent::Sent) => true,
            Err(DeliverError::Lost) => true,
            Err(DeliverError::Down) => !came.contains_key(id),
            _ => false,
        };
        assert!(honest, "{id}: {end:?}, came {:?}", came.get(id));
    }
    until("empty", || bench.metric("send_queue_length", "") == 0.0).await;
    assert!(bench.told.try_recv().is_err());
}

#[tokio::test]
async fn a_silent_broker_is_left_and_its_calls_end() {
    let (rabbit, names) = (shared(), Names::new());
    let proxy = Proxy::to(rabbit.amqp).await;
    let quick = |config: &mut Config| {
        config.heartbeat = Duration::from_secs(2);
        config.connect_timeout = Duration::from_secs(2);
    };
    let mut bench = Bench::ready(proxy.port, &names, quick).await;
    let _device = Device::start(&rabbit, &names, "d1").await;
    bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await.unwrap();
    proxy.silence();
    assert_eq!(bench.deliver(&delivery(2, "d1", Qos::AtMostOnce)).await, Err(DeliverError::Lost));
    assert!(matches!(bench.told().await, Told::Lost));
    until("given up", || bench.metric("connects_total", "timeout") >= 2.0).await;
    // A thread of lapin's lives as long as its socket.
    until("rid of what was given up", || proxy.open() <= 2).await;
    proxy.cut();
    bench.until_ready().await;
}

#[tokio::test]
async fn a_queue_that_is_deleted_under_us_comes_back() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await.unwrap();
    let command = device.command().await;
    rabbit.control(&["delete_queue", &format!("{}.slot-0", names.replies)]);
    assert!(matches!(bench.told().await, Told::Lost));
    bench.until_ready().await;
    device.answer(&command, br#"{"id":"1","code":200}"#, BasicProperties::default()).await;
    bench.reply().await;
}

fn unique() -> String {
    format!("i{:016x}", fastrand::u64(..))
}

fn failure(bench: &Bench) -> String {
    bench.transport.failure().unwrap_or_default()
}

fn prefetches_one(config: &mut Config) {
    config.prefetch_messages_max = 1.try_into().unwrap();
    config.probe_interval = Duration::from_millis(100);
}

#[tokio::test]
async fn a_broker_short_of_memory_refuses_at_once_and_its_replies_still_come() {
    let rabbit = faulty().lock().await;
    let names = Names::new();
    let mut bench = Bench::ready(rabbit.amqp, &names, prefetches_one).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    for id in 0..3 {
        bench.deliver(&delivery(id, "d1", Qos::AtMostOnce)).await.unwrap();
    }
    let commands = [device.command().await, device.command().await, device.command().await];
    rabbit.control(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
    // The broker says so at the next message, which is the probe.
    until("blocked", || failure(&bench).contains("takes no messages (low on memory)")).await;
    assert_eq!(bench.metric("up", ""), 0.0);
    assert_eq!(bench.deliver(&delivery(10, "d1", Qos::AtMostOnce)).await, Err(DeliverError::Down));
    assert!(bench.metric("published_total", "blocked") >= 1.0);
    let answers = async {
        for command in &commands {
            device.answer(command, br#"{"id":"1","code":200}"#, BasicProperties::default()).await;
        }
    };
    // The device's own answers wait until the broker has room again; those before it do not.
    let room = async {
        rabbit.control(&["set_vm_memory_high_watermark", "0.6"]);
    };
    tokio::join!(answers, room);
    for _ in 0..3 {
        bench.reply().await;
    }
    bench.until_ready().await;
    assert_eq!(bench.deliver(&delivery(11, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
}

#[tokio::test]
async fn a_broker_that_stands_still_is_not_ready_and_ready_again_on_the_same_connection() {
    let rabbit = faulty().lock().await;
    let quick = |config: &mut Config| {
        config.probe_interval = Duration::from_millis(100);
        // Longer than the machine may be busy, shorter than the heartbeat that would end the connection.
        config.probe_timeout = Duration::from_secs(2);
        config.heartbeat = Duration::from_secs(300);
    };
    let bench = Bench::ready(rabbit.amqp, &Names::new(), quick).await;
    let paused = rabbit.pause();
    until("silent", || failure(&bench).contains("answers no probe")).await;
    assert_eq!(bench.metric("up", ""), 0.0);
    until("owed", || bench.metric("unacknowledged_oldest_seconds", "") >= 2.0).await;
    assert!(bench.metric("unacknowledged_length", "") >= 1.0);
    drop(paused);
    bench.until_ready().await;
    assert_eq!((bench.metric("connects_total", "ok"), bench.metric("up", "")), (1.0, 1.0));
    until("settled", || bench.metric("unacknowledged_length", "") <= 1.0).await;
}

#[tokio::test]
async fn a_message_that_is_not_confirmed_is_told_also_without_a_probe() {
    let (rabbit, names) = (shared(), Names::new());
    let proxy = Proxy::to(rabbit.amqp).await;
    let without = |config: &mut Config| {
        config.probe = false;
        config.publish_ack_timeout = Duration::from_millis(500);
        config.heartbeat = Duration::from_secs(300);
    };
    let bench = Bench::ready(proxy.port, &names, without).await;
    assert_eq!(bench.deliver(&delivery(0, "nobody", Qos::AtMostOnce)).await, Err(DeliverError::Offline));
    proxy.silence();
    let no_deadline = thingcall_core::Delivery { deadline: None, ..delivery(1, "nobody", Qos::AtMostOnce) };
    assert_eq!(bench.deliver(&no_deadline).await, Err(DeliverError::Lost), "its caller waits no longer");
    until("told", || failure(&bench).contains("has not confirmed a message")).await;
    proxy.cut();
    bench.until_ready().await;
}

#[tokio::test]
async fn a_broker_that_refuses_the_probe_is_ready_and_probed_once() {
    let (rabbit, names) = (shared(), Names::new());
    let (user, ours) = (unique(), r"^(test|thingcall)\..*");
    rabbit.control(&["add_user", &user, "secret"]);
    rabbit.control(&["set_permissions", &user, ours, ours, ours]);
    let refused = |config: &mut Config| {
        config.username = user.clone();
        config.password = Secret::new("secret");
        config.probe_interval = Duration::from_millis(100);
    };
    let bench = Bench::ready(rabbit.amqp, &names, refused).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await.unwrap();
    device.command().await;
    assert!(!bench.transport.protocol().is_probed(), "it would cost the broker a channel each time");
    assert_eq!((failure(&bench), bench.metric("connects_total", "ok")), (String::new(), 1.0));
}

#[tokio::test]
async fn a_restart_of_the_broker_in_the_middle_of_calls_ends_them_and_is_survived() {
    let mut rabbit = faulty().lock().await;
    let names = Names::new();
    let mut bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    let calls: Vec<_> = (0..500).map(|id| delivery(id, "d1", Qos::AtLeastOnce)).collect();
    let running: Vec<_> = calls
        .into_iter()
        .map(|call| {
            let transport = bench.transport.clone();
            tokio::spawn(async move { transport.deliver(&call).await })
        })
        .collect();
    let _first = device.command().await;
    rabbit.kill();
    for call in running {
        let end = timeout(PATIENCE, call).await.unwrap().unwrap();
        assert!(matches!(end, Ok(Sent::Acked) | Err(DeliverError::Lost | DeliverError::Down)), "{end:?}");
    }
    assert!(matches!(bench.told().await, Told::Lost));
    assert_eq!(bench.deliver(&delivery(500, "d1", Qos::AtMostOnce)).await, Err(DeliverError::Down));
    rabbit.start_again();
    bench.until_ready().await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    bench.deliver(&delivery(501, "d1", Qos::AtMostOnce)).await.unwrap();
    let command = device.command().await;
    assert_eq!(command.properties.correlation_id().as_ref().unwrap().as_str(), "501", "and nothing from before");
    until("empty", || bench.metric("send_queue_length", "") == 0.0).await;
}

#[tokio::test]
async fn a_shutdown_says_goodbye_and_ends_the_calls() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    timeout(PATIENCE, bench.transport.shutdown(PATIENCE * 2)).await.unwrap();
    assert!(matches!(bench.told().await, Told::Lost));
    assert!(!bench.transport.ready());
    assert_eq!(bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await, Err(DeliverError::Down));
    assert_eq!(bench.metric("up", ""), 0.0);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_silent_broker() {
    let (rabbit, names) = (shared(), Names::new());
    let proxy = Proxy::to(rabbit.amqp).await;
    let mut bench = Bench::ready(proxy.port, &names, |_| {}).await;
    // Now there is a channel.
    bench.deliver(&delivery(0, "d1", Qos::AtMostOnce)).await.unwrap_err();
    proxy.silence();
    let call = delivery(1, "d1", Qos::AtMostOnce);
    let transport = bench.transport.clone();
    let waiting = tokio::spawn(async move { transport.deliver(&call).await });
    until("on its way", || bench.metric("send_queue_length", "") >= 1.0).await;
    bench.transport.shutdown(Duration::ZERO).await;
    assert_eq!(waiting.await.unwrap(), Err(DeliverError::Lost));
    assert!(matches!(bench.told().await, Told::Lost));
    let bench = Bench::start(proxy.port, &names, |_| {});
    timeout(PATIENCE, bench.transport.shutdown(PATIENCE * 2)).await.unwrap();
}
