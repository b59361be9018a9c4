//! Where the devices of a measurement are, as `--broker` says it.

use crate::simulate::Address;

/// Which broker the devices are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broker {
    Embedded,
    At(Address),
    Amqp(Rabbit),
}

/// A RabbitMQ, and the user that server, devices and reference are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rabbit {
    pub(super) place: String,
    pub(super) username: String,
    pub(super) password: String,
}

impl Rabbit {
    /// Without the user.
    pub(super) fn url(&self) -> String {
        format!("amqp://{}", self.place)
    }

    /// As lapin reads it.
    pub(super) fn uri(&self) -> String {
        format!("amqp://{}:{}@{}/%2f", self.username, self.password, self.place)
    }

    fn of(rest: &str) -> Self {
        let rest = rest.trim_end_matches('/');
        let (user, place) = rest.rsplit_once('@').unwrap_or(("guest:guest", rest));
        let (username, password) = user.split_once(':').unwrap_or((user, ""));
        Self { place: place.to_owned(), username: username.to_owned(), password: password.to_owned() }
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
            None => text.parse().map(Self::At),
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
