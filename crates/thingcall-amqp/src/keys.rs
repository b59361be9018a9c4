//! Routing keys: a topic with `.` for `/`, as RabbitMQ's MQTT plugin writes it, and the one form that AMQP adds to the
//! topics: the key under which a device answers one instance.
//!
//! **Invariant:** a name with a dot in it is in no key: `a.b` would read as two levels, the second of them another's.

use thingcall_core::DeviceKey;

/// The routing key of a topic.
pub(crate) fn key_of(topic: &str) -> String {
    topic.replace('/', ".")
}

/// The binding key of an MQTT filter.
pub(crate) fn pattern_of(filter: &str) -> String {
    filter.replace('/', ".").replace('+', "*")
}

/// The topic of a routing key; `None` for a key that no topic has.
pub(crate) fn topic_of(key: &str) -> Option<String> {
    (!key.contains('/')).then(|| key.replace('.', "/"))
}

/// Whether the device can be named in a routing key.
pub(crate) fn can_name(device: &DeviceKey) -> bool {
    !device.name.as_str().contains('.')
}

/// The key under which a device answers the instance that called it. It lies within the device's own tree, so a broker
/// that confines devices to their topics lets nobody else use it.
pub(crate) fn reply_to(device: &DeviceKey, instance: &str) -> String {
    format!(".sys.{}.{}.thing.reply.{instance}", device.product, device.name)
}

/// The binding key of all answers to this instance.
pub(crate) fn replies_to(instance: &str) -> String {
    format!(".sys.*.*.thing.reply.{instance}")
}

/// The topic that says the same as a [`reply_to`] key and a correlation id; `None` for another key.
pub(crate) fn topic_of_reply(key: &str, instance: &str, correlation_id: &str) -> Option<String> {
    let device = key.strip_suffix(instance)?.strip_suffix(".thing.reply.")?.strip_prefix(".sys.")?;
    let (product, name) = device.split_once('.')?;
    let plain = |word: &str| !word.contains(['.', '/']);
    (plain(product) && plain(name)).then(|| format!("/sys/{product}/{name}/rrpc/response/{correlation_id}"))
}

#[cfg(test)]
mod tests;
