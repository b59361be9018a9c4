//! The log of who changed what, and the seam to who keeps it.
//!
//! **Invariants:** an entry says what was asked for, about what, and how that ended. It holds no secret, no model, no argument of a
//! call: of a request's parameters only those of [`AUDIT_NAMES`] come into it, each cut.

use core::net::IpAddr;

use strum::{EnumString, IntoStaticStr};

use crate::{PeerText, UnixMillis};

/// Where a change came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum AuditDoor {
    /// A page of the console.
    Console,
    /// A signed request.
    Api,
    /// The command line beside the store.
    Command,
}

/// What is said of a change that was made.
pub const AUDIT_DONE: &str = "done";
/// The parameters that say what a change is about.
pub const AUDIT_NAMES: [&str; 17] = [
    "ProductKey",
    "ProductName",
    "DeviceName",
    "IotId",
    "Identifier",
    "FunctionBlockId",
    "ModelVersion",
    "TopicFullName",
    "Topic",
    "PropKey",
    "ApplyId",
    "FleetCallId",
    "GroupId",
    "GroupName",
    "ConsumerGroupId",
    "ConsumerGroupIds",
    "AccessKeyId",
];
/// So many values of a list are told.
const OF_A_LIST: usize = 3;
/// How long each value may be.
const VALUE_CHARS_MAX: usize = 80;
/// What the names of actions begin with that only read.
const READING: [&str; 5] = ["Query", "Get", "List", "BatchQuery", "BatchGet"];

/// One change, or one that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it ended.
    pub at: UnixMillis,
    /// Where it came in.
    pub door: AuditDoor,
    /// The access key that asked for it; `None` where nobody is known, or on the command line.
    pub key: Option<String>,
    /// What was asked for: an action, or what a page calls it.
    pub action: String,
    /// What it is about, such as `ProductKey=p DeviceName=d`.
    pub target: String,
    /// [`AUDIT_DONE`], or the code with which it was refused.
    pub outcome: String,
    /// From where; `None` on the command line.
    pub address: Option<IpAddr>,
}

impl AuditEntry {
    /// Whether nobody knows who asked: what anybody can cause who reaches the port.
    pub const fn is_of_a_stranger(&self) -> bool {
        matches!(self.door, AuditDoor::Console | AuditDoor::Api) && self.key.is_none()
    }
}

/// An entry that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKept {
    /// Its place; later ones are greater.
    pub place: i64,
    /// The entry.
    pub entry: AuditEntry,
}

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Those of this access key.
    pub key: Option<String>,
    /// Not older.
    pub since: Option<UnixMillis>,
    /// Not newer.
    pub until: Option<UnixMillis>,
    /// Before this place.
    pub before: Option<i64>,
}

/// Who keeps the log.
pub trait AuditLog: Send + Sync {
    /// Takes an entry. Never waits; one that finds no room is counted and told.
    fn audit(&self, entry: AuditEntry);
}

/// Nobody keeps one.
#[derive(Debug, Clone, Copy)]
pub struct NoAuditLog;

impl AuditLog for NoAuditLog {
    fn audit(&self, _entry: AuditEntry) {}
}

/// Whether an action of the API only reads, by its name.
pub fn only_reads(action: &str) -> bool {
    READING.iter().any(|begin| action.starts_with(begin))
}

/// What a request is about, as an entry says it: of a list the first few.
pub fn audit_target<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut said: Vec<(usize, &str, &str)> = params
        .filter_map(|(name, value)| {
            let (name, place) = name.split_once('.').unwrap_or((name, ""));
            let order = AUDIT_NAMES.iter().position(|known| *known == name)?;
            (!value.is_empty()).then_some((order, place, value))
        })
        .collect();
    said.sort_by_key(|(order, place, _)| (*order, place.parse::<usize>().unwrap_or(0)));
    let mut words = Vec::new();
    for of_one in said.chunk_by(|(a, ..), (b, ..)| a == b) {
        let [(order, ..), ..] = of_one else { continue };
        let values = of_one.iter().take(OF_A_LIST).map(|(_, _, value)| value_of(value)).collect::<Vec<_>>().join(",");
        let more = of_one.len().saturating_sub(OF_A_LIST);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        words.push(format!("{}={values}{more}", AUDIT_NAMES.get(*order).unwrap_or(&"")));
    }
    words.join(" ")
}

fn value_of(text: &str) -> String {
    PeerText::at_most(text, VALUE_CHARS_MAX).to_string()
}

#[cfg(test)]
mod tests;
