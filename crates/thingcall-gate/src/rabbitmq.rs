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
use thingcall_alink as alink;
use thingcall_core::{DeviceKey, UnixMillis};

use crate::config::Rabbitmq;
use crate::endpoint::Broker;
use crate::fields::Fields;
use crate::who::{App, Attempt, Refused, Who, without_line_ends};

/// What RabbitMQ asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

pub(crate) fn decide<'a>(app: &'a App, question: Question, fields: &Fields) -> Result<Who<'a>, Refused> {
    let who = match question {
        Question::User => user(app, fields)?,
        Question::Vhost | Question::Resource | Question::Topic => {
            let (username, vhost) = (fields.need("username")?, fields.need("vhost")?);
            let who = app.who(username)?;
            if !app.config.rabbitmq.vhosts.iter().any(|known| known == vhost) {
                return Err(Refused::Vhost);
            }
            who
        }
    };
    let Who::Device(device) = &who else { return Ok(who) };
    if device.name.as_str().contains('.') {
        return Err(Refused::Dotted);
    }
    let client_id = fields.get("client_id").or_else(|| fields.get("variable_map.client_id"));
    if let Some(client_id) = client_id
        && question != Question::User
    {
        app.own_client_id(Broker::Rabbitmq, client_id, device)?;
    }
    let session = Session { names: &app.config.rabbitmq, device, client_id };
    match question {
        Question::User | Question::Vhost => {}
        Question::Resource => session.resource(fields)?,
        Question::Topic => session.topic(app, fields)?,
    }
    Ok(who)
}

fn user<'a>(app: &'a App, fields: &Fields) -> Result<Who<'a>, Refused> {
    let username = fields.need("username")?;
    // A name with a dot would be let in to find nothing allowed.
    if alink::device_of(username).is_some_and(|device| device.name.as_str().contains('.')) {
        return Err(Refused::Dotted);
    }
    app.login(&Attempt {
        broker: Broker::Rabbitmq,
        username,
        // Absent where another backend has let the user in and only asks whether it is known.
        password: fields.get("password").unwrap_or_default(),
        client_id: fields.get("client_id"),
        address: None,
    })
}

pub(crate) fn answer(question: Question, decided: &Result<Who<'_>, Refused>) -> Response {
    match (question, decided) {
        (Question::User, Ok(Who::User(user))) if !user.tags.is_empty() => format!("allow {}", user.tags.join(" ")),
        (_, Ok(_)) => "allow".to_owned(),
        (_, Err(_)) => "deny".to_owned(),
    }
    .into_response()
}

/// A device's connection.
struct Session<'a> {
    names: &'a Rabbitmq,
    device: &'a DeviceKey,
    /// `None` where it speaks AMQP.
    client_id: Option<&'a str>,
}

impl Session<'_> {
    fn resource(&self, fields: &Fields) -> Result<(), Refused> {
        let (name, permission) = (fields.need("name")?, fields.need("permission")?);
        let allowed = match fields.need("resource")? {
            "queue" => self.owns_queue(name) && ["configure", "read", "write"].contains(&permission),
            "exchange" => self.may_use(name, permission),
            _ => false,
        };
        if allowed { Ok(()) } else { Err(Refused::Resource) }
    }

    fn topic(&self, app: &App, fields: &Fields) -> Result<(), Refused> {
        let (name, permission) = (fields.need("name")?, fields.need("permission")?);
        let topic = topic_of(fields.need("routing_key")?).ok_or(Refused::Topic)?;
        let allowed = self.may_use(name, permission)
            && match permission {
                "write" => alink::may_publish(self.device, &topic),
                "read" => alink::may_subscribe(self.device, &topic),
                _ => false,
            };
        if !allowed {
            return Err(Refused::Topic);
        }
        if permission == "write" {
            app.presence.seen(self.device, app.config.rabbitmq.transport, UnixMillis::now());
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
