//! Messages of applications' own: their topics, and which of them a device may be told something on.
//!
//! **Invariant:** no letter goes on a topic of another device, or on one that this side reads: what comes back from a broker
//! must not be taken for something that the device said; and on none of commands, which are held against the thing model and never
//! come from anybody but a call. The one exception are the device's own topics below `user`, whose
//! messages whoever hears them must know again.

use std::fmt::Write as _;

use thingcall_core::{CallId, DeviceKey, LetterTo};

use super::broadcast::matches;
use super::{Kind, TOPIC_BYTES_MAX, owns, take_apart};
use crate::post;

/// The topic on which a device gets it.
pub(crate) fn topic(id: CallId, device: &DeviceKey, to: &LetterTo) -> String {
    let mut text = String::new();
    // Writing to memory cannot fail.
    match to {
        LetterTo::Topic(topic) => text.push_str(topic),
        LetterTo::Rrpc => write!(text, "/sys/{}/{}/rrpc/request/{id}", device.product, device.name).unwrap_or(()),
        LetterTo::RrpcOn(topic) => write!(text, "/ext/rrpc/{id}{topic}").unwrap_or(()),
        LetterTo::Broadcast => {
            write!(text, "/sys/{}/{}/broadcast/request/{id}", device.product, device.name).unwrap_or(());
        }
    }
    text
}

/// Why this device may not be told something there, and what would be right; `None` if it may.
pub fn letter_refusal(device: &DeviceKey, to: &LetterTo) -> Option<String> {
    let topic = to.topic()?;
    let own = format!("/{}/{}/user/", device.product, device.name);
    let right = format!("right is a topic of its own such as {own}get");
    if topic.len() > TOPIC_BYTES_MAX {
        return Some(format!("the topic has {} bytes; at most {TOPIC_BYTES_MAX} are allowed", topic.len()));
    }
    if topic.contains(['+', '#', '\0']) || topic.contains("//") || topic.ends_with('/') {
        return Some(format!("{topic:?} is no topic that a message can have; {right}"));
    }
    if topic.starts_with(&own) {
        return None;
    }
    match to {
        LetterTo::RrpcOn(_) => Some(format!("{topic:?} is none of the topics of device {device}; {right}")),
        LetterTo::Rrpc | LetterTo::Broadcast | LetterTo::Topic(_) if !owns(device, topic) => {
            Some(format!("{topic:?} is none of the topics of device {device}; {right}"))
        }
        LetterTo::Rrpc | LetterTo::Broadcast | LetterTo::Topic(_) => match audience(topic) {
            Audience::Device => None,
            Audience::OfCommands => Some(format!(
                "{topic:?} is a topic of commands, which are held against the thing model: call the service, set the properties or \
                 ask by RRPC instead; for a message {right}"
            )),
            Audience::Cloud => Some(format!("{topic:?} is a topic on which devices speak; {right}")),
        },
    }
}

/// Whether a broker that brings our own messages back brings this one among what devices report.
pub fn comes_back(to: &LetterTo) -> bool {
    let LetterTo::Topic(topic) = to else { return false };
    post::POST_FILTERS.iter().any(|filter| matches(filter, topic))
}

/// Who reads a topic of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// The device, if anybody.
    Device,
    /// The device, what calls have it do.
    OfCommands,
    /// This side, or both.
    Cloud,
}

/// Who reads this topic.
fn audience(topic: &str) -> Audience {
    match take_apart(topic).map(|(_, kind)| kind) {
        Some(Kind::Request(_) | Kind::RawRequest) if !topic.starts_with("/ext/rrpc/") => Audience::OfCommands,
        None | Some(Kind::Other) if !topic.starts_with("/ext/rrpc/") => Audience::Device,
        Some(Kind::Post(post::Kind::Unsupported)) => Audience::Device,
        None
        | Some(
            Kind::Request(_)
            | Kind::RawRequest
            | Kind::Other
            | Kind::RrpcReply(_)
            | Kind::ExtReply(_)
            | Kind::LetterReply(_)
            | Kind::Raw(_)
            | Kind::ServiceReply
            | Kind::RrpcNowhere
            | Kind::Post(_),
        ) => Audience::Cloud,
    }
}

#[cfg(test)]
mod tests;
