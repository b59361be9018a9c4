//! What brokers ask.
//!
//! **Invariant:** a closed list; paths and metric labels come from it alone.

/// The kinds of brokers that ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broker {
    /// RabbitMQ with `rabbitmq_auth_backend_http`.
    Rabbitmq,
    /// EMQX with its HTTP authentication and authorisation.
    Emqx,
    /// Mosquitto with go-auth.
    Mosquitto,
}

impl Broker {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Rabbitmq, Self::Emqx, Self::Mosquitto];

    /// The word in paths, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rabbitmq => "rabbitmq",
            Self::Emqx => "emqx",
            Self::Mosquitto => "mosquitto",
        }
    }
}

/// A question, answered at `/{broker}/{word}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// RabbitMQ's.
    Rabbitmq(crate::rabbitmq::Question),
    /// EMQX's.
    Emqx(crate::emqx::Question),
    /// go-auth's.
    Mosquitto(crate::mosquitto::Question),
}

impl Endpoint {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = {
        use crate::{emqx, mosquitto, rabbitmq};
        [
            Self::Rabbitmq(rabbitmq::Question::User),
            Self::Rabbitmq(rabbitmq::Question::Vhost),
            Self::Rabbitmq(rabbitmq::Question::Resource),
            Self::Rabbitmq(rabbitmq::Question::Topic),
            Self::Emqx(emqx::Question::Authn),
            Self::Emqx(emqx::Question::Authz),
            Self::Mosquitto(mosquitto::Question::User),
            Self::Mosquitto(mosquitto::Question::Acl),
            Self::Mosquitto(mosquitto::Question::Superuser),
        ]
    };

    /// The endpoint of a path such as `rabbitmq/user`.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let (broker, word) = path.split_once('/')?;
        Self::ALL.into_iter().find(|endpoint| endpoint.broker().as_str() == broker && endpoint.word() == word)
    }

    /// Who asks.
    pub(crate) const fn broker(self) -> Broker {
        match self {
            Self::Rabbitmq(_) => Broker::Rabbitmq,
            Self::Emqx(_) => Broker::Emqx,
            Self::Mosquitto(_) => Broker::Mosquitto,
        }
    }

    /// The word in the path and in metrics.
    pub(crate) const fn word(self) -> &'static str {
        use crate::{emqx, mosquitto, rabbitmq};
        match self {
            Self::Rabbitmq(rabbitmq::Question::User) | Self::Mosquitto(mosquitto::Question::User) => "user",
            Self::Rabbitmq(rabbitmq::Question::Vhost) => "vhost",
            Self::Rabbitmq(rabbitmq::Question::Resource) => "resource",
            Self::Rabbitmq(rabbitmq::Question::Topic) => "topic",
            Self::Emqx(emqx::Question::Authn) => "authn",
            Self::Emqx(emqx::Question::Authz) => "authz",
            Self::Mosquitto(mosquitto::Question::Acl) => "acl",
            Self::Mosquitto(mosquitto::Question::Superuser) => "superuser",
        }
    }
}
