//! Claims of plugins that are not loaded. Their calls fail: a plugin may be there to forbid them.
//!
//! **Invariant:** what a plugin once claimed, or its section claims, goes to nobody else by default: not to the device,
//! not to a plugin with a wider claim, and not to one that claims the very same, which is refused. It is free again when the
//! plugin is loaded, switched off or forgotten. What a plugin got in another's place, in the same file, it has from then on.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use thingcall_core::{
    Answer, Call, CallError, Codec, CodecError, Condition, Conditions, Decoded, Delivery, DeviceLink, Executed,
    Handler, RawReply, Weight,
};

use crate::book::Book;
use crate::claim;
use crate::config::{PluginConfig, PluginConfigs};
use crate::conflict::Conflict;
use crate::metrics::Metrics;
use crate::routes::{Member, Wish};

/// A plugin that has claims and is not loaded.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) wish: Wish,
    /// Why it is not loaded.
    pub(crate) why: String,
    pub(crate) starting: bool,
}

/// Stands in the table for a plugin that is not loaded.
struct Absent {
    name: String,
    starting: bool,
}

impl Absent {
    /// What a caller may know; why it is so is the operator's.
    fn why(&self) -> String {
        let Self { name, starting } = self;
        if *starting {
            return format!("plugin {name} handles this and is still being created; try again");
        }
        format!("plugin {name} handles this and is not loaded; `thingcall plugin list` on the server tells why")
    }
}

#[async_trait]
impl Handler for Absent {
    async fn handle(&self, _call: &Call, _device: &dyn DeviceLink) -> Result<Answer, CallError> {
        Err(CallError::Plugin { why: self.why(), executed: Executed::No })
    }
}

#[async_trait]
impl Codec for Absent {
    async fn encode(&self, _delivery: &Delivery) -> Result<Bytes, CodecError> {
        Err(CodecError(self.why()))
    }

    async fn decode(&self, _raw: RawReply) -> Result<Decoded, CodecError> {
        Err(CodecError(self.why()))
    }
}

impl Reserved {
    /// The table's row.
    pub(crate) fn member(&self) -> Member {
        let absent = Arc::new(Absent { name: self.wish.name.clone(), starting: self.starting });
        Member {
            name: self.wish.name.clone(),
            claims: self.wish.claims.clone(),
            codecs: self.wish.codecs.clone(),
            order: self.wish.order,
            handler: Some(absent.clone()),
            codec: Some(absent),
            bypass: None,
        }
    }
}

/// The plugins that have claims and are not loaded, by name.
pub(crate) fn reserved(book: &Book, configs: &PluginConfigs) -> Vec<Reserved> {
    let names = book.remembered().keys().chain(configs.keys()).chain(book.starting().keys());
    let mut all: BTreeMap<&String, Wish> = BTreeMap::new();
    for name in names.filter(|name| !book.active().contains_key(*name)) {
        let section = configs.get(name);
        if section.is_none_or(|section| section.enabled) {
            all.entry(name).or_insert_with(|| wish(name, section, book));
        }
    }
    let taken = |mut wish: Wish| {
        for other in book.active().values().map(|active| &active.wish) {
            wish.claims.retain(|claim| other.order != wish.order || !other.claims.contains(claim));
            wish.codecs.retain(|codec| !other.codecs.contains(codec));
        }
        wish
    };
    let held = all.into_iter().map(|(name, wish)| (name, taken(wish)));
    let held = held.filter(|(_, wish)| !wish.claims.is_empty() || !wish.codecs.is_empty());
    let starting = |name| book.starting().contains_key(name);
    held.map(|(name, wish)| Reserved { why: book.why_not(name), starting: starting(name), wish }).collect()
}

/// Sees that a plugin asks for nothing that is kept for another, unless it had that itself when it was last loaded. Nothing
/// is kept for those that are `there`.
///
/// # Errors
/// What both want.
pub(crate) fn takes_nothing_kept(
    wish: &Wish,
    book: &Book,
    configs: &PluginConfigs,
    there: impl Fn(&str) -> bool,
) -> Result<(), Conflict> {
    let mut new = wish.clone();
    if let Some(had) = book.remembered().get(&wish.name).map(|record| record.wish(&wish.name)) {
        new.claims.retain(|claim| !had.claims.contains(claim));
        new.codecs.retain(|codec| !had.codecs.contains(codec));
    }
    let others = reserved(book, configs).into_iter().map(|reserved| reserved.wish);
    let mut others = others.filter(|other| other.name != wish.name && !there(&other.name));
    others.try_for_each(|other| new.beside(&other).map_err(Conflict::kept))
}

/// What it is about to handle, and what its section says it handles, else what it handled when it was last loaded.
fn wish(name: &str, section: Option<&PluginConfig>, book: &Book) -> Wish {
    let mut wish = wish_of_absent(name, section, book);
    if let Some(starting) = book.starting().get(name) {
        let more =
            starting.wish.claims.iter().filter(|claim| !wish.claims.contains(claim)).cloned().collect::<Vec<_>>();
        wish.claims.extend(more);
        let more =
            starting.wish.codecs.iter().filter(|codec| !wish.codecs.contains(codec)).cloned().collect::<Vec<_>>();
        wish.codecs.extend(more);
        wish.order = starting.wish.order;
    }
    wish
}

fn wish_of_absent(name: &str, section: Option<&PluginConfig>, book: &Book) -> Wish {
    let before = book.remembered().get(name).map(|record| record.wish(name));
    let before = before.unwrap_or_else(|| Wish { name: name.to_owned(), claims: vec![], codecs: vec![], order: None });
    let Some(section) = section else { return before };
    let claims = section.claims.as_ref().and_then(|claims| claim::parse_all(claims).ok());
    let codecs = section.codecs.as_ref().and_then(|codecs| claim::parse_all(codecs).ok());
    Wish {
        name: name.to_owned(),
        claims: claims.unwrap_or(before.claims),
        codecs: codecs.unwrap_or(before.codecs),
        order: section.order,
    }
}

/// Where readiness and metrics are told which plugins with claims are not loaded.
pub(crate) struct Told {
    conditions: Conditions,
    known: BTreeMap<String, Arc<Condition>>,
    /// Of plugins that are loaded, and of which that is not written down.
    unkept: BTreeMap<String, Arc<Condition>>,
    metrics: Arc<Metrics>,
}

impl Told {
    pub(crate) const fn new(conditions: Conditions, metrics: Arc<Metrics>) -> Self {
        Self { conditions, known: BTreeMap::new(), unkept: BTreeMap::new(), metrics }
    }

    /// What is known of a plugin is not written down, for this reason.
    pub(crate) fn unkept(&mut self, name: &str, why: &str) {
        let conditions = &self.conditions;
        // Its calls are served: what it takes from the server is what a restart would know.
        let add = || conditions.add(format!("plugin {name} record"), Weight::Told);
        self.unkept.entry(name.to_owned()).or_insert_with(add).fails(format!(
            "its claims are not written down ({why}), so a restart would not reserve them; this is tried again by itself"
        ));
    }

    /// It is, or need not be.
    pub(crate) fn kept(&mut self, name: &str) {
        if let Some(condition) = self.unkept.remove(name) {
            self.conditions.remove(&condition);
        }
    }

    /// Brings both up to date.
    pub(crate) fn tell(&mut self, book: &Book, reserved: &[Reserved]) {
        let loaded = book.active().keys().map(|name| (name, None));
        let absent = reserved.iter().map(|reserved| (&reserved.wish.name, Some(reserved)));
        let now: BTreeMap<&String, Option<&Reserved>> = loaded.chain(absent).collect();
        let gone: Vec<_> = self.known.keys().filter(|name| !now.contains_key(name)).cloned().collect();
        for name in gone {
            if let Some(condition) = self.known.remove(&name) {
                self.conditions.remove(&condition);
            }
            self.metrics.claims_gone(&name);
        }
        for (name, absent) in now {
            let conditions = &self.conditions;
            let add = || conditions.add(format!("plugin {name}"), Weight::Required);
            let condition = self.known.entry(name.clone()).or_insert_with(add);
            self.metrics.set_refused(name, absent.is_some());
            match absent {
                None => condition.holds(),
                Some(Reserved { starting: true, .. }) => {
                    condition.fails("being created; its calls fail until its `create` returns");
                }
                Some(Reserved { why, .. }) => condition.fails(format!(
                    "not loaded, so its calls fail: {why}; mend it and `thingcall plugin reload {name}`, or free its \
                     claims with `thingcall plugin forget {name}`"
                )),
            }
        }
    }
}

#[cfg(test)]
mod tests;
