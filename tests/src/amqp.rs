//! Clients of RabbitMQ with `aio-pika`, each a Python process: a device that speaks AMQP 0.9.1, and a consumer of results.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::json_lines::Script;
use crate::{Credential, DeviceSecrets, RabbitUser};

/// A device that speaks AMQP 0.9.1.
#[derive(Debug)]
pub struct AmqpDevice {
    script: Script,
}

/// What a device may try and the broker may refuse.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// Binding its own queue.
    Bind {
        /// From which exchange.
        exchange: &'a str,
        /// For which keys.
        key: &'a str,
    },
    /// Declaring a queue of this name.
    Declare(&'a str),
    /// Consuming from a queue of this name.
    Consume(&'a str),
    /// Publishing.
    Publish {
        /// On which exchange.
        exchange: &'a str,
        /// Under which key.
        key: &'a str,
        /// What; its `id` is its correlation id too.
        body: &'a Value,
        /// Whether with its `user_id`.
        named: bool,
    },
}

impl AmqpDevice {
    /// Starts it and waits until it can be called. It answers what it was asked.
    pub fn connect(broker: SocketAddr, device: &DeviceSecrets) -> Self {
        let started = Self::start(broker, device, true);
        started.event("connected");
        started
    }

    /// The same without its name in its answers.
    pub fn connect_unnamed(broker: SocketAddr, device: &DeviceSecrets) -> Self {
        let started = Self::start(broker, device, false);
        started.event("connected");
        started
    }

    /// Starts it. It tries to connect until it is let in.
    pub fn start(broker: SocketAddr, device: &DeviceSecrets, named: bool) -> Self {
        let DeviceSecrets { product, name, .. } = device;
        let Credential { username, password, .. } = Credential::with_options(device, &format!("{product}.{name}"), "");
        Self::start_as(broker, device, RabbitUser { name: &username, password: &password }, named)
    }

    fn start_as(broker: SocketAddr, device: &DeviceSecrets, user: RabbitUser<'_>, named: bool) -> Self {
        let script = Script::start(
            &format!("AMQP device {}", device.name),
            "aio_pika_device.py",
            &json!({
                "host": broker.ip().to_string(), "port": broker.port(), "user": user.name, "password": user.password,
                "product": device.product, "device": device.name, "user_id": named,
            }),
        );
        Self { script }
    }

    /// From now on it answers with this code and data.
    pub fn answers(&self, code: i64, data: &Value) {
        self.script.send(&json!({ "code": code, "data": data }));
        self.event("behaves");
    }

    /// From now on it does not answer.
    pub fn is_silent(&self) {
        self.script.send(&json!({ "silent": true }));
        self.event("behaves");
    }

    /// The next call of it: the command, its properties and headers.
    pub fn called(&self) -> Value {
        self.event("called")
    }

    /// Tries this; the class of the client's exception if the broker refuses.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn tries(&self, attempt: Attempt<'_>) -> Result<(), String> {
        self.script.send(&match attempt {
            Attempt::Bind { exchange, key } => json!({ "try": "bind", "exchange": exchange, "key": key }),
            Attempt::Declare(queue) => json!({ "try": "declare", "queue": queue }),
            Attempt::Consume(queue) => json!({ "try": "consume", "queue": queue }),
            Attempt::Publish { exchange, key, body, named } => json!({
                "try": "publish", "exchange": exchange, "key": key, "body": body, "user_id": named,
                "correlation_id": body.get("id"),
            }),
        });
        self.event("tried").get("refused").and_then(Value::as_str).map_or(Ok(()), |why| Err(why.to_owned()))
    }

    /// The next event of this name; others are passed over.
    pub fn event(&self, name: &str) -> Value {
        self.script.event(name)
    }

    /// The next event of any name, however long it takes; `None` when it has ended.
    pub fn any_event(&self) -> Option<Value> {
        self.script.forever()
    }

    /// Has it close its connection and end.
    pub fn leaves(&self) {
        self.script.send(&json!({ "leave": true }));
        while self.script.forever().is_some() {}
    }
}

/// The exchange of results.
const RESULTS: &str = "thingcall.results";

/// A consumer of results of asynchronous calls.
#[derive(Debug)]
pub struct ResultConsumer {
    script: Script,
}

impl ResultConsumer {
    /// Declares a durable queue, binds it to the exchange for this key, and goes away.
    pub fn leave_queue(broker: SocketAddr, user: RabbitUser<'_>, queue: &str, key: &str) {
        Self::leave_queue_of(RESULTS, (broker, user), queue, key);
    }

    /// The same of another exchange.
    pub fn leave_queue_of(exchange: &str, broker: (SocketAddr, RabbitUser<'_>), queue: &str, key: &str) {
        let started = Self::start(exchange, broker, (queue, key), false);
        while started.script.forever().is_some() {}
    }

    /// Reads from such a queue.
    pub fn read(broker: SocketAddr, user: RabbitUser<'_>, queue: &str, key: &str) -> Self {
        Self::read_of(RESULTS, (broker, user), queue, key)
    }

    /// The same of another exchange.
    pub fn read_of(exchange: &str, broker: (SocketAddr, RabbitUser<'_>), queue: &str, key: &str) -> Self {
        Self::start(exchange, broker, (queue, key), true)
    }

    fn start(
        exchange: &str,
        (broker, user): (SocketAddr, RabbitUser<'_>),
        (queue, key): (&str, &str),
        reads: bool,
    ) -> Self {
        let script = Script::start(
            &format!("consumer of {queue}"),
            "aio_pika_consumer.py",
            &json!({
                "host": broker.ip().to_string(), "port": broker.port(), "user": user.name, "password": user.password,
                "exchange": exchange, "queue": queue, "key": key, "reads": reads,
            }),
        );
        let started = Self { script };
        started.script.event("bound");
        started
    }

    /// The next result.
    pub fn result(&self) -> Value {
        self.script.event("result")
    }
}
