//! A device of the benchmark: one MQTT 3.1.1 connection that sends back what it is asked.
//!
//! It shares the cores with what is measured, so it is as cheap as a device can be: rumqttc's packets on a socket, and
//! one write for all that one read brought. `thingcall device simulate` has the devices for people.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use rumqttc_v4::mqttbytes::{self, v4::Publish};
use rumqttc_v4::{Connect, ConnectReturnCode, Packet, PubAck, QoS, Subscribe, SubscribeFilter, SubscribeReasonCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use thingcall_core::{DeviceKey, Secret, UnixMillis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout_at};

use crate::broker::Address;

const PACKET_BYTES_MAX: usize = 512 * 1024;
const KEEP_ALIVE_S: u16 = 60;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Who a device is.
pub(crate) struct Device {
    pub(crate) key: DeviceKey,
    /// What it proves itself with.
    pub(crate) secret: Secret,
    /// Whether it says `ext` at its connect, and so takes synchronous calls on `/ext/rrpc/...`.
    pub(crate) ext: bool,
}

/// How devices treat their socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// One write for all that one read brought, and it leaves at once.
    Quick,
    /// A write for each packet, and Nagle's algorithm on, as SDKs do.
    LikeSdk,
}

/// Connects devices; they end with the returned set.
///
/// # Errors
/// If one of them is not connected and subscribed within a minute.
pub(crate) async fn connect(devices: Vec<Device>, broker: &Address, habit: Habit) -> anyhow::Result<JoinSet<()>> {
    let (ready, mut came) = mpsc::channel(devices.len().max(1));
    let mut running = JoinSet::new();
    for device in devices {
        running.spawn(run(device, (broker.clone(), habit), ready.clone()));
    }
    drop(ready);
    let (until, mut why) = (Instant::now() + CONNECT_TIMEOUT, "no answer".to_owned());
    let mut there = 0;
    while there < running.len() {
        match timeout_at(until, came.recv()).await {
            Ok(Some(Ok(()))) => there += 1,
            Ok(Some(Err(error))) => why = error,
            Ok(None) | Err(_) => {
                let all = running.len();
                bail!("{there} of {all} devices connected to {broker} within a minute; the last word was: {why}")
            }
        }
    }
    Ok(running)
}

/// Connects one that answers for all devices of a broker which lets everybody do everything.
///
/// # Errors
/// If it cannot connect.
pub(crate) async fn answer_for_all(broker: &Address) -> anyhow::Result<JoinSet<()>> {
    let key = DeviceKey { product: "a1BenchLamp".try_into()?, name: "all".try_into()? };
    let device = Device { key, secret: Secret::new("none"), ext: false };
    let topics = vec!["/sys/+/+/rrpc/request/+".to_owned()];
    let connection = Connection::open(&device, broker, Habit::Quick, topics).await?;
    let mut running = JoinSet::new();
    // It ends with the broker.
    running.spawn(async move { drop(connection.serve().await) });
    Ok(running)
}

/// Connects again and again: a server may not have seen yet that the device is registered.
async fn run(device: Device, (broker, habit): (Address, Habit), ready: mpsc::Sender<Result<(), String>>) {
    loop {
        let ended = match Connection::open(&device, &broker, habit, of_calls(&device)).await {
            Ok(connection) => {
                // Once it is there, nobody listens any more.
                ready.send(Ok(())).await.ok();
                connection.serve().await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            ready.try_send(Err(format!("{}: {error:#}", device.key))).ok();
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// One that is open.
pub(crate) struct Connection {
    stream: TcpStream,
    read: BytesMut,
    out: BytesMut,
    habit: Habit,
}

/// What of a request is sent back.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    id: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

impl Connection {
    /// Connects, and subscribes to these topics.
    ///
    /// # Errors
    /// If the broker refuses.
    pub(crate) async fn open(
        device: &Device,
        broker: &Address,
        habit: Habit,
        topics: Vec<String>,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((broker.host.as_str(), broker.port)).await?;
        stream.set_nodelay(habit == Habit::Quick)?;
        let (read, out) = (BytesMut::with_capacity(8192), BytesMut::with_capacity(8192));
        let mut connection = Self { stream, read, out, habit };
        connection.send(&hello(device)).await?;
        let Packet::ConnAck(ack) = connection.next().await? else { bail!("the broker did not answer CONNECT") };
        if ack.code != ConnectReturnCode::Success {
            bail!("the broker said {:?}", ack.code);
        }
        connection.send(&subscriptions(topics)).await?;
        let Packet::SubAck(ack) = connection.next().await? else { bail!("the broker did not answer SUBSCRIBE") };
        if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
            bail!("the broker refused a subscription");
        }
        Ok(connection)
    }

    async fn send(&mut self, packet: &Packet) -> anyhow::Result<()> {
        self.say(packet)?;
        self.flush().await
    }

    /// Has this packet leave with the next flush.
    ///
    /// # Errors
    /// If it is too large.
    pub(crate) fn say(&mut self, packet: &Packet) -> anyhow::Result<()> {
        packet.write(&mut self.out, PACKET_BYTES_MAX)?;
        Ok(())
    }

    /// Sends what was said.
    ///
    /// # Errors
    /// If the connection ends.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// The next packet. For the time before requests come.
    async fn next(&mut self) -> anyhow::Result<Packet> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.more().await?;
        }
    }

    /// The next packet of those that have come.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn take(&mut self) -> anyhow::Result<Option<Packet>> {
        take(&mut self.read)
    }

    /// Waits for more to come. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// If the connection ends.
    pub(crate) async fn more(&mut self) -> anyhow::Result<()> {
        more(self.stream.read_buf(&mut self.read).await?)
    }

    /// Answers until the connection ends.
    async fn serve(mut self) -> anyhow::Result<()> {
        let mut alive = interval(Duration::from_secs(u64::from(KEEP_ALIVE_S) / 2));
        loop {
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.read) => more(read?)?,
                _ = alive.tick() => drop(Packet::PingReq.write(&mut self.out, PACKET_BYTES_MAX)?),
            }
            while let Some(packet) = take(&mut self.read)? {
                if let Packet::Publish(request) = packet {
                    acknowledge(&request, &mut self.out)?;
                    if self.habit == Habit::LikeSdk && !self.out.is_empty() {
                        self.flush().await?;
                    }
                    answer(&request, &mut self.out)?;
                }
            }
            self.flush().await?;
        }
    }
}

fn more(bytes: usize) -> anyhow::Result<()> {
    if bytes == 0 { bail!("the broker closed the connection") } else { Ok(()) }
}

/// The next whole packet.
fn take(read: &mut BytesMut) -> anyhow::Result<Option<Packet>> {
    match Packet::read(read, PACKET_BYTES_MAX) {
        Ok(packet) => Ok(Some(packet)),
        Err(mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
        Err(error) => Err(error).context("no MQTT packet"),
    }
}

fn hello(device: &Device) -> Packet {
    let client_id = thingcall_alink::client_id(&device.key, device.ext, UnixMillis::now().0);
    let password = thingcall_alink::password(&device.key, &client_id, &device.secret);
    let mut connect = Connect::new(client_id);
    connect.keep_alive = KEEP_ALIVE_S;
    connect.set_credentials(thingcall_alink::username(&device.key), password);
    Packet::Connect(connect)
}

/// Where its calls come.
fn of_calls(device: &Device) -> Vec<String> {
    let (product, name) = (&device.key.product, &device.key.name);
    vec![
        format!("/sys/{product}/{name}/thing/service/+"),
        format!("/sys/{product}/{name}/rrpc/request/+"),
        format!("/ext/rrpc/+/sys/{product}/{name}/thing/service/+"),
    ]
}

fn subscriptions(topics: Vec<String>) -> Packet {
    let topics = topics.into_iter();
    let mut subscribe = Subscribe::new_many(topics.map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce)));
    subscribe.pkid = 1;
    Packet::Subscribe(subscribe)
}

fn acknowledge(request: &Publish, out: &mut BytesMut) -> anyhow::Result<()> {
    if request.qos == QoS::AtLeastOnce {
        PubAck::new(request.pkid).write(out)?;
    }
    Ok(())
}

/// Replies travel at QoS 0, as those of all device SDKs do. What is no request has no answer.
fn answer(request: &Publish, out: &mut BytesMut) -> anyhow::Result<()> {
    let Ok(Asked { id, params }) = serde_json::from_slice(&request.payload) else { return Ok(()) };
    let topic = std::str::from_utf8(&request.topic).context("a topic")?;
    let payload = format!(r#"{{"id":"{id}","code":200,"data":{},"message":"success"}}"#, params.get());
    Publish::from_bytes(reply_topic(topic), QoS::AtMostOnce, Bytes::from(payload)).write(out)?;
    Ok(())
}

/// RRPC answers go where the request says; all others to the request's topic with `_reply`.
fn reply_topic(topic: &str) -> String {
    if topic.starts_with("/ext/rrpc/") {
        topic.to_owned()
    } else if topic.contains("/rrpc/request/") {
        topic.replacen("/rrpc/request/", "/rrpc/response/", 1)
    } else {
        format!("{topic}_reply")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish(topic: &str, qos: QoS, payload: &str) -> Publish {
        let mut publish = Publish::new(topic, qos, payload);
        publish.pkid = 7;
        publish
    }

    #[test]
    fn what_is_asked_is_sent_back_to_where_it_is_waited_for() {
        let payload =
            r#"{"id":"42","version":"1.0","params":{"param1": 7},"method":"thing.service.testFb:testService"}"#;
        for (topic, reply) in [
            ("/sys/p/d/rrpc/request/42", "/sys/p/d/rrpc/response/42"),
            ("/ext/rrpc/42/sys/p/d/thing/service/testFb:testService", ""),
            ("/sys/p/d/thing/service/x", "/sys/p/d/thing/service/x_reply"),
        ] {
            let (mut out, request) = (BytesMut::new(), publish(topic, QoS::AtLeastOnce, payload));
            acknowledge(&request, &mut out).unwrap();
            answer(&request, &mut out).unwrap();
            assert_eq!(take(&mut out).unwrap(), Some(Packet::PubAck(PubAck::new(7))));
            let Some(Packet::Publish(answered)) = take(&mut out).unwrap() else { panic!("no answer") };
            assert_eq!(answered.topic, if reply.is_empty() { topic } else { reply });
            assert_eq!(&answered.payload[..], br#"{"id":"42","code":200,"data":{"param1": 7},"message":"success"}"#);
            assert_eq!(take(&mut out).unwrap(), None);
        }
    }

    #[test]
    fn what_is_no_request_is_acknowledged_and_has_no_answer() {
        let (mut out, request) = (BytesMut::new(), publish("/sys/p/d/rrpc/request/1", QoS::AtLeastOnce, "{}"));
        acknowledge(&request, &mut out).unwrap();
        answer(&request, &mut out).unwrap();
        assert_eq!(take(&mut out).unwrap(), Some(Packet::PubAck(PubAck::new(7))));
        assert!(out.is_empty());
    }
}
