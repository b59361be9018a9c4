//! Results of asynchronous calls.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use thingcall_core::{CallId, Device, IotId, Transport, UnixMillis};
use tokio::time::timeout;

use super::device::{connect, queue};
use super::rabbit::{faulty, shared};
use super::{Bench, Names, PATIENCE, key};
use crate::{Delivered, NotDelivered, ResultMessage, Results};

fn result(id: u32, name: &str, service: &str) -> ResultMessage {
    ResultMessage {
        at: UnixMillis(1_700_000_000_123),
        id: CallId::from_u32(id),
        device: Device { key: key(name), iot_id: IotId::try_from("iot1").unwrap(), enabled: true, transport: None },
        service: service.parse().unwrap(),
        code: 200,
        message: "success".to_owned(),
        data: r#"{"y":10.0}"#.to_owned(),
        trace: None,
    }
}

async fn next(consumer: &mut lapin::Consumer) -> Delivery {
    let delivery = timeout(PATIENCE, consumer.next()).await.unwrap().unwrap().unwrap();
    delivery.ack(BasicAckOptions::default()).await.unwrap();
    delivery
}

#[tokio::test]
async fn consumers_choose_product_device_and_module() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let results = Results::of(&bench.transport).unwrap();
    assert_eq!(results.publish(&result(1, "d1", "Set")).await, Ok(Delivered::Nobody));
    let (_connection, channel) = connect(&rabbit, "guest", "guest").await;
    let mut consumers = Vec::new();
    for (pattern, ids) in [
        ("pk.#", vec![2, 3, 4]),
        ("other.#", vec![]),
        ("pk.*.*.d1", vec![2, 3]),
        ("pk.*.*.d.1", vec![4]),
        ("*.fb.#", vec![3]),
        ("*.-.#", vec![2, 4]),
        ("*.*.Set.#", vec![2, 3, 4]),
    ] {
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = queue(&channel, &names.results, &[pattern.to_owned()], own, FieldTable::default()).await;
        let none = FieldTable::default();
        consumers
            .push((channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), none).await.unwrap(), ids));
    }
    for (id, name, service) in [(2, "d1", "Set"), (3, "d1", "fb:Set"), (4, "d.1", "Set")] {
        assert_eq!(results.publish(&result(id, name, service)).await, Ok(Delivered::Queued));
    }
    for (mut consumer, ids) in consumers {
        for id in ids {
            let message = next(&mut consumer).await;
            assert_eq!(message.properties.message_id().as_ref().unwrap().as_str(), format!("{id}.iot1.1700000000123"));
        }
        assert!(timeout(std::time::Duration::ZERO, consumer.next()).await.is_err(), "and no more");
    }
}

#[tokio::test]
async fn a_consumer_that_is_away_finds_its_messages_also_after_a_restart() {
    let mut rabbit = faulty().lock().await;
    let names = Names::new();
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let results = Results::of(&bench.transport).unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let queue = {
        let (_connection, channel) = connect(&rabbit, "guest", "guest").await;
        queue(&channel, &names.results, &["#".to_owned()], durable, FieldTable::default()).await
    };
    assert_eq!(results.publish(&result(7, "d1", "fb:Set")).await, Ok(Delivered::Queued));
    rabbit.kill();
    super::until("down", || !bench.transport.ready()).await;
    assert_eq!(results.publish(&result(8, "d1", "fb:Set")).await, Err(NotDelivered::Down));
    rabbit.start_again();
    bench.until_ready().await;
    let (_connection, channel) = connect(&rabbit, "guest", "guest").await;
    let none = FieldTable::default();
    let mut consumer =
        channel.basic_consume(queue.clone(), "".into(), BasicConsumeOptions::default(), none).await.unwrap();
    let message = next(&mut consumer).await;
    let text = concat!(
        r#"{"gmtCreate":1700000000123,"iotId":"iot1","productKey":"pk","deviceName":"d1","requestId":7,"code":200,"#,
        r#""message":"success","topic":"/sys/pk/d1/thing/service/fb:Set_reply","data":{"y":10.0}}"#
    );
    assert_eq!(String::from_utf8_lossy(&message.data), text);
    assert_eq!((message.properties.delivery_mode(), message.properties.timestamp()), (&Some(2), &Some(1_700_000_000)));
    let topic = message.properties.headers().as_ref().unwrap().inner().get("topic").cloned();
    assert_eq!(topic, Some(crate::outgoing::text("/pk/d1/thing/downlink/reply/message")));
    channel.queue_delete(queue, QueueDeleteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_result_that_is_no_json_is_told() {
    let (rabbit, names) = (shared(), Names::new());
    let bench = Bench::ready(rabbit.amqp, &names, |_| {}).await;
    let results = Results::of(&bench.transport).unwrap();
    let broken = ResultMessage { data: r#"{"y":}"#.to_owned(), ..result(1, "d1", "Set") };
    assert!(matches!(results.publish(&broken).await, Err(NotDelivered::Unwritable(_))));
    let bench = Bench::ready(rabbit.amqp, &names, |config| config.results_exchange = None).await;
    assert!(Results::of(&bench.transport).is_none());
}
