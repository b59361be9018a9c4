//! What devices reported in the past.
//!
//! Values are JSON, as the device wrote it.

use crate::UnixMillis;

/// A value of a property, or what an event brought, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Which of the two it is.
    pub kind: PastKind,
    /// The identifier, or `module:identifier`.
    pub name: String,
    /// The value.
    pub value: String,
    /// When it was so.
    pub at: UnixMillis,
}

/// What is kept of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PastKind {
    /// Values of properties.
    Property,
    /// Events.
    Event,
}

/// What is wanted of a device's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastWanted {
    /// Which kind.
    pub kind: PastKind,
    /// Of this name; of all for `None`.
    pub name: Option<String>,
    /// From this time on,
    pub from: UnixMillis,
    /// until this one, which counts too.
    pub until: UnixMillis,
    /// Which come first.
    pub first: First,
    /// How many at most.
    pub max: usize,
}

/// Which of several come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// The latest.
    Newest,
    /// The earliest.
    Oldest,
}

impl PastWanted {
    /// Whether this is among what is wanted, leaving out how many there may be.
    pub fn wants(&self, past: &Past) -> bool {
        let named = self.name.as_ref().is_none_or(|name| *name == past.name);
        named && past.kind == self.kind && (self.from..=self.until).contains(&past.at)
    }

    /// Puts what was found in its order, each once, and cuts it.
    pub fn put_in_order(&self, mut found: Vec<Past>) -> Vec<Past> {
        found.sort_by(|one, other| (one.at, &one.name).cmp(&(other.at, &other.name)));
        found.dedup_by(|later, earlier| (later.at, &later.name) == (earlier.at, &earlier.name));
        if self.first == First::Newest {
            found.reverse();
        }
        found.truncate(self.max);
        found
    }
}
