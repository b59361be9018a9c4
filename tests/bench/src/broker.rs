//! Where the devices of a measurement are, as `--broker` says it.

/// Which broker the devices are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broker {
    Embedded,
    At(Address),
    Amqp(Rabbit),
}

/// Host and port of an MQTT broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A RabbitMQ, and the user that server, devices and reference are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rabbit {
    pub(crate) place: String,
    pub(crate) username: String,
    pub(crate) password: String,
}

impl Rabbit {
    /// Without the user.
    pub(crate) fn url(&self) -> String {
        format!("amqp://{}", self.place)
    }

    /// As lapin reads it.
    pub(crate) fn uri(&self) -> String {
        format!("amqp://{}:{}@{}/%2f", self.username, self.password, self.place)
    }

    fn of(rest: &str) -> Self {
        let rest = rest.trim_end_matches('/');
        let (user, place) = rest.rsplit_once('@').unwrap_or(("guest:guest", rest));
        let (username, password) = user.split_once(':').unwrap_or((user, ""));
        Self { place: place.to_owned(), username: username.to_owned(), password: password.to_owned() }
    }
}

impl std::str::FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.trim_end_matches('/').rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or("right is mqtt://127.0.0.1:1883")?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
    }
}

impl std::str::FromStr for Broker {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "embedded" {
            return Ok(Self::Embedded);
        }
        match text.strip_prefix("amqp://") {
            Some(rest) => Ok(Self::Amqp(Rabbit::of(rest))),
            None => text.strip_prefix("mqtt://").unwrap_or_default().parse().map(Self::At),
        }
    }
}

impl std::fmt::Display for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::At(address) => address.fmt(f),
            Self::Amqp(rabbit) => f.write_str(&rabbit.url()),
        }
    }
}
