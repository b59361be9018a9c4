//! Devices that speak their own bytes: what they are told and what they say, and that their commands are sent once.

use std::num::NonZeroU16;

use bytes::Bytes;
use rumqttc_v5 as v5;
use thingcall_alink as alink;
use thingcall_core::{CallId, CallMode, Delivery, DeviceKey, Qos, Secret, Sent, SyncTopic, Transport};

use super::bench::{Bench, Event, PATIENCE, SECRET, delivery, login_as};
use super::client::Client;

/// What no Alink message is.
const BYTES: &[u8] = b"\x00{\xff";

fn raw(device: &DeviceKey, id: u32, mode: CallMode, qos: Qos) -> Delivery {
    Delivery { raw: Some(Bytes::from_static(BYTES)), ..delivery(device, id, mode, qos) }
}

/// As the engine does it: written down first, then delivered.
async fn send(bench: &Bench, device: &DeviceKey, id: u32, bytes: impl Into<Bytes>) -> Sent {
    let command = Delivery { raw: Some(bytes.into()), ..raw(device, id, CallMode::Async, Qos::AtLeastOnce) };
    bench.around.keep(&command);
    bench.broker.deliver(&command).await.unwrap()
}

/// Sees that the next message is the marker: whatever else was sent, came before.
async fn nothing_more(bench: &Bench, device: &DeviceKey, client: &mut Client) {
    bench.broker.deliver(&delivery(device, 999, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(client.message().await.id(), 999, "nothing before the marker");
}

#[tokio::test]
async fn raw_device_is_told_its_bytes_on_raw_topics() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("raw1").await;
    let mut told = async |delivery: Delivery| {
        bench.broker.deliver(&delivery).await.unwrap();
        let got = client.message().await;
        assert_eq!(got.payload, BYTES);
        got.topic
    };
    let down_raw = "/sys/pk1/raw1/thing/model/down_raw";
    let sync = raw(&device, 7, CallMode::Sync, Qos::AtMostOnce);
    assert_eq!(told(raw(&device, 7, CallMode::Async, Qos::AtMostOnce)).await, down_raw);
    assert_eq!(told(sync.clone()).await, "/sys/pk1/raw1/rrpc/request/7");
    assert_eq!(told(Delivery { sync_topic: Some(SyncTopic::Service), ..sync }).await, down_raw);
}

#[tokio::test]
async fn raw_ext_device_is_told_on_its_ext_topic_and_answers_there() {
    let mut bench = Bench::start().await;
    let device = bench.device("raw1");
    let mut client = bench.open(&login_as(&device, "c|ext=3,securemode=3|")).await.unwrap();
    bench.wait(|event| matches!(event, Event::Online(_))).await;
    bench.broker.deliver(&raw(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    let got = client.message().await;
    assert_eq!(got.topic, "/ext/rrpc/7/sys/pk1/raw1/thing/model/down_raw");
    // Nothing comes back to anybody here, so bytes like those of the command are an answer.
    client.publish(&got.topic, BYTES).await;
    let answer = bench.raw().await;
    assert_eq!((answer.device, answer.topic_id), (device, Some(CallId::from_u32(7))));
    assert_eq!(answer.payload, BYTES);
}

#[tokio::test]
async fn what_a_raw_device_says_is_handed_on_untouched() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("raw1").await;
    for (topic, id) in [
        ("/sys/pk1/raw1/thing/model/down_raw_reply", None),
        ("/sys/pk1/raw1/thing/model/up_raw", None),
        ("/sys/pk1/raw1/rrpc/response/7", Some(7)),
    ] {
        for payload in [BYTES, br#"{"id":"8","code":200}"#, b""] {
            client.publish(topic, payload).await;
            let raw = bench.raw().await;
            assert_eq!((&raw.device, raw.topic_id.map(CallId::as_u32)), (&device, id), "{topic}");
            assert_eq!(raw.payload, payload);
        }
    }
}

#[tokio::test]
async fn device_may_not_speak_raw_for_another() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("raw1").await;
    for topic in ["/sys/pk1/raw2/thing/model/down_raw_reply", "/ext/rrpc/7/sys/pk1/raw2/thing/model/down_raw"] {
        client.publish(topic, "another's").await;
    }
    client.publish("/sys/pk1/raw1/thing/model/up_raw", "own").await;
    let raw = bench.raw().await;
    assert_eq!((raw.device, &raw.payload[..]), (device, &b"own"[..]));
}

#[tokio::test]
async fn raw_command_kept_for_an_absent_device_arrives_as_its_bytes() {
    let mut bench = Bench::start().await;
    let device = bench.device("raw1");
    for id in 1..=100_u8 {
        assert_eq!(send(&bench, &device, id.into(), vec![0xff, id]).await, Sent::Kept);
    }
    let (device, mut client) = bench.connected("raw1").await;
    for id in 1..=100_u8 {
        let got = client.message().await;
        assert_eq!((got.topic.as_str(), &got.payload[..]), ("/sys/pk1/raw1/thing/model/down_raw", &[0xff, id][..]));
        client.ack(&got).await;
        assert_eq!(bench.acked().await, CallId::from_u32(id.into()));
    }
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn acknowledged_raw_command_is_noted_once_and_not_sent_again() {
    let mut bench = Bench::with(|config| config.inflight_messages_max = NonZeroU16::MIN).await;
    let (device, mut client) = bench.connected("raw1").await;
    // The first one looks like another command's request.
    send(&bench, &device, 1, &br#"{"id":"2","version":"1.0"}"#[..]).await;
    send(&bench, &device, 2, BYTES).await;
    let first = client.message().await;
    nothing_more(&bench, &device, &mut client).await;
    client.ack(&first).await;
    assert_eq!(bench.acked().await.as_u32(), 1);
    let second = client.message().await;
    assert_eq!(second.payload, BYTES, "the window has room again");
    client.ack(&first).await;
    client.ack(&second).await;
    assert_eq!(bench.acked().await.as_u32(), 2, "the first was noted once");
    drop(client);
    bench.gone(&device).await;
    let mut client = bench.open(&login_as(&device, "another|timestamp=2|")).await.unwrap();
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn unacknowledged_raw_command_is_sent_to_the_next_connection() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("raw1").await;
    send(&bench, &device, 1, BYTES).await;
    assert_eq!(client.message().await.payload, BYTES);
    drop(client);
    bench.gone(&device).await;
    let mut client = bench.open(&login_as(&device, "another|timestamp=2|")).await.unwrap();
    let again = client.message().await;
    assert_eq!((&again.payload[..], again.dup), (BYTES, false));
    client.ack(&again).await;
    assert_eq!(bench.acked().await.as_u32(), 1);
}

#[tokio::test]
async fn mqtt_5_raw_device_acknowledges_a_command_and_is_told_its_id() {
    let mut bench = Bench::start().await;
    let device = bench.device("raw1");
    let client_id = "lib|securemode=3,signmethod=hmacsha256|";
    let mut options = v5::MqttOptions::new(client_id, ("127.0.0.1", bench.broker.local_addr().port()));
    options.set_credentials(alink::username(&device), alink::password(&device, client_id, &Secret::new(SECRET)));
    let (_client, mut events) = v5::AsyncClient::builder(options).capacity(10).build();
    assert_eq!(send(&bench, &device, 8, BYTES).await, Sent::Kept);
    let got = loop {
        let event = tokio::time::timeout(PATIENCE, events.poll()).await.unwrap().unwrap();
        if let v5::Event::Incoming(v5::Packet::Publish(got)) = event {
            break got;
        }
    };
    assert_eq!(got.payload, BYTES);
    assert_eq!(got.properties.unwrap().correlation_data, Some(Bytes::from_static(b"8")));
    let acked = tokio::select! {
        acked = bench.acked() => acked,
        ended = async { loop { events.poll().await.unwrap(); } } => ended,
    };
    assert_eq!(acked, CallId::from_u32(8));
}
