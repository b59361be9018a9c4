//! What is kept for devices that are away.

use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{CallMode, DeliverError, Delivery, DeviceKey, Letter, LetterTo, Qos, Sent, Transport};

use super::bench::{Bench, delivery, login};
use super::client::Login;

fn letter(device: &DeviceKey, id: u32, text: &'static str, qos: Qos) -> Delivery {
    let to = LetterTo::Topic(format!("/{}/{}/user/get", device.product, device.name).into());
    let letter = Letter { to, payload: Bytes::from_static(text.as_bytes()), extras: None };
    Delivery { letter: Some(Arc::new(letter)), ..delivery(device, id, CallMode::Async, qos) }
}

fn keeping(device: &DeviceKey) -> Login {
    Login { clean: false, ..login(device) }
}

/// A device that was there with this login, and left.
async fn was_there(bench: &mut Bench, name: &str, login: impl Fn(&DeviceKey) -> Login) -> DeviceKey {
    let device = bench.device(name);
    let client = bench.open(&login(&device)).await.unwrap();
    drop(client);
    bench.gone(&device).await;
    device
}

#[tokio::test]
async fn device_that_keeps_its_session_gets_what_came_meanwhile_in_order() {
    let mut bench = Bench::start().await;
    let device = was_there(&mut bench, "devA", keeping).await;
    for (id, text) in [(1, "first"), (2, "second")] {
        assert_eq!(bench.broker.deliver(&letter(&device, id, text, Qos::AtLeastOnce)).await, Ok(Sent::Kept));
    }
    let lost = bench.broker.deliver(&letter(&device, 3, "lost", Qos::AtMostOnce)).await;
    assert_eq!(lost, Err(DeliverError::Offline), "at QoS 0 nothing is kept");
    let mut client = bench.open(&keeping(&device)).await.unwrap();
    for text in ["first", "second"] {
        let got = client.message().await;
        assert_eq!((got.topic.as_str(), &*got.payload, got.qos), ("/pk1/devA/user/get", text.as_bytes(), 1));
        client.ack(&got).await;
    }
    assert_eq!(bench.gauge("kept_bytes"), 0);
}

#[tokio::test]
async fn nothing_is_kept_of_a_device_that_keeps_no_session() {
    let mut bench = Bench::start().await;
    let never = bench.device("never");
    let cleaned = was_there(&mut bench, "devA", |device| Login { clean: true, ..login(device) }).await;
    for device in [&never, &cleaned] {
        let told = bench.broker.deliver(&letter(device, 1, "x", Qos::AtLeastOnce)).await;
        assert_eq!(told, Err(DeliverError::Offline), "{device}");
    }
}

#[tokio::test]
async fn who_begins_anew_or_was_deleted_gets_nothing_of_before() {
    let mut bench = Bench::start().await;
    let device = was_there(&mut bench, "devA", keeping).await;
    let put = async |id| bench.broker.deliver(&letter(&device, id, "old", Qos::AtLeastOnce)).await;
    assert_eq!(put(1).await, Ok(Sent::Kept));
    bench.broker.kick(&device).await;
    assert_eq!(put(2).await, Err(DeliverError::Offline));
    let other = was_there(&mut bench, "devB", keeping).await;
    bench.broker.deliver(&letter(&other, 3, "old", Qos::AtLeastOnce)).await.unwrap();
    let mut client = bench.open(&Login { clean: true, ..login(&other) }).await.unwrap();
    bench.broker.deliver(&letter(&other, 4, "new", Qos::AtMostOnce)).await.unwrap();
    assert_eq!(&*client.message().await.payload, b"new");
}

#[tokio::test]
async fn so_many_are_kept_and_no_more() {
    let mut bench = Bench::with(|config| config.kept_messages_per_device_max = 2).await;
    let device = was_there(&mut bench, "devA", keeping).await;
    let put = async |id| bench.broker.deliver(&letter(&device, id, "x", Qos::AtLeastOnce)).await;
    assert_eq!((put(1).await, put(2).await), (Ok(Sent::Kept), Ok(Sent::Kept)));
    assert_eq!(put(3).await, Err(DeliverError::QueueFull(2)));
    let mut small = Bench::with(|config| config.kept_messages_bytes_max = 600).await;
    let device = was_there(&mut small, "devA", keeping).await;
    let put = async |id| small.broker.deliver(&letter(&device, id, "x", Qos::AtLeastOnce)).await;
    assert_eq!((put(1).await, put(2).await), (Ok(Sent::Kept), Err(DeliverError::QueueFull(100))));
}
