//! Calls of devices that speak AMQP.

use bytes::Bytes;
use futures_util::future::join_all;
use lapin::BasicProperties;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use thingcall_core::{Args, CallId, CallMode, Deadline, DeliverError, Delivery, Qos, Sent, Transport, TransportName};

use super::device::{Device, connect, queue};
use super::rabbit::{DEVICE_PASSWORD, DEVICE_USER, shared};
use super::{Bench, Names, PATIENCE, Told, delivery, key, until};
use crate::Voucher;

const OK: &[u8] = br#"{"id":"7","code":200,"data":{"y":1.0}}"#;

#[tokio::test]
async fn a_command_is_what_the_contract_says_and_its_reply_is_heard() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready(rabbit.amqp, &names, |config| config.instance = Some("one".to_owned())).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;

    let call = Delivery { service: "fb:Measure".parse().unwrap(), ..delivery(7, "d1", Qos::AtLeastOnce) };
    assert_eq!(bench.deliver(&call).await, Ok(Sent::Acked));
    let command = device.command().await;
    assert_eq!(command.routing_key.as_str(), ".sys.pk.d1.thing.service.fb:Measure");
    let text = r#"{"id":"7","version":"1.0","params":{"x":10.0},"method":"thing.service.fb:Measure"}"#;
    assert_eq!(String::from_utf8_lossy(&command.data), text);
    let said = &command.properties;
    assert_eq!(said.content_type().as_ref().unwrap().as_str(), "application/json");
    assert_eq!(said.correlation_id().as_ref().unwrap().as_str(), "7");
    assert_eq!(said.reply_to().as_ref().unwrap().as_str(), ".sys.pk.d1.thing.reply.slot-0");
    assert_eq!(said.delivery_mode(), &Some(2));
    let expiration: u128 = said.expiration().as_ref().unwrap().as_str().parse().unwrap();
    assert!((1..=PATIENCE.as_millis()).contains(&expiration), "{expiration}");
    let headers = said.headers().as_ref().unwrap().inner();
    for (name, value) in [
        ("device_name", "d1"),
        ("mode", "sync"),
        ("product_key", "pk"),
        ("service", "fb:Measure"),
        ("thingcall-command", "one"),
    ] {
        assert_eq!(headers.get(name), Some(&AMQPValue::LongString(value.into())), "{name}");
    }

    device.answer(&command, OK, BasicProperties::default()).await;
    let reply = bench.reply().await;
    assert_eq!((reply.device, reply.payload_id, reply.topic_id), (key("d1"), Some(call.id), Some(call.id)));
    assert_eq!(reply.body.unwrap().data, r#"{"y":1.0}"#);
    assert_eq!(bench.metric("published_total", "acked"), 1.0);
    assert_eq!((bench.metric("received_total", "reply"), bench.metric("send_queue_length", "")), (1.0, 0.0));
}

#[tokio::test]
async fn an_asynchronous_command_says_so_and_does_not_expire() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    let call = Delivery { mode: CallMode::Async, deadline: None, ..delivery(7, "d1", Qos::AtMostOnce) };
    assert_eq!(bench.deliver(&call).await, Ok(Sent::Sent));
    let command = device.command().await;
    assert_eq!((command.properties.expiration(), command.properties.delivery_mode()), (&None, &Some(1)));
    let mode = command.properties.headers().as_ref().unwrap().inner().get("mode").cloned();
    assert_eq!(mode, Some(AMQPValue::LongString("async".into())));
}

/// RabbitMQ confirms many at once and returns some of them: each result must be that of its own message.
#[tokio::test]
async fn of_many_commands_at_once_those_to_absent_devices_alone_are_offline() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let _device = Device::start(&rabbit, &names, "d1").await;
    for round in 0..5 {
        let calls: Vec<_> = (0..300)
            .map(|at| delivery(round * 1000 + at, if at % 3 == 1 { "absent" } else { "d1" }, Qos::AtMostOnce))
            .collect();
        let sent = join_all(calls.iter().map(|call| bench.deliver(call))).await;
        for (call, sent) in calls.iter().zip(sent) {
            let want = if call.id.as_u32() % 1000 % 3 == 1 { Err(DeliverError::Offline) } else { Ok(Sent::Sent) };
            assert_eq!(sent, want, "{}", call.id);
        }
    }
    assert_eq!(bench.metric("published_total", "returned"), 500.0);
    assert_eq!(bench.metric("send_queue_length", ""), 0.0);
}

#[tokio::test]
async fn raw_commands_and_replies_are_carried_untouched() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let bytes: &[u8] = b"\x00{\xff\n";
    let raw = BasicProperties::default().with_content_type("application/octet-stream".into());
    for (name, with) in [("d1", raw), ("raw1", BasicProperties::default())] {
        let mut device = Device::start(&rabbit, &names, name).await;
        let call = Delivery { raw: Some(Bytes::from_static(bytes)), ..delivery(7, name, Qos::AtMostOnce) };
        bench.deliver(&call).await.unwrap();
        let command = device.command().await;
        assert_eq!(command.routing_key.as_str(), format!(".sys.pk.{name}.thing.model.down_raw"));
        assert_eq!(command.data, bytes);
        assert_eq!(command.properties.content_type().as_ref().unwrap().as_str(), "application/octet-stream");
        device.answer(&command, bytes, with).await;
        let reply = bench.raw().await;
        assert_eq!((reply.device, reply.topic_id), (key(name), Some(CallId::from_u32(7))));
        assert_eq!(reply.payload, bytes);
    }
}

#[tokio::test]
async fn replies_under_the_keys_of_topics_are_heard_too() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let device = Device::start(&rabbit, &names, "d1").await;
    let none = BasicProperties::default;
    device.publish(".sys.pk.d1.thing.service.Measure_reply".into(), OK, none()).await;
    assert_eq!(bench.reply().await.payload_id, Some(CallId::from_u32(7)));
    device.publish(".sys.pk.d1.rrpc.response.8".into(), br#"{"code":200}"#, none()).await;
    assert_eq!(bench.reply().await.topic_id, Some(CallId::from_u32(8)));
    device.publish(".sys.pk.d1.thing.model.up_raw".into(), b"\x01", none()).await;
    assert_eq!(bench.raw().await.payload, &b"\x01"[..]);
}

#[tokio::test]
async fn a_reply_counts_for_the_device_that_its_user_is() {
    let (rabbit, names) = (shared(), Names::new());
    let vouched = |config: &mut crate::Config| config.replies_vouched_by = Voucher::UserId;
    let mut bench = Bench::ready(rabbit.amqp, &names, vouched).await;
    let guest = Device::start(&rabbit, &names, "d1").await;
    let device = Device::start_as(&rabbit, &names, "d1", (DEVICE_USER, DEVICE_PASSWORD)).await;
    let to = |name: &str| format!(".sys.pk.{name}.thing.reply.slot-0").into();
    let as_user = |user: &str| BasicProperties::default().with_user_id(user.into());
    guest.publish(to("d1"), OK, BasicProperties::default()).await;
    guest.publish(to("d1"), OK, as_user("guest")).await;
    device.publish(to("d2"), OK, as_user(DEVICE_USER)).await;
    device.publish(to("d2"), b"raw", as_user(DEVICE_USER).with_content_type("application/octet-stream".into())).await;
    device.publish(to("d1"), br#"{"id":"9","code":200}"#, as_user(DEVICE_USER)).await;
    assert_eq!(bench.reply().await.payload_id, Some(CallId::from_u32(9)), "and none before it");
    assert_eq!((bench.metric("received_total", "other"), bench.metric("received_total", "reply")), (4.0, 1.0));
}

#[tokio::test]
async fn a_queue_that_takes_no_more_is_a_refusal() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let (_connection, channel) = connect(&rabbit, "guest", "guest").await;
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(1));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    queue(&channel, &names.commands, &[".sys.pk.d1.#".to_owned()], own, full).await;
    assert_eq!(bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
    let sent = bench.deliver(&delivery(2, "d1", Qos::AtMostOnce)).await;
    assert!(matches!(&sent, Err(DeliverError::Refused(why)) if why.contains("could not take it")), "{sent:?}");
    assert_eq!(bench.metric("published_total", "nacked"), 1.0);
    assert!(bench.transport.ready());
}

#[tokio::test]
async fn an_exchange_that_is_deleted_comes_back() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let (_connection, channel) = connect(&rabbit, "guest", "guest").await;
    channel.exchange_delete(names.commands.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
    let sent = bench.deliver(&delivery(1, "d1", Qos::AtMostOnce)).await;
    assert!(matches!(&sent, Err(DeliverError::Refused(why)) if why.contains("exchange")), "{sent:?}");
    assert!(matches!(bench.told().await, Told::Lost));
    bench.until_ready().await;
    assert_eq!(bench.deliver(&delivery(2, "d1", Qos::AtMostOnce)).await, Err(DeliverError::Offline));
}

#[tokio::test]
async fn a_command_that_we_may_not_publish_is_refused_and_ends_no_other_call() {
    let (rabbit, names) = (shared(), Names::new());
    let user = names.commands.as_str();
    rabbit.control(&["add_user", user, "guest"]);
    rabbit.control(&["set_permissions", user, ".*", ".*", ".*"]);
    rabbit.control(&["set_topic_permissions", user, &names.commands, r"^\.sys\.pk\.d1\.", ".*"]);
    let mut bench = Bench::ready(rabbit.amqp, &names, |config| config.username = user.to_owned()).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    assert_eq!(bench.deliver(&delivery(7, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
    let command = device.command().await;
    for id in 8..12 {
        let sent = bench.deliver(&delivery(id, "d2", Qos::AtMostOnce)).await;
        assert!(matches!(&sent, Err(DeliverError::Refused(why)) if why.contains("may not write")), "{sent:?}");
    }
    device.answer(&command, OK, BasicProperties::default()).await;
    assert_eq!(bench.reply().await.payload_id, Some(CallId::from_u32(7)), "and no end of the connection before it");
    assert_eq!(bench.deliver(&delivery(12, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
    assert_eq!(bench.metric("connects_total", "ok"), 1.0);
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_at_once() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |config| config.message_bytes_max = 1024).await;
    let dotted = bench.deliver(&delivery(1, "d.1", Qos::AtMostOnce)).await;
    assert!(matches!(&dotted, Err(DeliverError::Refused(why)) if why.contains(r#""d.1" has a dot"#)), "{dotted:?}");
    let long = Args::checked(&format!(r#"{{"x":"{}"}}"#, "y".repeat(1024)));
    let long = bench.deliver(&Delivery { params: long, ..delivery(2, "d1", Qos::AtMostOnce) }).await;
    assert!(matches!(long, Err(DeliverError::TooLarge { max: 1024, .. })), "{long:?}");
}

#[tokio::test]
async fn a_delivery_that_is_dropped_is_sent_once_or_not_at_all_and_leaves_nothing() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |config| config.publish_channels_max = 2.try_into().unwrap()).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    for at in 0..50 {
        let call = delivery(at, if at % 2 == 0 { "d1" } else { "absent" }, Qos::AtMostOnce);
        let deliver = std::pin::pin!(bench.transport.deliver(&call));
        // Polled once, then dropped with the message on its way.
        assert!(futures_util::poll!(deliver).is_pending());
    }
    assert_eq!(bench.deliver(&delivery(1001, "absent", Qos::AtMostOnce)).await, Err(DeliverError::Offline));
    assert_eq!(bench.deliver(&delivery(1000, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
    let mut seen = Vec::new();
    loop {
        let id = device.command().await.properties.correlation_id().as_ref().unwrap().to_string();
        assert!(!seen.contains(&id), "{id} twice");
        if id == "1000" {
            break;
        }
        seen.push(id);
    }
    until("empty", || bench.metric("send_queue_length", "") == 0.0).await;
}

#[tokio::test]
async fn a_command_whose_time_is_up_is_not_sent() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    let past = Deadline::at(tokio::time::Instant::now().into_std());
    let late = Delivery { deadline: Some(past), ..delivery(1, "d1", Qos::AtMostOnce) };
    assert!(matches!(bench.deliver(&late).await, Err(DeliverError::QueueFull(_))));
    assert_eq!(bench.deliver(&delivery(2, "d1", Qos::AtMostOnce)).await, Ok(Sent::Sent));
    assert_eq!(device.command().await.properties.correlation_id().as_ref().unwrap().as_str(), "2");
}

#[tokio::test]
async fn more_messages_than_may_wait_are_refused() {
    let (rabbit, names) = (shared(), Names::new());
    let few = |config: &mut crate::Config| {
        config.send_queue_messages_max = 4.try_into().unwrap();
        // It takes a place as commands do.
        config.probe = false;
        config.publish_channels_max = 1.try_into().unwrap();
    };
    let bench = Bench::ready(rabbit.amqp, &names, few).await;
    let calls: Vec<_> = (0..20).map(|id| delivery(id, "d1", Qos::AtMostOnce)).collect();
    let sent = join_all(calls.iter().map(|call| bench.deliver(call))).await;
    let full = sent.iter().filter(|sent| **sent == Err(DeliverError::QueueFull(4))).count();
    let offline = sent.iter().filter(|sent| **sent == Err(DeliverError::Offline)).count();
    assert_eq!((full, offline), (16, 4));
    assert_eq!(bench.metric("published_total", "blocked"), 16.0);
}

#[tokio::test]
async fn certificates_are_checked_both_ways() {
    let (rabbit, names) = (shared(), Names::new());
    let tls = |config: &mut crate::Config| {
        config.url = format!("amqps://127.0.0.1:{}", rabbit.amqps);
        config.tls.ca_file = Some(rabbit.file("ca.pem"));
        config.tls.client_cert_file = Some(rabbit.file("client.pem"));
        config.tls.client_key_file = Some(rabbit.file("client.key"));
    };
    let bench = Bench::ready(rabbit.amqps, &names, tls).await;
    assert_eq!(bench.deliver(&delivery(1, "absent", Qos::AtMostOnce)).await, Err(DeliverError::Offline));

    let without = |config: &mut crate::Config| {
        tls(config);
        (config.tls.client_cert_file, config.tls.client_key_file) = (None, None);
    };
    let bench = Bench::start(rabbit.amqps, &names, without);
    until("refused", || bench.metric("connects_total", "refused") + bench.metric("connects_total", "tls") >= 1.0).await;
    assert!(!bench.transport.ready());

    let strange = |config: &mut crate::Config| {
        tls(config);
        config.tls.ca_file = Some(rabbit.file("client.pem"));
    };
    let bench = Bench::start(rabbit.amqps, &names, strange);
    until("refused", || bench.metric("connects_total", "tls") >= 1.0).await;
}

#[tokio::test]
async fn two_brokers_have_metrics_each_and_two_of_one_name_are_refused() {
    let registry = prometheus::Registry::new();
    let start = |name| {
        let engine =
            std::sync::Arc::new(super::Engine(tokio::sync::mpsc::unbounded_channel().0, super::Held::default()));
        let around = thingcall_transport::Around {
            replies: engine.clone(),
            presence: engine,
            slots: thingcall_core::Slots::alone(0),
        };
        crate::AmqpTransport::start(name, crate::Config::default(), around, &registry)
    };
    let _first = start(TransportName::AMQP).unwrap();
    let north = TransportName::new("north").unwrap();
    assert_eq!(start(north).unwrap().name(), north);
    assert!(matches!(start(north), Err(thingcall_transport::BrokerStartError::Metrics(_))));
}
