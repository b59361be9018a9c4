//! A real RabbitMQ with the sample configuration, its MQTT plugin, and devices that connect to it.

use std::time::Duration;

use rumqttc_v4::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, PublishOptions,
};
use thingcall_alink as alink;
use thingcall_core::{SyncTopic, TransportName};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::amqp::{ACCESS_REFUSED, Amqp, Refused};
use super::bench::{Bench, device, password};
use super::rabbit::Rabbit;
use crate::amqp_client_id;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// An MQTT connection.
struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    /// Connects; the error is why it was refused.
    async fn connect(
        rabbit: &Rabbit,
        client_id: &str,
        (user, password): (&str, &str),
    ) -> Result<Self, ConnectionError> {
        let mut options = MqttOptions::new(client_id, (rabbit.mqtt.ip().to_string(), rabbit.mqtt.port()));
        options.set_credentials(user, password.to_owned()).set_clean_session(true);
        let (client, events) = AsyncClient::builder(options).capacity(10).build();
        let mut client = Self { client, events };
        loop {
            if let Packet::ConnAck(_) = client.packet().await? {
                return Ok(client);
            }
        }
    }

    async fn device(rabbit: &Rabbit, name: &str, client_id: &str) -> Result<Self, ConnectionError> {
        let device = device(name);
        Self::connect(rabbit, client_id, (&alink::username(&device), &password(&device, client_id))).await
    }

    async fn packet(&mut self) -> Result<Packet, ConnectionError> {
        loop {
            if let Event::Incoming(packet) = timeout(PATIENCE, self.events.poll()).await.expect("the broker answers")? {
                return Ok(packet);
            }
        }
    }

    /// Subscribes; the error is that the broker closed the connection.
    async fn subscribe(&mut self, filter: &str) -> Result<(), ConnectionError> {
        self.client.subscribe(filter, rumqttc_v4::QoS::AtLeastOnce).await.unwrap();
        while !matches!(self.packet().await?, Packet::SubAck(_)) {}
        Ok(())
    }

    /// Publishes; the error is that the broker closed the connection.
    async fn publish(&mut self, topic: &str, payload: &str) -> Result<(), ConnectionError> {
        self.client.publish(topic, payload.to_owned(), PublishOptions::at_least_once()).await.unwrap();
        while !matches!(self.packet().await?, Packet::PubAck(_)) {}
        Ok(())
    }

    async fn message(&mut self) -> (String, String) {
        loop {
            if let Packet::Publish(Publish { topic, payload, .. }) = self.packet().await.unwrap() {
                return (text(&topic), text(&payload));
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn refused(connected: Result<Client, ConnectionError>) -> bool {
    match connected.err() {
        Some(ConnectionError::ConnectionRefused(code)) => {
            matches!(code, ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized)
        }
        Some(_) | None => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_behind_rabbitmq_reaches_its_own_topics_and_no_others() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gate = crate::Gate { keeper: bench.gate.keeper.clone(), figures: bench.gate.figures.clone() };
    let serving = gate.serve(listener);
    let rabbit = tokio::task::spawn_blocking(move || Rabbit::start(address)).await.unwrap();

    only_who_proves_to_be_a_device_gets_in(&bench, &rabbit).await;
    a_device_reaches_its_own_topics(&bench, &rabbit).await;
    no_other_topic_is_reached(&rabbit).await;
    a_device_that_speaks_amqp_is_confined_too(&rabbit).await;

    drop(rabbit);
    serving.stop(PATIENCE).await.expect("idle connections are closed");
}

async fn only_who_proves_to_be_a_device_gets_in(bench: &Bench, rabbit: &Rabbit) {
    let own = "pk1&devA|securemode=3,signmethod=hmacsha256|";
    assert!(Client::device(rabbit, "devA", own).await.is_ok());
    assert!(refused(Client::connect(rabbit, own, ("devA&pk1", "wrong")).await), "a wrong password");
    assert!(refused(Client::device(rabbit, "devX", "x|signmethod=hmacsha256|").await), "an unknown device");
    assert!(refused(Client::device(rabbit, "devB", own).await), "a client id named after another device");

    let free = "0a:1b:2c|securemode=3,signmethod=hmacsha256|";
    assert!(Client::device(rabbit, "devA", free).await.is_ok());
    assert!(refused(Client::device(rabbit, "devB", free).await), "a client id that another device uses");

    bench.devices.put(&device("devC"), false);
    assert!(refused(Client::device(rabbit, "devC", "c|signmethod=hmacsha256|").await), "a disabled device");
    assert!(refused(Client::connect(rabbit, "router", ("router", "wrong")).await), "a user's wrong password");
}

async fn a_device_reaches_its_own_topics(bench: &Bench, rabbit: &Rabbit) {
    let mut router = Client::connect(rabbit, "router", ("router", "router's")).await.unwrap();
    router.subscribe("/sys/+/+/rrpc/response/+").await.unwrap();
    let mut device_a = Client::device(rabbit, "devA", "pk1&devA|ext=1,timestamp=1|").await.unwrap();
    device_a.subscribe("/sys/pk1/devA/rrpc/request/+").await.unwrap();

    // It reaches `amq.topic`, where the router's queue is bound.
    device_a.publish("/sys/pk1/devA/rrpc/response/1", "from the device").await.unwrap();
    assert_eq!(router.message().await, ("/sys/pk1/devA/rrpc/response/1".to_owned(), "from the device".to_owned()));
    router.publish("/sys/pk1/devA/rrpc/request/7", "to the device").await.unwrap();
    assert_eq!(device_a.message().await, ("/sys/pk1/devA/rrpc/request/7".to_owned(), "to the device".to_owned()));

    // RabbitMQ 3.10 declares the queue of such an id without the line feeds and reads one with them, which is not there:
    // the gate refuses nothing of it.
    let broken = "pk1&devA|securemode=3,\n  signmethod=hmacsha1,\n  timestamp=1|";
    let mut broken = Client::device(rabbit, "devA", broken).await.unwrap();
    drop(broken.subscribe("/sys/pk1/devA/rrpc/request/+").await);
    assert_eq!(bench.refusals("rabbitmq", "resource"), 0);

    let expected = (device("devA"), TransportName::AMQP, Some(SyncTopic::Ext), None);
    assert!(bench.devices.admitted.lock().unwrap().contains(&expected));
    assert!(bench.devices.seen.lock().unwrap().contains(&device("devA")));
    assert!(bench.decisions("rabbitmq", "topic", "allow") > 0);
}

async fn no_other_topic_is_reached(rabbit: &Rabbit) {
    let mut router = Client::connect(rabbit, "router", ("router", "router's")).await.unwrap();
    router.subscribe("/sys/#").await.unwrap();
    let connect = || Client::device(rabbit, "devA", "pk1&devA|securemode=3|");

    for filter in ["/sys/pk1/devB/rrpc/request/+", "/sys/pk1/+/rrpc/request/+", "/sys/#", "#"] {
        assert!(connect().await.unwrap().subscribe(filter).await.is_err(), "{filter}");
    }
    for topic in ["/sys/pk1/devB/rrpc/request/1", "/sys/pk1/devB/rrpc/response/1"] {
        assert!(connect().await.unwrap().publish(topic, "forged").await.is_err(), "{topic}");
    }
    // The first message to come is this one: none of the others left.
    connect().await.unwrap().publish("/sys/pk1/devA/rrpc/response/2", "own").await.unwrap();
    assert_eq!(router.message().await, ("/sys/pk1/devA/rrpc/response/2".to_owned(), "own".to_owned()));
}

const COMMANDS: &str = "thingcall.commands";
const REPLIES: &str = "thingcall.replies";
const QUEUE: &str = "thingcall.device.pk1.devA";
const OWN: &str = ".sys.pk1.devA.#";

async fn a_device_that_speaks_amqp_is_confined_too(rabbit: &Rabbit) {
    let mut router = Amqp::connect(rabbit.amqp, "router", "router's").await.unwrap();
    router.exchange(COMMANDS).await.unwrap();
    router.exchange(REPLIES).await.unwrap();
    router.queue("replies", REPLIES, "#").await.unwrap();
    router.consume("replies").await.unwrap();
    let device_a = device("devA");
    let password = password(&device_a, &amqp_client_id(&device_a));
    let connect = async || Amqp::connect(rabbit.amqp, "devA&pk1", &password).await.unwrap();

    let wrong = Amqp::connect(rabbit.amqp, "devA&pk1", "wrong").await.err();
    assert_eq!(wrong, Some(Refused(None)));
    let refused = Err(ACCESS_REFUSED);
    assert_eq!(connect().await.queue("thingcall.device.pk1.devB", COMMANDS, OWN).await, refused);
    assert_eq!(connect().await.queue(QUEUE, COMMANDS, ".sys.pk1.devB.#").await, refused);
    assert_eq!(connect().await.queue(QUEUE, COMMANDS, "#").await, refused);
    assert_eq!(connect().await.queue(QUEUE, REPLIES, OWN).await, refused);
    assert_eq!(connect().await.queue(QUEUE, "amq.topic", OWN).await, refused);
    assert_eq!(connect().await.consume("replies").await, refused);
    assert_eq!(connect().await.exchange("own").await, refused);
    for (exchange, key) in [
        (REPLIES, ".sys.pk1.devB.thing.service.x_reply"),
        (COMMANDS, ".sys.pk1.devA.thing.service.x"),
        ("amq.topic", ".sys.pk1.devA.thing.service.x_reply"),
        ("", "replies"),
    ] {
        assert_eq!(connect().await.publish(exchange, key, "forged").await, refused, "{exchange} {key}");
    }

    let mut amqp = connect().await;
    amqp.queue(QUEUE, COMMANDS, OWN).await.unwrap();
    amqp.consume(QUEUE).await.unwrap();
    router.publish(COMMANDS, ".sys.pk1.devA.thing.service.x", "command").await.unwrap();
    assert_eq!(amqp.message().await, "command");
    amqp.publish(REPLIES, ".sys.pk1.devA.thing.service.x_reply", "reply").await.unwrap();
    assert_eq!(router.message().await, "reply", "and nothing before it");
}
