//! The queues of slots: who hears them, and what waits in them while nobody does.

use lapin::BasicProperties;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use thingcall_core::{CallId, CallMode, Delivery, Qos, Reply, Sent, SyncTopic, Transport};
use tokio::time::timeout;

use super::device::{Device, connect};
use super::proxy::Proxy;
use super::rabbit::{Rabbit, shared};
use super::{Bench, Names, PATIENCE, Told, delivery, until};
use crate::Config;

/// A call of this slot.
fn of(slot: u8, counter: u32) -> Delivery {
    Delivery { id: CallId::new(slot, counter), ..delivery(0, "d1", Qos::AtMostOnce) }
}

async fn answer(device: &Device, command: &lapin::message::Delivery) {
    let id = command.properties.correlation_id().clone().unwrap();
    let body = format!(r#"{{"id":"{id}","code":200}}"#);
    device.answer(command, body.as_bytes(), BasicProperties::default()).await;
}

/// How many messages wait in a slot's queue, those that its consumer has not acknowledged left out.
async fn waiting(rabbit: &Rabbit, names: &Names, slot: u8) -> u32 {
    let (_connection, channel) = connect(rabbit, "guest", "guest").await;
    let queue = format!("{}.slot-{slot}", names.replies).as_str().into();
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue, passive, FieldTable::default()).await.unwrap().message_count()
}

async fn until_waiting(rabbit: &Rabbit, names: &Names, slot: u8, messages: u32) {
    let wait = async { while waiting(rabbit, names, slot).await != messages {} };
    timeout(PATIENCE, wait).await.unwrap();
}

/// Takes a slot over, as the program does.
fn take_over(bench: &Bench, slot: u8) {
    bench.slots.take(slot);
    bench.transport.slots_changed();
}

fn ids(replies: &[Reply]) -> Vec<CallId> {
    let mut ids: Vec<_> = replies.iter().filter_map(|reply| reply.payload_id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn each_slot_hears_the_replies_to_its_own_calls() {
    let (rabbit, names) = (shared(), Names::new());
    let mut one = Bench::ready_in(1, rabbit.amqp, &names, |_| {}).await;
    let mut two = Bench::ready_in(2, rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    for (bench, slot) in [(&one, 1), (&two, 2)] {
        assert_eq!(bench.deliver(&of(slot, 7)).await, Ok(Sent::Sent));
        let command = device.command().await;
        let key = format!(".sys.pk.d1.thing.reply.slot-{slot}");
        assert_eq!(command.properties.reply_to().as_ref().unwrap().as_str(), key);
        answer(&device, &command).await;
    }
    assert_eq!(two.reply().await.payload_id, Some(CallId::new(2, 7)));
    assert_eq!(one.reply().await.payload_id, Some(CallId::new(1, 7)));
    // Nothing says whose it is but its id: a gateway that carries topics over.
    for slot in [1, 2] {
        let body = format!(r#"{{"id":"{}","code":200}}"#, CallId::new(slot, 8));
        let key = ".sys.pk.d1.thing.service.Measure_reply";
        device.publish(key.into(), body.as_bytes(), BasicProperties::default()).await;
    }
    assert_eq!(one.reply().await.payload_id, Some(CallId::new(1, 8)));
    assert_eq!(two.reply().await.payload_id, Some(CallId::new(2, 8)));
    until("counted", || one.metric("foreign_replies_total", "") == 1.0).await;
    assert!(one.told.try_recv().is_err() && two.told.try_recv().is_err());
}

#[tokio::test]
async fn a_slots_queue_outlives_its_holder_and_the_broker_and_has_a_prefetch_and_a_limit() {
    let (rabbit, names) = (shared(), Names::new());
    let few = |config: &mut Config| {
        config.reply_queue_messages_max = 1234.try_into().unwrap();
        config.prefetch_messages_max = 17.try_into().unwrap();
        config.reply_queue_hold = std::time::Duration::from_secs(77);
    };
    let _bench = Bench::ready_in(5, rabbit.amqp, &names, few).await;
    let queue = format!("{}.slot-5", names.replies);
    let spaced = |line: String| line.replace(char::is_whitespace, " ");
    let columns = ["list_queues", "name", "durable", "exclusive", "auto_delete", "arguments"];
    let declared = spaced(rabbit.line(&columns, &queue).await);
    assert!(declared.contains("true false false"), "{declared}");
    assert!(declared.contains("1234") && declared.contains("77000"), "{declared}");
    let list = ["list_consumers", "queue_name", "ack_required", "prefetch_count"];
    let consumer = spaced(rabbit.line(&list, &queue).await);
    assert!(consumer.ends_with("true 17"), "{consumer}");
}

#[tokio::test]
async fn replies_between_a_death_and_a_take_over_arrive() {
    let (rabbit, names) = (shared(), Names::new());
    let dead = Bench::ready_in(5, rabbit.amqp, &names, |_| {}).await;
    let mut heir = Bench::ready_in(6, rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    let mut commands = Vec::new();
    for counter in 0..3 {
        dead.deliver(&of(5, counter)).await.unwrap();
        commands.push(device.command().await);
    }
    drop(dead);
    for command in &commands {
        answer(&device, command).await;
    }
    until_waiting(&rabbit, &names, 5, 3).await;
    assert!(heir.told.try_recv().is_err());
    take_over(&heir, 5);
    let heard = [heir.reply().await, heir.reply().await, heir.reply().await];
    assert_eq!(ids(&heard), [0, 1, 2].map(|counter| CallId::new(5, counter)));
    // Sent again under its id, it is answered here.
    heir.deliver(&of(5, 9)).await.unwrap();
    let command = device.command().await;
    answer(&device, &command).await;
    assert_eq!(heir.reply().await.payload_id, Some(CallId::new(5, 9)));
}

#[tokio::test]
async fn a_slot_given_back_is_heard_no_more_and_nothing_of_it_is_lost() {
    let (rabbit, names) = (shared(), Names::new());
    let mut one = Bench::ready_in(1, rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    take_over(&one, 5);
    one.deliver(&of(5, 1)).await.unwrap();
    let command = device.command().await;
    // The transport is not told yet: what comes by then is not acknowledged, and goes back.
    one.slots.let_go(5);
    answer(&device, &command).await;
    until_waiting(&rabbit, &names, 5, 1).await;
    one.transport.slots_changed();
    answer(&device, &command).await;
    until_waiting(&rabbit, &names, 5, 2).await;
    let mut two = Bench::ready_in(2, rabbit.amqp, &names, |_| {}).await;
    take_over(&two, 5);
    assert_eq!(ids(&[two.reply().await, two.reply().await]), [CallId::new(5, 1); 2]);
    // And back again; what was taken and not acknowledged by then comes once more.
    two.slots.let_go(5);
    two.transport.slots_changed();
    take_over(&one, 5);
    answer(&device, &command).await;
    assert_eq!(one.reply().await.payload_id, Some(CallId::new(5, 1)));
}

/// It is stopped, or cut off without a word: the broker keeps its connection until heartbeats are missed.
#[tokio::test]
async fn a_holder_that_hangs_keeps_no_reply_from_its_heir() {
    let (rabbit, names) = (shared(), Names::new());
    let proxy = Proxy::to(rabbit.amqp).await;
    let hanging = Bench::ready_in(5, proxy.port, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    hanging.deliver(&of(5, 1)).await.unwrap();
    let command = device.command().await;
    proxy.silence();
    // Consumers count by the second in which they came.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let mut heir = Bench::ready_in(6, rabbit.amqp, &names, |_| {}).await;
    take_over(&heir, 5);
    heir.deliver(&of(5, 2)).await.unwrap();
    let _sent = device.command().await;
    for _ in 0..8 {
        answer(&device, &command).await;
        assert_eq!(heir.reply().await.payload_id, Some(CallId::new(5, 1)));
    }
}

#[tokio::test]
async fn a_queue_with_other_limits_is_used_as_it_is() {
    let (rabbit, names) = (shared(), Names::new());
    drop(Bench::ready_in(5, rabbit.amqp, &names, |_| {}).await);
    let other = |config: &mut Config| config.reply_queue_messages_max = 1234.try_into().unwrap();
    let mut bench = Bench::ready_in(5, rabbit.amqp, &names, other).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    bench.deliver(&of(5, 1)).await.unwrap();
    let command = device.command().await;
    answer(&device, &command).await;
    assert_eq!(bench.reply().await.payload_id, Some(CallId::new(5, 1)));
}

#[tokio::test]
async fn what_names_no_call_is_heard_once_however_many_slots_are_held() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready_in(1, rabbit.amqp, &names, |_| {}).await;
    for slot in [5, 6] {
        take_over(&bench, slot);
    }
    let mut device = Device::start(&rabbit, &names, "d1").await;
    for slot in [5, 6] {
        bench.deliver(&of(slot, 1)).await.unwrap();
        let _sent = device.command().await;
    }
    device.publish(".sys.pk.d1.thing.model.up_raw".into(), b"\x01", BasicProperties::default()).await;
    // Each goes to every queue, and each queue keeps its order.
    for slot in [1, 5, 6] {
        let body = format!(r#"{{"id":"{}","code":200}}"#, CallId::new(slot, 2));
        let key = ".sys.pk.d1.thing.service.Measure_reply";
        device.publish(key.into(), body.as_bytes(), BasicProperties::default()).await;
    }
    let (mut raw, mut replies) = (0, Vec::new());
    while replies.len() < 3 {
        match bench.told().await {
            Told::Raw(_) => raw += 1,
            Told::Reply(reply) => replies.push(reply),
            Told::Lost => panic!("lost"),
        }
    }
    assert_eq!((raw, ids(&replies)), (1, [1, 5, 6].map(|slot| CallId::new(slot, 2)).to_vec()));
}

#[tokio::test]
async fn without_a_slot_nothing_leaves_and_with_one_again_it_does() {
    let (rabbit, names) = (shared(), Names::new());
    let mut bench = Bench::ready_in(1, rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "d1").await;
    bench.slots.let_go_of_all();
    bench.transport.slots_changed();
    assert!(bench.transport.ready(), "the broker is well");
    bench.slots.set_own(3);
    bench.transport.slots_changed();
    // It waits until its queue is there.
    let raw = Delivery { mode: CallMode::Async, sync_topic: Some(SyncTopic::Service), ..of(3, 1) };
    bench.deliver(&raw).await.unwrap();
    let command = device.command().await;
    answer(&device, &command).await;
    assert_eq!(bench.reply().await.payload_id, Some(CallId::new(3, 1)));
}

#[tokio::test]
async fn reply_that_was_not_written_before_a_death_comes_again() {
    let (rabbit, names) = (shared(), Names::new());
    let mut dead = Bench::ready_in(5, rabbit.amqp, &names, |_| {}).await;
    let mut device = Device::start(&rabbit, &names, "held1").await;
    let mut commands = Vec::new();
    for counter in 1..=3 {
        dead.deliver(&Delivery { id: CallId::new(5, counter), ..delivery(0, "held1", Qos::AtMostOnce) }).await.unwrap();
        commands.push(device.command().await);
        answer(&device, commands.last().unwrap()).await;
        dead.reply().await;
    }
    // The last is written, those before it are not.
    dead.held.lock().unwrap().pop().unwrap().settle();
    drop(dead);
    let mut heir = Bench::ready_in(6, rabbit.amqp, &names, |_| {}).await;
    take_over(&heir, 5);
    let heard = [heir.reply().await, heir.reply().await, heir.reply().await];
    assert_eq!(ids(&heard), [1, 2, 3].map(|counter| CallId::new(5, counter)));
}

#[tokio::test]
async fn replies_are_acknowledged_when_they_are_written() {
    let (rabbit, names) = (shared(), Names::new());
    let one = |config: &mut Config| config.prefetch_messages_max = 1.try_into().unwrap();
    let mut bench = Bench::ready_in(5, rabbit.amqp, &names, one).await;
    let mut device = Device::start(&rabbit, &names, "held1").await;
    for counter in 1..=2 {
        bench
            .deliver(&Delivery { id: CallId::new(5, counter), ..delivery(0, "held1", Qos::AtMostOnce) })
            .await
            .unwrap();
        let command = device.command().await;
        answer(&device, &command).await;
    }
    assert_eq!(bench.reply().await.payload_id, Some(CallId::new(5, 1)));
    until_waiting(&rabbit, &names, 5, 1).await;
    bench.held.lock().unwrap().pop().unwrap().settle();
    assert_eq!(bench.reply().await.payload_id, Some(CallId::new(5, 2)));
}
