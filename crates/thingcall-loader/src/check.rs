//! What is wrong with a configuration, before anything is loaded.

use thingcall_core::{Check, Problem, Section};

use crate::claim::{self, Claim, CodecClaim};
use crate::config::{Config, PluginConfig, PluginConfigs};
use crate::conflict::Conflict;
use crate::manifest::is_name;
use crate::routes::Wish;

/// The most threads of one plugin.
const THREADS_MAX: u16 = 64;

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let is_sha256 = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for text in self.sha256_allowed.iter().filter(|text| !is_sha256(text.trim())) {
            check.add(Problem::new("sha256_allowed", format_args!("{text:?}"), "64 hexadecimal digits each"));
        }
        check.more_than_zero("stall_warn", self.stall_warn);
        let right = format!("stall_warn ({:?}) or more", self.stall_warn);
        check.must(self.stall_open >= self.stall_warn, "stall_open", format_args!("{:?}", self.stall_open), right);
        check.into_problems()
    }
}

impl Section for PluginConfig {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let threads = self.threads.get();
        check.must(threads <= THREADS_MAX, "threads", threads, format!("1 to {THREADS_MAX}"));
        let claims = claim::parse_all::<Claim>(self.claims.as_deref().unwrap_or_default());
        let codecs = claim::parse_all::<CodecClaim>(self.codecs.as_deref().unwrap_or_default());
        for (key, error) in [("claims", claims.err()), ("codecs", codecs.err())] {
            if let Some(error) = error {
                check.add(error.problem(key));
            }
        }
        check.into_problems()
    }
}

/// The sections `[plugins.NAME]` as one.
#[derive(Debug, Clone, Copy)]
pub struct Sections<'a>(pub &'a PluginConfigs);

impl Section for Sections<'_> {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let mut wishes: Vec<Wish> = Vec::new();
        for (name, plugin) in self.0 {
            let right = "the name of a plugin: 1 to 40 of a-z 0-9 -";
            check.must(is_name(name), name, "not the name of a plugin", right);
            check.section(name, plugin);
            if let Some(wish) = wish(name, plugin) {
                for conflict in wishes.iter().filter_map(|other| wish.beside(other).err()) {
                    check.add(of_conflict(&conflict));
                }
                wishes.push(wish);
            }
        }
        check.into_problems()
    }
}

/// What a section says for sure that its plugin will ask for; `None` for one that is not loaded, or says nothing right.
fn wish(name: &str, plugin: &PluginConfig) -> Option<Wish> {
    let claims = claim::parse_all(plugin.claims.as_deref().unwrap_or_default()).ok()?;
    let codecs = claim::parse_all(plugin.codecs.as_deref().unwrap_or_default()).ok()?;
    plugin.enabled.then(|| Wish { name: name.to_owned(), claims, codecs, order: plugin.order })
}

/// Two sections that ask for the same.
fn of_conflict(conflict: &Conflict) -> Problem {
    match conflict {
        Conflict::Claim { claim, active, new } => Problem::new(
            format!("{new}.claims"),
            format_args!("{claim:?}, which {active} claims too"),
            "another claim, or an order, to stand in front of it",
        ),
        Conflict::Order { claim, order, active, new } => {
            let value = format_args!("{order}, as is that of {active}, and both claim {claim:?}");
            Problem::new(format!("{new}.order"), value, "another order")
        }
        Conflict::Codec { product, active, new } => Problem::new(
            format!("{new}.codecs"),
            format_args!("{product:?}, for which {active} translates too"),
            "another product",
        ),
        Conflict::Kept { new, .. } => Problem::new(format!("{new}.claims"), conflict, "another claim"),
        Conflict::Name { name, .. } => Problem::new(name, conflict, "one file of that name"),
    }
}

#[cfg(test)]
mod tests;
