//! Behind a broker that says nothing of logins: on which topic a device is called.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::{
    DeliverError, Delivery, DeviceKey, Presence, ReplySink, Sent, SyncTopic, Transport, TransportKind, TransportName,
    Unawaited,
};
use thingcall_tsl::ProductSettings;
use tokio::time::sleep;

use crate::testbench::{Bench, SECOND, TOPIC, bench_with, reply};
use crate::{Config, Engine};

use SyncTopic::{Ext, Rrpc};

/// A broker that keeps what it was given, and a device that answers on one topic alone.
struct Broker {
    engine: Arc<Engine>,
    takes: Mutex<Option<SyncTopic>>,
    /// How long the device takes.
    delay: Duration,
    topics: Mutex<Vec<SyncTopic>>,
    hangs: AtomicBool,
}

#[async_trait]
impl Transport for Broker {
    fn kind(&self) -> TransportKind {
        TransportKind::Mqtt
    }
    fn name(&self) -> TransportName {
        TransportName::MQTT
    }
    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Unknown
    }
    fn ready(&self) -> bool {
        true
    }
    fn failure(&self) -> Option<String> {
        self.hangs.load(Ordering::Relaxed).then(|| "it hangs".to_owned())
    }
    fn sync_topic(&self) -> Option<SyncTopic> {
        Some(Rrpc)
    }
    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        self.topics.lock().unwrap().push(delivery.sync_topic.unwrap());
        if delivery.sync_topic == *self.takes.lock().unwrap() {
            let (engine, id, delay) = (self.engine.clone(), delivery.id, self.delay);
            tokio::spawn(async move {
                sleep(delay).await;
                engine.accept(reply("dev1", id, r#"{"mean":7}"#), TOPIC, &Unawaited);
            });
        }
        Ok(Sent::Sent)
    }
}

fn site(takes: Option<SyncTopic>, delay: Duration, says: Option<SyncTopic>) -> (Bench, Arc<Broker>) {
    let transport = Some(TransportName::MQTT);
    let settings = ProductSettings { transport, sync_topic: says, ..ProductSettings::default() };
    let bench = bench_with(Config::default(), settings, |_, _| Ok(Sent::Sent));
    let (engine, topics, takes) = (bench.engine.clone(), Mutex::default(), Mutex::new(takes));
    let broker = Arc::new(Broker { engine, takes, delay, topics, hangs: AtomicBool::new(false) });
    bench.engine.attach(broker.clone());
    (bench, broker)
}

/// Makes so many calls, one after the other, and says how many were answered.
async fn call(bench: &Bench, calls: usize) -> usize {
    let mut answered = 0;
    for _ in 0..calls {
        answered += usize::from(bench.engine.invoke(bench.request("Measure", r#"{"channel":1}"#)).await.is_ok());
    }
    answered
}

#[tokio::test(start_paused = true)]
async fn a_device_on_the_other_topic_is_found_after_one_timeout_and_kept() {
    let (bench, broker) = site(Some(Ext), Duration::ZERO, None);
    assert_eq!(call(&bench, 4).await, 3);
    assert_eq!(*broker.topics.lock().unwrap(), [Rrpc, Ext, Ext, Ext]);
    assert_eq!(bench.found().way.unwrap().route().sync_topic, Some(Ext));
    bench.assert_empty();
}

#[tokio::test(start_paused = true)]
async fn a_device_that_was_heard_may_sleep_a_while_and_is_called_where_it_was_heard() {
    let (bench, broker) = site(Some(Rrpc), Duration::ZERO, None);
    assert_eq!(call(&bench, 1).await, 1);
    *broker.takes.lock().unwrap() = None;
    assert_eq!(call(&bench, 14).await, 0);
    *broker.takes.lock().unwrap() = Some(Rrpc);
    assert_eq!(call(&bench, 1).await, 1);
    assert_eq!(*broker.topics.lock().unwrap(), [Rrpc; 16]);
    assert_eq!(bench.found().way.unwrap().route().unanswered, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_product_names_is_tried_alone() {
    let (bench, broker) = site(Some(Ext), Duration::ZERO, Some(Rrpc));
    assert_eq!(call(&bench, 3).await, 0);
    assert_eq!(*broker.topics.lock().unwrap(), [Rrpc; 3]);
    assert_eq!(bench.found().way.unwrap().route().unanswered, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_device_is_heard_where_it_is() {
    let (bench, broker) = site(Some(Rrpc), 9 * SECOND, None);
    for _ in 0..3 {
        assert_eq!(call(&bench, 1).await, 0);
        sleep(2 * SECOND).await;
    }
    assert_eq!(*broker.topics.lock().unwrap(), [Rrpc; 3]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_time_out_together_turn_the_topic_once() {
    let (bench, broker) = site(Some(Ext), Duration::ZERO, None);
    tokio::join!(call(&bench, 1), call(&bench, 1), call(&bench, 1), call(&bench, 1));
    assert_eq!(call(&bench, 1).await, 1);
    assert_eq!(*broker.topics.lock().unwrap(), [Rrpc, Rrpc, Rrpc, Rrpc, Ext]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_device_may_have_answered_where_nobody_reads() {
    let (bench, broker) = site(None, Duration::ZERO, None);
    let request = bench.request("Measure", r#"{"channel":1}"#);
    let id = request.request_id.to_string();
    bench.engine.invoke(request).await.unwrap_err();
    let hint = bench.engine.failures(&id).remove(0).hint.unwrap();
    assert!(hint.contains("/rrpc/request/{id}") && hint.contains("deploy/topics.md"), "{hint}");

    broker.hangs.store(true, Ordering::Relaxed);
    let request = bench.request("Measure", r#"{"channel":1}"#);
    let id = request.request_id.to_string();
    bench.engine.invoke(request).await.unwrap_err();
    let hint = bench.engine.failures(&id).remove(0).hint.unwrap();
    assert!(hint.contains("transport mqtt is not ready: it hangs"), "{hint}");
}
