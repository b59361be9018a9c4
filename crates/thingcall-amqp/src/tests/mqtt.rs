//! Devices that speak MQTT, through RabbitMQ's plugin.

use bytes::Bytes;
use lapin::options::{BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use rumqttc_v4::{
    AsyncClient, AsyncClientBuilder, Event, EventLoop, MqttOptions, Packet, PublishOptions, QoS, SubscribeFilter,
};
use thingcall_core::{CallId, CallMode, DeliverError, Delivery, Qos, RawReply, Reply, Sent, SyncTopic};
use tokio::time::timeout;

use super::device::{Device, connect, queue};
use super::proxy::Proxy;
use super::rabbit::{Rabbit, shared};
use super::{Bench, Names, PATIENCE, Told, delivery, key};
use crate::Config;

const OK: &str = r#"{"id":"7","code":200,"data":{"y":1.0}}"#;

struct MqttDevice {
    client: AsyncClient,
    events: EventLoop,
}

impl MqttDevice {
    /// Connects and subscribes to these.
    async fn start(rabbit: &Rabbit, filters: &[&str]) -> Self {
        let id = format!("test-{:016x}", fastrand::u64(..));
        let mut options = MqttOptions::new(id, ("127.0.0.1", rabbit.mqtt));
        options.set_credentials("guest", "guest").set_clean_session(true);
        let (client, events) = AsyncClientBuilder::new(options).capacity(16).build();
        let filter = |filter: &&str| SubscribeFilter { path: (*filter).to_owned(), qos: QoS::AtLeastOnce };
        client.try_subscribe_many(filters.iter().map(filter)).unwrap();
        let mut device = Self { client, events };
        while !matches!(device.event().await, Event::Incoming(Packet::SubAck(_))) {}
        device
    }

    async fn event(&mut self) -> Event {
        timeout(PATIENCE, self.events.poll()).await.unwrap().unwrap()
    }

    /// The next message: its topic, QoS and payload.
    async fn message(&mut self) -> (String, QoS, Bytes) {
        loop {
            if let Event::Incoming(Packet::Publish(publish)) = self.event().await {
                let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
                return (topic, publish.qos, publish.payload);
            }
        }
    }

    /// Publishes, and returns when the broker has it.
    async fn publish(&mut self, topic: &str, payload: impl Into<Bytes>) {
        self.client.try_publish(topic, payload.into(), PublishOptions::at_least_once()).unwrap();
        while !matches!(self.event().await, Event::Incoming(Packet::PubAck(_))) {}
    }
}

fn mqtt_alone(config: &mut Config) {
    (config.amqp_devices, config.mqtt_devices) = (false, true);
}

fn of(name: &str, mode: CallMode, topic: SyncTopic) -> Delivery {
    Delivery { mode, sync_topic: Some(topic), ..delivery(7, name, Qos::AtMostOnce) }
}

/// A device's name that no other test uses: all share one exchange.
fn unique() -> String {
    format!("m{:08x}", fastrand::u32(..))
}

/// The next reply of this device: what devices of other tests say on the plugin's exchange is heard too.
async fn reply_of(bench: &mut Bench, name: &str) -> Reply {
    loop {
        match bench.told().await {
            Told::Reply(reply) if reply.device == key(name) => return reply,
            Told::Reply(_) | Told::Raw(_) => {}
            Told::Lost => panic!("lost"),
        }
    }
}

/// The next message in this device's own bytes.
async fn raw_of(bench: &mut Bench, name: &str) -> RawReply {
    loop {
        match bench.told().await {
            Told::Raw(raw) if raw.device == key(name) => return raw,
            Told::Reply(_) | Told::Raw(_) => {}
            Told::Lost => panic!("lost"),
        }
    }
}

/// Waits until the engine is told of the connection's end.
async fn until_lost(bench: &mut Bench) {
    while !matches!(bench.told().await, Told::Lost) {}
}

#[tokio::test]
async fn commands_go_on_their_topics_and_answers_come_back() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let mut bench = Bench::ready(rabbit.amqp, &names, mqtt_alone).await;
    let filters = [format!("/sys/pk/{name}/#"), format!("/ext/rrpc/+/sys/pk/{name}/#")];
    for (mode, form, request, answer, topic_id) in [
        (CallMode::Sync, SyncTopic::Rrpc, "/sys/pk/N/rrpc/request/7", "/sys/pk/N/rrpc/response/7", Some(7)),
        (CallMode::Sync, SyncTopic::Ext, "/ext/rrpc/7/sys/pk/N/thing/service/Measure", "", Some(7)),
        (
            CallMode::Async,
            SyncTopic::Rrpc,
            "/sys/pk/N/thing/service/Measure",
            "/sys/pk/N/thing/service/Measure_reply",
            None,
        ),
        (
            CallMode::Sync,
            SyncTopic::Service,
            "/sys/pk/N/thing/service/Measure",
            "/sys/pk/N/thing/service/Measure_reply",
            None,
        ),
        // What a device says that knows no other topic to answer on.
        (CallMode::Sync, SyncTopic::Rrpc, "/sys/pk/N/rrpc/request/7", "/sys/pk/N/thing/service/Measure_reply", None),
    ] {
        let mut device = MqttDevice::start(&rabbit, &[&filters[0], &filters[1]]).await;
        assert_eq!(bench.deliver(&of(&name, mode, form)).await, Ok(Sent::Sent));
        let (topic, qos, payload) = device.message().await;
        assert_eq!((topic.as_str(), qos), (request.replace('N', &name).as_str(), QoS::AtMostOnce));
        assert!(payload.starts_with(br#"{"id":"7","version":"1.0""#), "{payload:?}");
        let answer = if answer.is_empty() { topic } else { answer.replace('N', &name) };
        device.publish(&answer, OK).await;
        let reply = reply_of(&mut bench, &name).await;
        assert_eq!((reply.device, reply.topic_id.map(CallId::as_u32)), (key(&name), topic_id), "{answer}");
        assert_eq!(reply.body.unwrap().code, 200);
    }
}

#[tokio::test]
async fn an_answer_to_a_call_of_an_earlier_connection_is_heard() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let proxy = Proxy::to(rabbit.amqp).await;
    let mut bench = Bench::ready(proxy.port, &names, mqtt_alone).await;
    let mut device = MqttDevice::start(&rabbit, &[&format!("/sys/pk/{name}/#")]).await;
    assert_eq!(bench.deliver(&of(&name, CallMode::Async, SyncTopic::Rrpc)).await, Ok(Sent::Sent));
    let (topic, ..) = device.message().await;
    proxy.cut();
    until_lost(&mut bench).await;
    bench.until_ready().await;
    device.publish(&format!("{topic}_reply"), OK).await;
    assert_eq!(reply_of(&mut bench, &name).await.payload_id, Some(CallId::from_u32(7)));
}

#[tokio::test]
async fn a_device_that_is_not_there_is_offline_at_once() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let bench = Bench::ready(rabbit.amqp, &names, mqtt_alone).await;
    for (mode, form) in
        [(CallMode::Sync, SyncTopic::Rrpc), (CallMode::Async, SyncTopic::Ext), (CallMode::Sync, SyncTopic::Service)]
    {
        let sent = bench.deliver(&of(&name, mode, form)).await;
        assert_eq!(sent, Err(DeliverError::Offline), "{mode:?} {form:?}");
    }
    let raw = Delivery { raw: Some(Bytes::from_static(b"\x01")), ..of(&name, CallMode::Async, SyncTopic::Rrpc) };
    assert_eq!(bench.deliver(&raw).await, Err(DeliverError::Offline));
}

/// Our own queue takes what goes over `/ext/rrpc/...`, since the answer comes on the same topic.
#[tokio::test]
async fn on_ext_topics_the_broker_cannot_tell_who_is_not_there() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let mut bench = Bench::ready(rabbit.amqp, &names, mqtt_alone).await;
    assert_eq!(bench.deliver(&of(&name, CallMode::Sync, SyncTopic::Ext)).await, Ok(Sent::Sent));
    let mut device = MqttDevice::start(&rabbit, &["/none"]).await;
    device.publish(&format!("/sys/pk/{name}/rrpc/response/8"), OK).await;
    assert_eq!(reply_of(&mut bench, &name).await.topic_id, Some(CallId::from_u32(8)), "and no echo before it");
}

#[tokio::test]
async fn an_answer_of_the_very_bytes_of_its_command_is_heard_and_the_echo_is_not() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let mut bench = Bench::ready(rabbit.amqp, &names, mqtt_alone).await;
    let mut device = MqttDevice::start(&rabbit, &[&format!("/ext/rrpc/+/sys/pk/{name}/#")]).await;
    let bytes: &[u8] = b"\x00\xff";
    let raw = Delivery { raw: Some(Bytes::from_static(bytes)), ..of(&name, CallMode::Sync, SyncTopic::Ext) };
    bench.deliver(&raw).await.unwrap();
    let (topic, _, payload) = device.message().await;
    assert_eq!(payload, bytes);
    device.publish(&topic, bytes).await;
    device.publish(&topic, &b"\x02"[..]).await;
    for want in [bytes, b"\x02"] {
        let reply = raw_of(&mut bench, &name).await;
        assert_eq!((&reply.payload[..], reply.device.clone(), reply.topic_id), (want, key(&name), Some(raw.id)));
    }
}

#[tokio::test]
async fn a_persistent_command_comes_at_qos_1() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let bench = Bench::ready(rabbit.amqp, &names, mqtt_alone).await;
    let mut device = MqttDevice::start(&rabbit, &[&format!("/sys/pk/{name}/#")]).await;
    let call = delivery(7, &name, Qos::AtLeastOnce);
    assert_eq!(bench.deliver(&call).await, Ok(Sent::Acked));
    assert_eq!(device.message().await.1, QoS::AtLeastOnce);
}

#[tokio::test]
async fn a_device_of_either_kind_gets_its_command_once() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let bench = Bench::ready(rabbit.amqp, &names, |config| config.mqtt_devices = true).await;
    assert_eq!(bench.deliver(&delivery(1, &name, Qos::AtMostOnce)).await, Err(DeliverError::Offline));
    let mut mqtt = MqttDevice::start(&rabbit, &[&format!("/sys/pk/{name}/#")]).await;
    assert_eq!(bench.deliver(&delivery(2, &name, Qos::AtMostOnce)).await, Ok(Sent::Sent));
    assert!(mqtt.message().await.0.ends_with("/rrpc/request/2"));
    let mut amqp = Device::start(&rabbit, &names, &name).await;
    assert_eq!(bench.deliver(&delivery(3, &name, Qos::AtMostOnce)).await, Ok(Sent::Sent));
    assert_eq!(amqp.command().await.properties.correlation_id().as_ref().unwrap().as_str(), "3");
    drop(amqp);
    super::until_gone(&rabbit, &names, &name).await;
    assert_eq!(bench.deliver(&delivery(4, &name, Qos::AtMostOnce)).await, Ok(Sent::Sent));
    assert!(mqtt.message().await.0.ends_with("/rrpc/request/4"), "and 3 did not come by MQTT");
}

#[tokio::test]
async fn a_command_that_nobody_takes_in_time_expires() {
    let (rabbit, names, name) = (shared(), Names::new(), unique());
    let bench = Bench::ready(rabbit.amqp, &names, mqtt_alone).await;
    // A queue that waits for a device that sleeps.
    let (_connection, channel) = connect(&rabbit, "guest", "guest").await;
    let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let mut dead = FieldTable::default();
    dead.insert("x-dead-letter-exchange".into(), crate::outgoing::text(""));
    let letters = channel.queue_declare("".into(), own, FieldTable::default()).await.unwrap().name().clone();
    dead.insert("x-dead-letter-routing-key".into(), crate::outgoing::text(letters.as_str()));
    queue(&channel, "amq.topic", &[format!(".sys.pk.{name}.#")], own, dead).await;
    let mut expired =
        channel.basic_consume(letters, "".into(), BasicConsumeOptions::default(), FieldTable::default()).await.unwrap();
    let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(4);
    let soon = thingcall_core::Deadline::at(soon.into_std());
    let call = Delivery { deadline: Some(soon), ..delivery(7, &name, Qos::AtMostOnce) };
    assert_eq!(bench.deliver(&call).await, Ok(Sent::Sent));
    let letter = timeout(PATIENCE, futures_util::StreamExt::next(&mut expired)).await.unwrap().unwrap().unwrap();
    assert_eq!(letter.routing_key, expired.queue());
}
