//! Topics for many devices of a product at once: who may be told something on one, and who asked for it.
//!
//! **Invariant:** a topic of these names its product, so a message on it reaches no device of another one.

use thingcall_core::{DeviceKey, ProductKey};

use super::{PRODUCT_TREES, TOPIC_BYTES_MAX, is_filter};

/// A filter that matches a topic is longer than that by a `/#` at most.
const FILTER_BYTES_MAX: usize = TOPIC_BYTES_MAX + 2;

/// Why devices of this product cannot be told something there, and what would be right; `None` if they can.
pub fn broadcast_refusal(product: &ProductKey, topic: &str) -> Option<String> {
    let own = format!("/broadcast/{product}/");
    if topic.len() > TOPIC_BYTES_MAX {
        return Some(format!("the topic has {} bytes; at most {TOPIC_BYTES_MAX} are allowed", topic.len()));
    }
    let rest = topic.strip_prefix(&own).filter(|rest| !rest.is_empty());
    let is_one = rest.is_some() && !topic.contains(['+', '#', '\0']) && !topic.contains("//") && !topic.ends_with('/');
    (!is_one).then(|| format!("{topic:?} is no topic for devices of product {product}; right is {own}NAME"))
}

/// Whether a filter that a device asks for may match such a topic of its product.
pub fn may_hear_broadcasts(device: &DeviceKey, filter: &str) -> bool {
    filter.len() <= FILTER_BYTES_MAX && is_filter(filter) && PRODUCT_TREES.iter().any(|tree| tree.meets(device, filter))
}

/// Whether a topic is one that a filter asks for.
pub fn matches(filter: &str, topic: &str) -> bool {
    let mut topic = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, topic.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            (_, Some(_) | None) => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests;
