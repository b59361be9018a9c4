//! A broker by hand: it reads whole packets and answers with the bytes a test wants.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::Version;

/// How many filters a connection subscribes to at once.
pub(super) const FILTERS: usize = thingcall_alink::REPLY_FILTERS.len();

pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const SUBSCRIBE: u8 = 8;
pub(super) const UNSUBSCRIBE: u8 = 10;
pub(super) const DISCONNECT: u8 = 14;

pub(super) struct Broker {
    listener: TcpListener,
    pub(super) version: Version,
}

impl Broker {
    pub(super) async fn start(version: Version) -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), version }
    }

    pub(super) fn url(&self) -> String {
        format!("mqtt://{}", self.listener.local_addr().unwrap())
    }

    /// Takes a connection and its CONNECT.
    pub(super) async fn accept(&self) -> Session {
        self.connect().await.0
    }

    /// The same, and what the CONNECT says.
    pub(super) async fn connect(&self) -> (Session, Packet) {
        let (socket, _) = self.listener.accept().await.unwrap();
        let mut session = Session { socket, version: self.version };
        let connect = session.packet().await;
        assert_eq!(connect.kind, 1, "CONNECT");
        (session, connect)
    }

    /// Takes a connection and grants what it subscribes to.
    pub(super) async fn let_in(&self) -> Session {
        let mut session = self.accept().await;
        session.welcome(None).await;
        session.answer_subscriptions([1; FILTERS]).await;
        session
    }
}

pub(super) struct Session {
    socket: TcpStream,
    version: Version,
}

/// A packet: its type, the flags of its first byte, and what stands behind its length.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) body: Vec<u8>,
}

impl Packet {
    /// The packet id of a QoS 1 publish.
    pub(super) fn id(&self) -> [u8; 2] {
        let topic = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        [self.body[2 + topic], self.body[3 + topic]]
    }

    pub(super) fn holds(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(text)
    }
}

impl Session {
    /// Waits for the first byte of a packet and takes none, so that it can be given up.
    pub(super) async fn readable(&self) {
        self.socket.readable().await.unwrap();
    }

    /// The same where bytes were read before, of which the system may still think that more come.
    pub(super) async fn says_something(&self) {
        self.socket.peek(&mut [0]).await.unwrap();
    }

    pub(super) async fn packet(&mut self) -> Packet {
        let first = self.socket.read_u8().await.unwrap();
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.socket.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await.unwrap();
        Packet { kind: first >> 4, flags: first & 15, body }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// CONNACK; in MQTT 5 with the largest packet that is taken.
    pub(super) async fn welcome(&mut self, packet_bytes_max: Option<u32>) {
        match (self.version, packet_bytes_max) {
            (Version::V4, _) => self.send(&[0x20, 2, 0, 0]).await,
            (Version::V5, None) => self.send(&[0x20, 3, 0, 0, 0]).await,
            (Version::V5, Some(bytes)) => {
                let [a, b, c, d] = bytes.to_be_bytes();
                self.send(&[0x20, 8, 0, 0, 5, 0x27, a, b, c, d]).await;
            }
        }
    }

    /// CONNACK of MQTT 3.1.1, to go on with the session of before.
    pub(super) async fn welcome_back(&mut self) {
        self.send(&[0x20, 2, 1, 0]).await;
    }

    /// SUBACK with these codes.
    pub(super) async fn answer_subscriptions(&mut self, codes: [u8; FILTERS]) {
        self.answer_subscription(&codes).await;
    }

    /// The same of any number.
    pub(super) async fn answer_subscription(&mut self, codes: &[u8]) {
        let subscribe = self.packet().await;
        assert_eq!(subscribe.kind, SUBSCRIBE);
        let (high, low) = (subscribe.body[0], subscribe.body[1]);
        let length = u8::try_from(codes.len()).unwrap();
        match self.version {
            Version::V4 => self.send(&[0x90, length + 2, high, low]).await,
            Version::V5 => self.send(&[0x90, length + 3, high, low, 0]).await,
        }
        self.send(codes).await;
    }

    /// Acknowledges a publish of QoS 1, and brings it back where it is allowed.
    pub(super) async fn bring_back(&mut self, publish: &Packet, allowed: bool) {
        let [high, low] = publish.id();
        self.send(&[0x40, 2, high, low]).await;
        if !allowed {
            return;
        }
        let topic = usize::from(u16::from_be_bytes([publish.body[0], publish.body[1]]));
        let name = String::from_utf8(publish.body[2..2 + topic].to_vec()).unwrap();
        let mut payload = &publish.body[4 + topic..];
        if self.version == Version::V5 {
            payload = &payload[1 + usize::from(payload[0])..];
        }
        let payload = payload.to_vec();
        self.publish(&name, &payload).await;
    }

    /// PUBLISH at QoS 0.
    pub(super) async fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.publish_as(topic, payload, None).await;
    }

    /// PUBLISH at QoS 1 where there is a packet id.
    pub(super) async fn publish_as(&mut self, topic: &str, payload: &[u8], packet_id: Option<u16>) {
        let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend_from_slice(topic.as_bytes());
        body.extend(packet_id.into_iter().flat_map(u16::to_be_bytes));
        if self.version == Version::V5 {
            body.push(0);
        }
        body.extend_from_slice(payload);
        let mut packet = vec![if packet_id.is_some() { 0x32 } else { 0x30 }];
        let mut length = body.len();
        while length > 0x7f {
            packet.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        packet.push(u8::try_from(length).unwrap());
        packet.extend_from_slice(&body);
        self.send(&packet).await;
    }
}
