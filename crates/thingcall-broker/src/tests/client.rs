//! A device at the level of bytes: it may send what a client library would refuse to.
//!
//! Source of the formats: OASIS MQTT 3.1.1, chapters 2 and 3; MQTT 3.1 differs in the protocol's name and level.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bench::PATIENCE;

pub(crate) struct Login {
    pub(crate) protocol: (&'static str, u8),
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    pub(crate) will: Option<&'static str>,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            protocol: ("MQTT", 4),
            client_id: String::new(),
            username: String::new(),
            password: String::new(),
            clean: false,
            keep_alive: 60,
            will: None,
        }
    }
}

/// A message the device got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) dup: bool,
    pub(crate) packet_id: Option<u16>,
}

impl Got {
    /// The id in the payload.
    pub(crate) fn id(&self) -> u32 {
        thingcall_alink::request_id(&self.payload).unwrap().as_u32()
    }
}

pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, login: &Login) -> Result<Self, u8> {
        let mut client = Self { stream: TcpStream::connect(address).await.unwrap() };
        client.send(0x10, &connect_body(login)).await;
        let (kind, body) = client.packet().await.expect("a CONNACK");
        assert_eq!(kind, 0x20);
        assert_eq!(body[0], 0, "a session of before is never present");
        if body[1] == 0 { Ok(client) } else { Err(body[1]) }
    }

    pub(crate) async fn send(&mut self, first: u8, body: &[u8]) {
        let mut frame = vec![first];
        let mut left = body.len();
        loop {
            let more = if left > 127 { 0x80 } else { 0 };
            frame.push(u8::try_from(left % 128).unwrap() | more);
            left /= 128;
            if left == 0 {
                break;
            }
        }
        frame.extend_from_slice(body);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Sends bytes that may be no packet, and no more after them; reads what comes until the broker closes.
    pub(crate) async fn raw(mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.shutdown().await.ok();
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        drop(tokio::time::timeout(PATIENCE, read).await.expect("closed in time"));
    }

    /// The next packet; `None` when the broker closed the connection.
    pub(crate) async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("a packet in time")
    }

    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            len |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((first, body))
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Got {
        let (first, body) = self.packet().await.expect("a message");
        assert_eq!(first >> 4, 3, "a PUBLISH, not {first:#x}");
        let qos = (first >> 1) & 3;
        let topic_len = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let mut at = 2 + topic_len;
        let topic = String::from_utf8(body[2..at].to_vec()).unwrap();
        let packet_id = (qos > 0).then(|| u16::from_be_bytes([body[at], body[at + 1]]));
        at += if qos > 0 { 2 } else { 0 };
        let payload = body[at..].to_vec();
        Got { topic, payload, qos, dup: first & 8 != 0, packet_id }
    }

    pub(crate) async fn ack(&mut self, got: &Got) {
        self.send(0x40, &got.packet_id.unwrap().to_be_bytes()).await;
    }

    pub(crate) async fn publish(&mut self, topic: &str, payload: impl AsRef<[u8]>) {
        let mut body = text(topic);
        body.extend_from_slice(payload.as_ref());
        self.send(0x30, &body).await;
    }

    /// Publishes at QoS 1 and waits for the PUBACK.
    pub(crate) async fn publish_acked(&mut self, topic: &str, payload: &str) {
        let mut body = text(topic);
        body.extend_from_slice(&[0, 9]);
        body.extend_from_slice(payload.as_bytes());
        self.send(0x32, &body).await;
        assert_eq!(self.packet().await, Some((0x40, vec![0, 9])));
    }

    /// The SUBACK code.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> u8 {
        let mut body = vec![0, 7];
        body.extend_from_slice(&text(filter));
        body.push(1);
        self.send(0x82, &body).await;
        let (kind, body) = self.packet().await.expect("a SUBACK");
        assert_eq!(kind, 0x90);
        body[2]
    }

    /// Waits for the UNSUBACK.
    pub(crate) async fn unsubscribe(&mut self, filter: &str) {
        let mut body = vec![0, 8];
        body.extend_from_slice(&text(filter));
        self.send(0xa2, &body).await;
        assert_eq!(self.packet().await, Some((0xb0, vec![0, 8])));
    }

    /// Waits until the broker closes the connection.
    pub(crate) async fn closed(&mut self) {
        while self.packet().await.is_some() {}
    }
}

fn connect_body(login: &Login) -> Vec<u8> {
    let mut flags = 0xc0;
    if login.clean {
        flags |= 2;
    }
    if login.will.is_some() {
        flags |= 4;
    }
    let mut body = text(login.protocol.0);
    body.extend_from_slice(&[login.protocol.1, flags]);
    body.extend_from_slice(&login.keep_alive.to_be_bytes());
    body.extend_from_slice(&text(&login.client_id));
    if let Some(will) = login.will {
        body.extend_from_slice(&text(will));
        body.extend_from_slice(&text("a will"));
    }
    body.extend_from_slice(&text(&login.username));
    body.extend_from_slice(&text(&login.password));
    body
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
