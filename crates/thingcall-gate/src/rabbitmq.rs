//! RabbitMQ's questions (`rabbitmq_auth_backend_http`), answered with `allow` or `deny` and status 200.
//!
//! A device that speaks MQTT comes with a client id: it gets the queues that the MQTT plugin makes for that very id,
//! and its own topics on the plugin's exchange. A device that speaks AMQP has none: it gets one queue of its own, reads
//! commands from one exchange and writes replies to another, both of type topic, under routing keys that are its own
//! topics with `.` for `/`.
//!
//! **Invariant:** what a device can get into its queue and what it can write have no exchange in common. It may
//! dead-letter from its queue under any routing key, and RabbitMQ asks only whether it may write the exchange: so all it
//! could send in another's name is a command it was given, where only replies are read.

use axum::response::{IntoResponse, Response};
use strum::{IntoStaticStr, VariantArray};
use thingcall_alink as alink;
use thingcall_core::DeviceKey;

use crate::broker::BrokersQuestion;
use crate::config::Rabbitmq;
use crate::denial::Denial;
use crate::fields::{Fields, Form};
use crate::who::{Attempt, ClientId, Doorkeeper, Who, without_line_ends};

/// What RabbitMQ asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Question {
    /// May this user log in? The one question that has a password.
    User,
    /// May it use this virtual host?
    Vhost,
    /// May it configure, read or write this queue or exchange?
    Resource,
    /// May it use this routing key on this topic exchange?
    Topic,
}

impl BrokersQuestion for Question {
    const BROKER: &'static str = "rabbitmq";

    async fn decide<'a>(self, keeper: &'a Doorkeeper, fields: &Fields) -> Result<Who<'a>, Denial> {
        let who = match self {
            Self::User => user(keeper, fields).await?,
            Self::Vhost | Self::Resource | Self::Topic => {
                let (username, vhost) = (fields.need("username")?, fields.need("vhost")?);
                let who = keeper.who(username).await?;
                if !keeper.config.rabbitmq.vhosts.iter().any(|known| known == vhost) {
                    return Err(Denial::Vhost);
                }
                who
            }
        };
        let Who::Device(device) = &who else { return Ok(who) };
        if device.name.as_str().contains('.') {
            return Err(Denial::Dotted);
        }
        let client_id = fields.get("client_id").or_else(|| fields.get("variable_map.client_id"));
        if let Some(client_id) = client_id
            && self != Self::User
        {
            keeper.own_client_id(ClientId::OfSession(client_id), device).await?;
        }
        let session = Session { names: &keeper.config.rabbitmq, device, client_id };
        match self {
            Self::User | Self::Vhost => {}
            Self::Resource => session.resource(fields)?,
            Self::Topic => session.topic(keeper, fields)?,
        }
        Ok(who)
    }

    fn answer(self, _: &Doorkeeper, _: Form, decided: &Result<Who<'_>, Denial>) -> Response {
        match (self, decided) {
            (Self::User, Ok(Who::User(user))) if !user.tags.is_empty() => format!("allow {}", user.tags.join(" ")),
            (_, Ok(_)) => "allow".to_owned(),
            (_, Err(_)) => "deny".to_owned(),
        }
        .into_response()
    }
}

async fn user<'a>(keeper: &'a Doorkeeper, fields: &Fields) -> Result<Who<'a>, Denial> {
    let username = fields.need("username")?;
    // A name with a dot would be let in to find nothing allowed.
    if alink::device_of(username).is_some_and(|device| device.name.as_str().contains('.')) {
        return Err(Denial::Dotted);
    }
    let attempt = Attempt {
        transport: keeper.config.rabbitmq.transport,
        username,
        // Absent where another backend has let the user in and only asks whether it is known.
        password: fields.get("password").unwrap_or_default(),
        client_id: fields.get("client_id").map(ClientId::OfSession),
        address: None,
    };
    keeper.login(&attempt).await
}

/// A device's connection.
struct Session<'a> {
    names: &'a Rabbitmq,
    device: &'a DeviceKey,
    /// `None` where it speaks AMQP.
    client_id: Option<&'a str>,
}

impl Session<'_> {
    fn resource(&self, fields: &Fields) -> Result<(), Denial> {
        let (name, permission) = (fields.need("name")?, fields.need("permission")?);
        let allowed = match fields.need("resource")? {
            "queue" => self.owns_queue(name) && ["configure", "read", "write"].contains(&permission),
            "exchange" => self.may_use(name, permission),
            _ => false,
        };
        if allowed { Ok(()) } else { Err(Denial::Resource) }
    }

    fn topic(&self, keeper: &Doorkeeper, fields: &Fields) -> Result<(), Denial> {
        let (name, permission) = (fields.need("name")?, fields.need("permission")?);
        let topic = topic_of(fields.need("routing_key")?).ok_or(Denial::Topic)?;
        let allowed = self.may_use(name, permission)
            && match permission {
                "write" => alink::may_publish(self.device, &topic),
                "read" => alink::may_subscribe(self.device, &topic),
                _ => false,
            };
        if !allowed {
            return Err(Denial::Topic);
        }
        if permission == "write" {
            keeper.published(self.device, self.names.transport);
        }
        Ok(())
    }

    fn owns_queue(&self, name: &str) -> bool {
        match self.client_id {
            Some(client_id) => name
                .strip_prefix("mqtt-subscription-")
                .and_then(|rest| rest.strip_suffix("qos0").or_else(|| rest.strip_suffix("qos1")))
                .is_some_and(|of| without_line_ends(of) == without_line_ends(client_id)),
            None => name == self.names.queue(self.device),
        }
    }

    fn may_use(&self, exchange: &str, permission: &str) -> bool {
        match (self.client_id, permission) {
            (Some(_), "read" | "write") => exchange == self.names.mqtt_exchange,
            (None, "read") => exchange == self.names.commands_exchange,
            (None, "write") => exchange == self.names.replies_exchange,
            (Some(_) | None, _) => false,
        }
    }
}

impl Rabbitmq {
    /// The queue of a device that speaks AMQP.
    pub fn queue(&self, device: &DeviceKey) -> String {
        format!("{}{}.{}", self.queue_prefix, device.product, device.name)
    }
}

/// The topic or filter of a routing or binding key, as the MQTT plugin translates it. `/` and `+` are in none that it
/// makes, and would reach MQTT devices as more levels than RabbitMQ has matched.
fn topic_of(routing_key: &str) -> Option<String> {
    let plain = !routing_key.contains(['/', '+']);
    plain.then(|| routing_key.replace('.', "/").replace('*', "+"))
}

#[cfg(test)]
mod tests;
