//! A device by hand, for what the official SDK never does: other client ids, other topics, other answers.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use hmac::{Hmac, KeyInit, Mac};
use rumqttc_v4::{
    AckMode, Client, Connection, ConnectionError, Event, MqttOptions, Packet, Publish, PublishOptions, QoS,
    SubscribeReasonCode,
};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::DeviceSecrets;
use crate::wait::TIMEOUT;

/// What a device shows at its connect.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The MQTT client id.
    pub client_id: String,
    /// The MQTT user name.
    pub username: String,
    /// The MQTT password.
    pub password: String,
}

impl Credential {
    /// The right one, with `ext` as wanted.
    pub fn of(device: &DeviceSecrets, ext: Option<u8>) -> Self {
        let ext = ext.map(|ext| format!(",ext={ext}")).unwrap_or_default();
        Self::with_options(device, &device.name, &format!("securemode=3,signmethod=hmacsha256{ext}"))
    }

    /// The right one, with these options between the bars of the client id; a `timestamp` is the last of them.
    ///
    /// # Panics
    /// Never: an HMAC takes any key.
    pub fn with_options(device: &DeviceSecrets, client: &str, options: &str) -> Self {
        let DeviceSecrets { product, name, secret, .. } = device;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
        mac.update(format!("clientId{client}deviceName{name}productKey{product}").as_bytes());
        if let Some((_, time)) = options.split_once("timestamp=") {
            mac.update(format!("timestamp{time}").as_bytes());
        }
        Self {
            client_id: format!("{client}|{options}|"),
            username: format!("{name}&{product}"),
            password: hex::encode(mac.finalize().into_bytes()),
        }
    }
}

/// A message that a device got.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its topic.
    pub topic: String,
    /// Its body; null if it is not JSON.
    pub body: Value,
    /// Its bytes, whatever they are.
    pub bytes: Vec<u8>,
    /// 0 or 1.
    pub qos: u8,
    publish: Publish,
}

impl Seen {
    /// The Alink id.
    ///
    /// # Panics
    /// If it has none that is text.
    pub fn id(&self) -> &str {
        self.body.get("id").and_then(Value::as_str).expect("an id that is text")
    }

    /// A success with this data, as a device answers it.
    pub fn answer(&self, data: &Value) -> Value {
        json!({ "id": self.id(), "code": 200, "data": data })
    }
}

enum Happened {
    Connected,
    Refused(String),
    Got(Seen),
    Granted(bool),
    Taken,
    Gone,
}

/// A connected device. It acknowledges nothing by itself and does not connect again.
pub struct MqttDevice {
    client: Client,
    messages: Mutex<Receiver<Seen>>,
    grants: Mutex<Receiver<bool>>,
    taken: Mutex<Receiver<()>>,
    gone: Mutex<Receiver<()>>,
}

impl MqttDevice {
    /// Connects it.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn connect(broker: SocketAddr, credential: &Credential) -> Self {
        Self::try_connect(broker, credential).unwrap_or_else(|why| panic!("{credential:?} is refused: {why}"))
    }

    /// Connects it.
    ///
    /// # Errors
    /// Why the broker refuses.
    ///
    /// # Panics
    /// If the broker says nothing.
    pub fn try_connect(broker: SocketAddr, credential: &Credential) -> Result<Self, String> {
        Self::begin(broker, credential, true)
    }

    /// Connects it to the session that its broker kept, or will keep.
    ///
    /// # Panics
    /// If the broker refuses.
    pub fn come_again(broker: SocketAddr, credential: &Credential) -> Self {
        Self::begin(broker, credential, false).unwrap_or_else(|why| panic!("{credential:?} is refused: {why}"))
    }

    fn begin(broker: SocketAddr, credential: &Credential, clean: bool) -> Result<Self, String> {
        let mut options = MqttOptions::new(&credential.client_id, (broker.ip().to_string(), broker.port()));
        options.set_credentials(&credential.username, credential.password.clone());
        options
            .set_keep_alive(60)
            .set_ack_mode(AckMode::Manual)
            .set_clean_session(clean)
            .set_max_packet_size(1 << 20, 1 << 20);
        let (client, connection) = Client::builder(options).capacity(100).build();
        let (connected, connecting) = channel();
        let (got, messages) = channel();
        let (granted, grants) = channel();
        let (took, taken) = channel();
        let (left, gone) = channel();
        std::thread::spawn(move || {
            listen(connection, |happened| {
                // Who waits for nothing has dropped the receiver.
                let _unread = match happened {
                    Happened::Connected => connected.send(Ok(())).is_ok(),
                    Happened::Refused(why) => connected.send(Err(why)).is_ok(),
                    Happened::Got(seen) => got.send(seen).is_ok(),
                    Happened::Granted(all) => granted.send(all).is_ok(),
                    Happened::Taken => tell(&took),
                    Happened::Gone => tell(&left),
                };
            });
        });
        connecting.recv_timeout(TIMEOUT).expect("the broker answers a CONNECT")?;
        let (messages, grants) = (Mutex::new(messages), Mutex::new(grants));
        Ok(Self { client, messages, grants, taken: Mutex::new(taken), gone: Mutex::new(gone) })
    }

    /// Subscribes at QoS 1; says whether the broker granted it.
    ///
    /// # Panics
    /// If the broker says nothing.
    pub fn subscribe(&self, filter: &str) -> bool {
        self.asks_for(filter);
        self.grants.lock().expect("no waiter panicked").recv_timeout(TIMEOUT).expect("a SUBACK")
    }

    /// Sends a SUBSCRIBE, for brokers that end the connection instead of an answer.
    ///
    /// # Panics
    /// If the filter is none.
    pub fn asks_for(&self, filter: &str) {
        self.client.subscribe(filter, QoS::AtLeastOnce).expect("a valid filter");
    }

    /// The next message it gets.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn next(&self) -> Seen {
        let messages = self.messages.lock().expect("no waiter panicked");
        messages.recv_timeout(TIMEOUT).expect("a message for the device")
    }

    /// The next message, if it is there already.
    ///
    /// # Panics
    /// Never: no waiter panics.
    pub fn try_next(&self) -> Option<Seen> {
        self.messages.lock().expect("no waiter panicked").try_recv().ok()
    }

    /// Whether a message is there already.
    pub fn has_message(&self) -> bool {
        self.try_next().is_some()
    }

    /// Acknowledges a message.
    ///
    /// # Panics
    /// If the connection has ended.
    pub fn acknowledge(&self, seen: &Seen) {
        self.client.ack(&seen.publish).expect("a connection");
    }

    /// Publishes at QoS 0.
    ///
    /// # Panics
    /// If the connection has ended.
    pub fn publish(&self, topic: &str, body: &Value) {
        self.publish_bytes(topic, body.to_string().into_bytes());
    }

    /// Publishes at QoS 1, and waits until the broker has it.
    ///
    /// # Panics
    /// If it does not take it.
    pub fn publish_surely(&self, topic: &str, body: &Value) {
        let (body, surely) = (body.to_string().into_bytes(), PublishOptions::new(QoS::AtLeastOnce));
        self.client.publish(topic, body, surely).expect("a connection");
        self.taken.lock().expect("no waiter panicked").recv_timeout(TIMEOUT).expect("a PUBACK");
    }

    /// Publishes whatever bytes at QoS 0.
    ///
    /// # Panics
    /// If the connection has ended.
    pub fn publish_bytes(&self, topic: &str, bytes: Vec<u8>) {
        self.client.publish(topic, bytes, PublishOptions::new(QoS::AtMostOnce)).expect("a connection");
    }

    /// Waits until its connection has ended.
    ///
    /// # Panics
    /// If it does not.
    pub fn gone(&self) {
        self.gone.lock().expect("no waiter panicked").recv_timeout(TIMEOUT).expect("the connection ends");
    }
}

impl std::fmt::Debug for MqttDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MqttDevice")
    }
}

fn tell(to: &Sender<()>) -> bool {
    to.send(()).is_ok()
}

/// Passes on what happens until the connection ends or the client is dropped.
fn listen(mut connection: Connection, tell: impl Fn(Happened)) {
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => tell(Happened::Connected),
            Ok(Event::Incoming(Packet::Publish(publish))) => tell(Happened::Got(seen(publish))),
            Ok(Event::Incoming(Packet::SubAck(granted))) => {
                let all = granted.return_codes.iter().all(|code| *code != SubscribeReasonCode::Failure);
                tell(Happened::Granted(all));
            }
            Ok(Event::Incoming(Packet::PubAck(_))) => tell(Happened::Taken),
            Ok(_) => {}
            Err(ConnectionError::ConnectionRefused(code)) => return tell(Happened::Refused(format!("{code:?}"))),
            Err(error) => {
                tell(Happened::Refused(error.to_string()));
                return tell(Happened::Gone);
            }
        }
    }
}

fn seen(publish: Publish) -> Seen {
    Seen {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        body: serde_json::from_slice(&publish.payload).unwrap_or(Value::Null),
        bytes: publish.payload.to_vec(),
        qos: publish.qos as u8,
        publish,
    }
}
