//! What is known of a server at one moment.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thingcall_core::{ConditionState, Problem, UnixMillis, Weight};
use thingcall_loader::PluginState;

use super::figures::Limit;
use super::minute::{LastMinute, Worst};
use crate::config::Changed;
use crate::output::moment;
use crate::reconfigure::Last;

/// All of it.
pub(super) struct Facts {
    pub(super) ready: bool,
    pub(super) conditions: Vec<ConditionState>,
    /// Of limits that are nearly reached.
    pub(super) limits: Vec<Limit>,
    pub(super) refused: Vec<PluginState>,
    /// What is doubtful about files: certificates that end soon or have ended.
    pub(super) files: Vec<Problem>,
    pub(super) pending: f64,
    pub(super) pending_max: f64,
    /// When the oldest of them came, in seconds; 0 where there is none.
    pub(super) oldest: f64,
    pub(super) transports: BTreeMap<String, f64>,
    pub(super) minute: LastMinute,
    /// Of the last minute's calls.
    pub(super) worst: Option<Worst>,
    /// Keys that are other in the file than in force.
    pub(super) restart: Vec<Changed>,
    /// How the configuration was read anew the last time.
    pub(super) reload: Option<Last>,
}

impl Facts {
    /// How long the oldest call has waited.
    #[expect(clippy::cast_possible_truncation, reason = "a second of this age")]
    pub(super) fn oldest_seconds(&self, now: UnixMillis) -> Option<i64> {
        (self.oldest > 0.0).then(|| (now.0 / 1000).saturating_sub(self.oldest as i64).max(0))
    }
}

pub(super) fn condition(state: &ConditionState) -> Value {
    let ConditionState { name, weight, failure, since } = state;
    let weight = match weight {
        Weight::Required => "required",
        Weight::OneOf => "oneOf",
        Weight::Told => "told",
    };
    json!({ "name": name, "holds": failure.is_none(), "why": failure, "since": moment(*since), "weight": weight })
}
