//! What is wrong with a configuration, before anything is loaded.

use crate::claim::{self, Claim, CodecClaim};
use crate::config::{Config, PluginConfig, PluginConfigs};
use crate::manifest::is_name;
use crate::routes::Wish;

/// The most threads of one plugin.
const THREADS_MAX: u16 = 64;

/// What is wrong with these sections, a sentence each.
pub fn check_configs(config: &Config, plugins: &PluginConfigs) -> Vec<String> {
    let mut problems = check_loader(config);
    let mut wishes: Vec<Wish> = Vec::new();
    for (name, plugin) in plugins {
        check_plugin(name, plugin, &mut problems);
        if let Some(wish) = wish(name, plugin, &mut problems) {
            let conflicts = wishes.iter().filter_map(|other| wish.beside(other).err());
            problems.extend(conflicts.map(|conflict| conflict.to_string()));
            wishes.push(wish);
        }
    }
    problems
}

fn check_loader(config: &Config) -> Vec<String> {
    let is_sha256 = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hashes = config.sha256_allowed.iter().filter(|text| !is_sha256(text.trim()));
    let mut problems: Vec<_> =
        hashes.map(|text| format!("[loader] sha256_allowed: {text:?} is not 64 hexadecimal digits")).collect();
    if config.stall_open < config.stall_warn {
        problems.push("[loader] stall_open is shorter than stall_warn".to_owned());
    }
    let zeros = [
        (config.stall_warn.is_zero(), "stall_warn"),
        (config.plugin_bytes_max == 0, "plugin_bytes_max"),
        (config.operations_per_call_max == 0, "operations_per_call_max"),
    ];
    problems.extend(zeros.iter().filter(|(zero, _)| *zero).map(|(_, key)| format!("[loader] {key} is 0")));
    problems
}

fn check_plugin(name: &str, plugin: &PluginConfig, problems: &mut Vec<String>) {
    if !is_name(name) {
        problems.push(format!("[plugins.{name}] is not the name of a plugin: 1 to 40 of a-z 0-9 -"));
    }
    if plugin.threads == 0 || plugin.threads > THREADS_MAX {
        problems.push(format!("[plugins.{name}] threads is {}, not 1 to {THREADS_MAX}", plugin.threads));
    }
    if plugin.calls_in_flight_max == 0 {
        problems.push(format!("[plugins.{name}] calls_in_flight_max is 0"));
    }
}

/// What a section says for sure that its plugin will ask for; `None` for one that is not loaded.
fn wish(name: &str, plugin: &PluginConfig, problems: &mut Vec<String>) -> Option<Wish> {
    let claims = claim::parse_all::<Claim>(plugin.claims.as_deref().unwrap_or_default());
    let codecs = claim::parse_all::<CodecClaim>(plugin.codecs.as_deref().unwrap_or_default());
    let mut wrong = |error: claim::ClaimError| problems.push(format!("[plugins.{name}]: {error}"));
    let claims = claims.map_err(&mut wrong).unwrap_or_default();
    let codecs = codecs.map_err(wrong).unwrap_or_default();
    plugin.enabled.then(|| Wish { name: name.to_owned(), claims, codecs, order: plugin.order })
}

#[cfg(test)]
mod tests;
