//! Which devices are connected, as a real RabbitMQ tells it.

use rumqttc_v4::{AsyncClientBuilder, Event, EventLoop, MqttOptions, Packet};
use thingcall_core::{CallMode, DeliverError, Delivery, Presence, Qos, SyncTopic, Transport as _};
use tokio::time::timeout;

use super::device::connect;
use super::rabbit::{DEVICE_PASSWORD, DEVICE_USER, Rabbit, faulty};
use super::{Bench, Names, PATIENCE, Told, delivery, key, until};
use crate::Config;

fn told(config: &mut Config) {
    config.presence = crate::Presence::Rabbitmq;
    config.mqtt_devices = true;
}

/// The device, by MQTT; it is there as long as its loop.
async fn by_mqtt(rabbit: &Rabbit) -> EventLoop {
    let mut options = MqttOptions::new(format!("test-{:016x}", fastrand::u64(..)), ("127.0.0.1", rabbit.mqtt));
    options.set_credentials(DEVICE_USER, DEVICE_PASSWORD).set_clean_session(true);
    let (_client, mut events) = AsyncClientBuilder::new(options).capacity(1).build();
    let connected = async { while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::ConnAck(_))) {} };
    timeout(PATIENCE, connected).await.unwrap();
    events
}

async fn until_it_is(bench: &Bench, presence: Presence) {
    until(&format!("{presence:?}"), || bench.transport.presence(&key("d1")) == presence).await;
}

#[tokio::test]
async fn devices_of_both_protocols_are_seen_to_come_and_go() {
    let rabbit = faulty().lock().await;
    let bench = Bench::ready(rabbit.amqp, &Names::new(), told).await;
    assert_eq!(bench.transport.presence(&key("d1")), Presence::Unknown);
    // Our own queue would take a command on this topic, so that the broker alone cannot say that nobody is there.
    let call = Delivery { sync_topic: Some(SyncTopic::Ext), ..delivery(1, "d1", Qos::AtMostOnce) };
    bench.deliver(&call).await.unwrap();

    let (connection, _channel) = connect(&rabbit, DEVICE_USER, DEVICE_PASSWORD).await;
    until_it_is(&bench, Presence::Online).await;
    let mqtt = by_mqtt(&rabbit).await;
    until("both", || bench.metric("presence_events_total", "\"connected") >= 2.0).await;
    connection.close(200, "bye".into()).await.unwrap();
    until("one", || bench.metric("presence_events_total", "disconnected") >= 1.0).await;
    assert_eq!(bench.transport.presence(&key("d1")), Presence::Online, "it is there by MQTT");
    drop(mqtt);
    until_it_is(&bench, Presence::Offline).await;
    assert_eq!(bench.deliver(&call).await, Err(DeliverError::Offline));
    assert_eq!(bench.deliver(&Delivery { mode: CallMode::Async, ..call.clone() }).await, Err(DeliverError::Offline));
    let _mqtt = by_mqtt(&rabbit).await;
    until_it_is(&bench, Presence::Online).await;
    bench.deliver(&call).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_restarted_has_told_nothing() {
    let mut rabbit = faulty().lock().await;
    let mut bench = Bench::ready(rabbit.amqp, &Names::new(), told).await;
    let mqtt = by_mqtt(&rabbit).await;
    until_it_is(&bench, Presence::Online).await;
    rabbit.kill();
    while !matches!(bench.told().await, Told::Lost) {}
    assert_eq!(bench.transport.presence(&key("d1")), Presence::Unknown);
    drop(mqtt);
    rabbit.start_again();
    bench.until_ready().await;
    assert_eq!(bench.transport.presence(&key("d1")), Presence::Unknown);
}

#[tokio::test]
async fn a_broker_that_does_not_tell_serves_calls_all_the_same() {
    let rabbit = faulty().lock().await;
    rabbit.control(&["add_vhost", "quiet"]);
    rabbit.control(&["set_permissions", "-p", "quiet", "guest", ".*", ".*", ".*"]);
    let quiet = |config: &mut Config| {
        told(config);
        config.vhost = "quiet".to_owned();
    };
    let bench = Bench::ready(rabbit.amqp, &Names::new(), quiet).await;
    assert_eq!(bench.transport.presence(&key("d1")), Presence::Unknown);
}
