//! MQTT 3.1, 3.1.1 and 5 on the one port, with clients that others wrote.

use std::time::Duration;

use rumqttc_v4 as v4;
use rumqttc_v5 as v5;
use thingcall_alink as alink;
use thingcall_core::{CallId, CallMode, Deadline, DeviceKey, Qos, Secret, Transport};
use tokio::time::Instant;

use super::bench::{Bench, Event, PATIENCE, SECRET, delivery, login};
use super::client::Login;

const FOREIGN: &str = "/sys/pk1/devB/rrpc/response/1";
const CLIENT_ID: &str = "lib|securemode=3,signmethod=hmacsha256,ext=1|";

fn password(device: &DeviceKey) -> String {
    alink::password(device, CLIENT_ID, &Secret::new(SECRET))
}

#[tokio::test]
async fn mqtt_3_1_device_connects_and_is_told() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let mut client = bench.open(&Login { protocol: ("MQIsdp", 3), ..login(&device) }).await.unwrap();
    bench.wait(|event| matches!(event, Event::Online(_))).await;
    bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(client.message().await.id(), 7);
}

#[tokio::test]
async fn rumqttc_device_answers_a_call_and_acknowledges_a_command() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let mut options = v4::MqttOptions::new(CLIENT_ID, ("127.0.0.1", bench.broker.local_addr().port()));
    options.set_credentials(alink::username(&device), password(&device)).set_clean_session(false);
    let (client, mut events) = v4::AsyncClient::builder(options).capacity(10).build();
    let answering = async {
        loop {
            if let v4::Event::Incoming(v4::Packet::Publish(got)) = events.poll().await.unwrap() {
                let id = alink::request_id(&got.payload).unwrap();
                let topic = String::from_utf8(got.topic.to_vec()).unwrap();
                let answer = format!(r#"{{"id":"{id}","code":200,"data":{{}}}}"#);
                client.publish(topic, answer, v4::PublishOptions::at_most_once()).await.unwrap();
            }
        }
    };
    let calling = async {
        bench.wait(|event| matches!(event, Event::Online(_))).await;
        bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
        let reply = bench.reply().await;
        assert_eq!((reply.topic_id, reply.payload_id), (Some(CallId::from_u32(7)), Some(CallId::from_u32(7))));
        let command = delivery(&device, 8, CallMode::Async, Qos::AtLeastOnce);
        bench.around.keep(&command);
        bench.broker.deliver(&command).await.unwrap();
        assert_eq!(bench.acked().await, CallId::from_u32(8));
    };
    tokio::select! {
        () = answering => {}
        () = calling => {}
    }
}

#[tokio::test]
async fn mqtt_5_device_is_told_how_long_a_call_lives_and_why_it_is_refused() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let mut options = v5::MqttOptions::new(CLIENT_ID, ("127.0.0.1", bench.broker.local_addr().port()));
    options.set_credentials(alink::username(&device), password(&device)).set_session_expiry_interval(Some(3600));
    let (client, mut events) = v5::AsyncClient::builder(options).capacity(10).build();
    let mut next = async || loop {
        if let v5::Event::Incoming(packet) = tokio::time::timeout(PATIENCE, events.poll()).await.unwrap().unwrap() {
            return packet;
        }
    };
    let v5::Packet::ConnAck(connack) = next().await else { panic!("no CONNACK") };
    assert!(!connack.session_present);
    bench.wait(|event| matches!(event, Event::Online(_))).await;

    let mut call = delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce);
    call.deadline = Some(Deadline::at((Instant::now() + Duration::from_secs(8)).into_std()));
    bench.broker.deliver(&call).await.unwrap();
    let v5::Packet::Publish(got) = next().await else { panic!("no PUBLISH") };
    assert!(matches!(got.properties.unwrap().message_expiry_interval, Some(6..=8)));

    client.publish(FOREIGN, "{}", v5::PublishOptions::at_least_once()).await.unwrap();
    let v5::Packet::PubAck(puback) = next().await else { panic!("no PUBACK") };
    assert_eq!(puback.reason, v5::PubAckReason::NotAuthorized);
    client.subscribe("/sys/pk1/devB/#", v5::QoS::AtLeastOnce).await.unwrap();
    let v5::Packet::SubAck(suback) = next().await else { panic!("no SUBACK") };
    assert_eq!(suback.return_codes, [v5::SubscribeReasonCode::NotAuthorized]);
}
