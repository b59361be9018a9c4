//! Routing keys: a topic with `.` for `/`, as RabbitMQ's MQTT plugin writes it, and the one form that AMQP adds to the
//! topics: the key under which a device answers the calls of one slot.
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

/// What names a slot.
fn word_of(slot: u8) -> String {
    format!("slot-{slot}")
}

/// The queue of the replies to a slot's calls.
pub(crate) fn slot_queue(replies_exchange: &str, slot: u8) -> String {
    format!("{replies_exchange}.{}", word_of(slot))
}

/// The queue of what devices report, which all instances share.
pub(crate) fn posts_queue(replies_exchange: &str) -> String {
    format!("{replies_exchange}.posts")
}

/// The key under which a device answers the call of a slot. It lies within the device's own tree, so a broker that confines
/// devices to their topics lets nobody else use it.
pub(crate) fn reply_to(device: &DeviceKey, slot: u8) -> String {
    format!(".sys.{}.{}.thing.reply.{}", device.product, device.name, word_of(slot))
}

/// The binding key of all answers to the calls of a slot.
pub(crate) fn replies_to(slot: u8) -> String {
    format!(".sys.*.*.thing.reply.{}", word_of(slot))
}

/// The topic that says the same as a [`reply_to`] key and a correlation id; `None` for another key.
pub(crate) fn topic_of_reply(key: &str, slot: u8, correlation_id: &str) -> Option<String> {
    let device = key.strip_suffix(&word_of(slot))?.strip_suffix(".thing.reply.")?.strip_prefix(".sys.")?;
    let (product, name) = device.split_once('.')?;
    let plain = |word: &str| !word.contains(['.', '/']);
    (plain(product) && plain(name)).then(|| format!("/sys/{product}/{name}/rrpc/response/{correlation_id}"))
}

#[cfg(test)]
mod tests;
