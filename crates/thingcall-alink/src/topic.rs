//! Topics of devices: where a command goes, what an uplink is, and what a device may use.
//!
//! **Invariant:** what [`may_publish`] and [`may_subscribe`] allow lies within the device's own tree: no topic of another
//! device can be written, and no filter that is allowed matches one.
//!
//! Source: `PROTOCOL.md` 4.1 to 4.7.

use bytes::Bytes;
use thingcall_core::{
    CallId, CallMode, Delivery, DeviceKey, DeviceName, DropReason, MalformedReply, Post, ProductKey, RawReply, Repairs,
    Reply, ServiceId, SyncTopic, Takes, TransportKind,
};

use crate::envelope::{self, Envelope};
use crate::post;
use crate::words::{joined, service_words};

mod broadcast;
mod letter;

pub use broadcast::{broadcast_refusal, matches, may_hear_broadcasts};
pub use letter::{comes_back, letter_refusal};

/// The filters under which an external broker delivers every reply of every device. MQTT cannot match the ending
/// `_reply`, so the first one brings our own requests back too, and so do those under `/ext/`.
pub const REPLY_FILTERS: &[&str] = &[
    "/sys/+/+/thing/service/+",
    "/sys/+/+/thing/service/property/set_reply",
    "/sys/+/+/rrpc/response/+",
    "/ext/rrpc/+/sys/+/+/thing/service/+",
    "/sys/+/+/thing/model/down_raw_reply",
    "/sys/+/+/thing/model/up_raw",
    "/ext/rrpc/+/sys/+/+/thing/model/down_raw",
    "/ext/rrpc/+/+/+/user/#",
];

/// The longest topic that devices take, in bytes. Source: the Python device SDK refuses longer ones.
const TOPIC_BYTES_MAX: usize = 128;

/// What a device published.
#[derive(Debug, Clone)]
pub enum Uplink {
    /// An answer to a call.
    Reply(Reply),
    /// A message in the device's own bytes: an answer to a call, or a report of its own, or on `/ext/rrpc/...` our own
    /// request, echoed by a broker; the bytes do not say which.
    Raw(RawReply),
    /// What a device said by itself.
    Post(Box<Post>),
    /// Something else of this device, which is of no use here.
    Other(DeviceKey),
    /// For nobody.
    Dropped(Option<DeviceKey>, DropReason),
}

/// The topic of a delivery: for a synchronous call the given form's, else the service's, or the one for raw messages.
pub fn request_topic(delivery: &Delivery, sync_topic: SyncTopic) -> String {
    let Delivery { id, device, service, mode, raw, .. } = delivery;
    if let Some(letter) = &delivery.letter {
        return letter::topic(*id, &device.key, &letter.to);
    }
    let mut digits = itoa::Buffer::new();
    let id = digits.format(id.as_u32());
    let DeviceKey { product, name } = &device.key;
    let (product, name) = (product.as_str(), name.as_str());
    let [module, colon, service] = service_words(service, SET);
    match (mode, sync_topic, raw) {
        (CallMode::Sync, SyncTopic::Ext, None) => {
            joined(["/ext/rrpc/", id, "/sys/", product, "/", name, SERVICE, module, colon, service])
        }
        (CallMode::Sync, SyncTopic::Ext, Some(_)) => joined(["/ext/rrpc/", id, "/sys/", product, "/", name, RAW]),
        (CallMode::Sync, SyncTopic::Rrpc, _) => joined(["/sys/", product, "/", name, "/rrpc/request/", id]),
        (CallMode::Sync, SyncTopic::Service, None) | (CallMode::Async, _, None) => {
            joined(["/sys/", product, "/", name, SERVICE, module, colon, service])
        }
        (CallMode::Sync, SyncTopic::Service, Some(_)) | (CallMode::Async, _, Some(_)) => {
            joined(["/sys/", product, "/", name, RAW])
        }
    }
}

/// What stands between a device and a service of it.
const SERVICE: &str = "/thing/service/";
/// What stands behind a device that gets its own bytes.
const RAW: &str = "/thing/model/down_raw";
/// The service that sets properties, as topics write it.
const SET: &str = "property/set";

/// The topic on which a device answers an asynchronous call of this service.
pub fn reply_topic(device: &DeviceKey, service: &ServiceId) -> String {
    let DeviceKey { product, name } = device;
    let [module, colon, service] = service_words(service, SET);
    joined(["/sys/", product.as_str(), "/", name.as_str(), SERVICE, module, colon, service, "_reply"])
}

/// Reads a message that a device published. A reply of more than `bytes_max` bytes is malformed. On
/// `.../rrpc/response/...`, which all devices answer on, and where letters are answered, it is `takes` that tells how.
pub fn uplink(
    transport: TransportKind,
    topic: &str,
    payload: &Bytes,
    bytes_max: usize,
    takes: impl FnOnce(&DeviceKey, Option<CallId>) -> Takes,
) -> Uplink {
    let Some((device, kind)) = take_apart(topic) else { return Uplink::Dropped(None, DropReason::ForeignTopic) };
    let (topic_id, raw) = match kind {
        Kind::Post(kind) => return said_by_itself(device, kind, topic, payload, bytes_max),
        Kind::Other => return Uplink::Other(device),
        Kind::Request(misplaced) => {
            let reason = if answers(payload, bytes_max) { misplaced } else { DropReason::Echo };
            return Uplink::Dropped(Some(device), reason);
        }
        Kind::RawRequest if echoes(transport) => return Uplink::Dropped(Some(device), DropReason::Echo),
        Kind::RawRequest => return Uplink::Dropped(Some(device), DropReason::NoReplySuffix),
        Kind::RrpcNowhere => return Uplink::Dropped(Some(device), DropReason::RrpcWithoutId),
        Kind::ServiceReply => (None, false),
        Kind::ExtReply(id) => (id, false),
        Kind::RrpcReply(id) => (id, takes(&device, id) != Takes::Alink),
        Kind::LetterReply(id) if takes(&device, id) == Takes::Bytes => (id, true),
        Kind::LetterReply(_) => return Uplink::Dropped(Some(device), DropReason::UnknownId),
        Kind::Raw(id) => (id, true),
    };
    let bytes = payload.len();
    let (payload_id, body, repairs) = if bytes > bytes_max {
        (None, Err(MalformedReply::TooLarge { bytes, max: bytes_max }), Repairs::NONE)
    } else if raw {
        return Uplink::Raw(RawReply { device, transport, topic_id, service: None, payload: payload.clone() });
    } else {
        match envelope::read(payload) {
            Envelope::Reply(id, body, repairs) => (id, body, repairs),
            Envelope::Request { .. } if matches!(kind, Kind::ExtReply(_)) && echoes(transport) => {
                return Uplink::Dropped(Some(device), DropReason::Echo);
            }
            Envelope::Request { id, output } => (id, Err(envelope::no_code(output)), Repairs::NONE),
        }
    };
    Uplink::Reply(Reply { device, transport, payload_id, topic_id, repairs, body, bytes })
}

#[cold]
fn said_by_itself(device: DeviceKey, kind: post::Kind<'_>, topic: &str, payload: &Bytes, bytes_max: usize) -> Uplink {
    if payload.len() > bytes_max {
        return Uplink::Dropped(Some(device), DropReason::TooLarge);
    }
    let of = device.clone();
    match post::read(device, kind, topic, payload) {
        Ok(post) => Uplink::Post(Box::new(post)),
        Err(reason) => Uplink::Dropped(Some(of), reason),
    }
}

/// Whether our own requests may come back this way. The embedded broker forwards nothing, and on AMQP ours have a header.
const fn echoes(transport: TransportKind) -> bool {
    matches!(transport, TransportKind::Mqtt)
}

/// Whether a message on a topic for requests is an answer that is misplaced there. No request of ours is unreadable.
fn answers(payload: &Bytes, bytes_max: usize) -> bool {
    payload.len() > bytes_max || !matches!(envelope::read(payload), Envelope::Request { .. })
}

/// What a topic of a device is for, with the id in it where it has one of ours.
#[derive(Clone, Copy)]
enum Kind<'t> {
    /// `rrpc/response/{id}`.
    RrpcReply(Option<CallId>),
    /// `/ext/rrpc/{id}/.../thing/service/{service}`.
    ExtReply(Option<CallId>),
    /// `/ext/rrpc/{id}/{pk}/{dn}/user/...`.
    LetterReply(Option<CallId>),
    /// `thing/model/down_raw_reply`, `thing/model/up_raw`, `/ext/rrpc/{id}/.../thing/model/down_raw`.
    Raw(Option<CallId>),
    /// `thing/service/{service}_reply`, `thing/service/property/set_reply`.
    ServiceReply,
    /// `thing/service/{service}` and `rrpc/request/{id}`, which only the cloud's side publishes; what an answer there is.
    Request(DropReason),
    /// `thing/model/down_raw`, likewise.
    RawRequest,
    /// `rrpc/response`, for no call.
    RrpcNowhere,
    /// Something that a device says by itself.
    Post(post::Kind<'t>),
    Other,
}

fn take_apart(topic: &str) -> Option<(DeviceKey, Kind<'_>)> {
    let topic = topic.strip_prefix('/')?;
    let (root, rest) = level(topic)?;
    match root {
        "sys" => {
            let (device, rest) = device(rest)?;
            Some((device, sys_kind(rest)))
        }
        "ext" if rest.starts_with("ntp/") => {
            let (device, rest) = device(rest.strip_prefix("ntp/")?)?;
            Some((device, if rest == "request" { Kind::Post(post::Kind::AskTime) } else { Kind::Other }))
        }
        "ext" => {
            let (id, rest) = rest.strip_prefix("rrpc/")?.split_once('/')?;
            let Some(rest) = rest.strip_prefix("sys/") else {
                let (device, rest) = device(rest)?;
                return rest.starts_with("user/").then(|| (device, Kind::LetterReply(id.parse().ok())));
            };
            let (device, rest) = device(rest)?;
            let service = rest.strip_prefix("thing/service/").is_some_and(|service| !service.contains('/'));
            Some(match (service, rest) {
                (true, _) => (device, Kind::ExtReply(id.parse().ok())),
                (false, "thing/model/down_raw") => (device, Kind::Raw(id.parse().ok())),
                (false, _) => (device, Kind::Other),
            })
        }
        _ if ROOTS.contains(&root) => None,
        _ => {
            let (device, rest) = device(topic)?;
            rest.starts_with("user/").then_some((device, Kind::Post(post::Kind::Custom)))
        }
    }
}

fn sys_kind(rest: &str) -> Kind<'_> {
    if let Some(id) = rest.strip_prefix("rrpc/response/") {
        return Kind::RrpcReply(id.parse().ok());
    }
    if rest.starts_with("rrpc/request/") {
        return Kind::Request(DropReason::RequestTopic);
    }
    match (rest.strip_prefix("thing/service/"), rest) {
        (Some("property/set_reply"), _) => Kind::ServiceReply,
        (Some("property/set"), _) => Kind::Request(DropReason::NoReplySuffix),
        (Some(service), _) if service.contains('/') => Kind::Other,
        (Some(service), _) if service.ends_with("_reply") => Kind::ServiceReply,
        (Some(_), _) => Kind::Request(DropReason::NoReplySuffix),
        (None, "rrpc/response") => Kind::RrpcNowhere,
        (None, "thing/model/down_raw") => Kind::RawRequest,
        (None, "thing/model/down_raw_reply" | "thing/model/up_raw") => Kind::Raw(None),
        (None, _) => post::Kind::of_sys(rest).map_or(Kind::Other, Kind::Post),
    }
}

/// The first level of a topic, and what stands behind it. Levels are short: a look at each byte is the quickest.
fn level(topic: &str) -> Option<(&str, &str)> {
    let at = topic.bytes().position(|byte| byte == b'/')?;
    Some((topic.get(..at)?, topic.get(at + 1..)?))
}

/// `{pk}/{dn}/rest`, as a device and the rest.
fn device(text: &str) -> Option<(DeviceKey, &str)> {
    let (product, rest) = level(text)?;
    let (name, rest) = level(rest)?;
    let device = DeviceKey { product: ProductKey::try_from(product).ok()?, name: DeviceName::try_from(name).ok()? };
    Some((device, rest))
}

/// Whose topic it is, where it says so.
pub fn device_of_topic(topic: &str) -> Option<DeviceKey> {
    take_apart(topic).map(|(device, _)| device)
}

/// Whether this device may publish on this topic.
pub fn may_publish(device: &DeviceKey, topic: &str) -> bool {
    !topic.contains(['+', '#', '\0']) && owns(device, topic)
}

/// Whether this device may subscribe to this filter.
pub fn may_subscribe(device: &DeviceKey, filter: &str) -> bool {
    owns(device, filter) || PRODUCT_TREES.iter().any(|tree| tree.holds(device, filter))
}

/// Whether this device may ask for this filter where each message is checked once more on its way to a device, or
/// where filters decide nothing: also wide ones, which SDKs send (`/ext/rrpc/#`, `/sys/+/+/thing/service/+`), as long as
/// a topic of its own is among what they match.
pub fn may_ask_for(device: &DeviceKey, filter: &str) -> bool {
    let own = own_trees(device).chain(PRODUCT_TREES).chain(ASKED_TREES);
    is_filter(filter) && own.into_iter().any(|tree| tree.meets(device, filter))
}

/// Whether the wildcards of a filter stand where MQTT has them: each a level of its own, and `#` the last.
fn is_filter(filter: &str) -> bool {
    let wildcards_alone = |level: &str| matches!(level, "+" | "#") || !level.contains(['+', '#', '\0']);
    let (before, last) = filter.rsplit_once('/').unwrap_or(("", filter));
    wildcards_alone(last) && before.split('/').all(|level| level != "#" && wildcards_alone(level))
}

/// Topics a device may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Everything under this filter.
    pub filter: String,
    /// Whether it may publish there too, not only subscribe.
    pub publish: bool,
}

/// What [`may_publish`] and [`may_subscribe`] allow, as a list for brokers that take one.
pub fn grants(device: &DeviceKey) -> Vec<Grant> {
    let own = own_trees(device).map(|tree| Grant { filter: tree.filter(device), publish: true });
    let product = PRODUCT_TREES.iter().map(|tree| Grant { filter: tree.filter(device), publish: false });
    own.chain(product).collect()
}

fn owns(device: &DeviceKey, topic: &str) -> bool {
    own_trees(device).any(|tree| tree.holds(device, topic))
}

fn own_trees(device: &DeviceKey) -> impl Iterator<Item = &'static Tree> {
    let custom = if ROOTS.contains(&device.product.as_str()) { &[] } else { CUSTOM_TREES };
    OWN_TREES.iter().chain(custom)
}

/// The topics of one device, as a pattern: `P` stands for its product key, `D` for its name, `*` for one level of any
/// text, wildcard or not, `-` for one that is not `sys`. What follows the pattern is free.
struct Tree(&'static [&'static str]);

const OWN_TREES: &[Tree] = &[
    Tree(&["sys", "P", "D"]),
    Tree(&["ext", "rrpc", "*", "sys", "P", "D"]),
    Tree(&["ext", "session", "P", "D"]),
    Tree(&["ext", "ntp", "P", "D"]),
    Tree(&["ext", "error", "P", "D"]),
    Tree(&["shadow", "update", "P", "D"]),
    Tree(&["shadow", "get", "P", "D"]),
    Tree(&["ota", "device", "*", "P", "D"]),
];

/// The trees that begin with the product key, for an application's own topics.
const CUSTOM_TREES: &[Tree] = &[Tree(&["P", "D", "user"]), Tree(&["ext", "rrpc", "*", "P", "D", "user"])];

/// What is for every device of a product; its devices only read it.
const PRODUCT_TREES: &[Tree] = &[Tree(&["broadcast", "P"])];

/// Where an application's own topics may stand on the platform, with neither product nor device in them. A device
/// subscribes there and gets nothing.
const ASKED_TREES: &[Tree] = &[Tree(&["ext", "rrpc", "*", "-"])];

/// The words that other trees begin with. A product key may be one of them; its devices get no tree that begins with
/// the key, since `/sys/pk/user` of the device `pk` of the product `sys` is the device `user` of the product `pk` too.
const ROOTS: &[&str] = &["sys", "ext", "shadow", "ota", "broadcast"];

impl Tree {
    /// The filter that matches what lies within it.
    fn filter(&self, device: &DeviceKey) -> String {
        let mut filter = String::new();
        for wanted in self.0 {
            filter.push('/');
            filter.push_str(match *wanted {
                "P" => device.product.as_str(),
                "D" => device.name.as_str(),
                "*" => "+",
                word => word,
            });
        }
        filter + "/#"
    }

    /// Whether a topic or filter lies within it. A `#` in place of a level of the pattern would reach out of it.
    fn holds(&self, device: &DeviceKey, topic: &str) -> bool {
        let Some(topic) = topic.strip_prefix('/') else { return false };
        let mut levels = topic.split('/');
        self.0.iter().all(|wanted| levels.next().is_some_and(|level| fits(device, wanted, level)))
    }

    /// Whether a filter matches any topic that lies within it.
    fn meets(&self, device: &DeviceKey, filter: &str) -> bool {
        let mut levels = filter.split('/');
        for wanted in [""].iter().chain(self.0) {
            match levels.next() {
                Some("#") => return true,
                Some("+") => {}
                Some(level) if fits(device, wanted, level) => {}
                Some(_) | None => return false,
            }
        }
        true
    }
}

/// Whether a level is what a pattern wants in its place.
fn fits(device: &DeviceKey, wanted: &str, level: &str) -> bool {
    match wanted {
        "P" => level == device.product.as_str(),
        "D" => level == device.name.as_str(),
        "*" => level != "#",
        "-" => level != "sys",
        word => level == word,
    }
}

#[cfg(test)]
mod tests;
