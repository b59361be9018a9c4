//! How the files that this process may have open are shared out among its listeners.
//!
//! **Invariant:** all listeners full at once leave files for the rest of the program: its store, its plugins and its
//! connections to brokers. So none of them can take what another needs to let one more in.

use std::num::{NonZeroU32, NonZeroUsize};

use tracing::{info, warn};

use crate::config::Config;

/// What the rest of the program has open, with the descriptors that listeners keep in reserve, and some more.
const OTHERS: usize = 160;
/// The least a listener is left, so that it answers at all.
const LEAST: usize = 8;
/// So many are worth no warning where nobody asked for more.
const MANY: usize = 4096;
/// Of what is there, this part is enough for questions of operators, and for those of brokers.
const SMALL_PART: usize = 10;

/// How many connections each listener may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    api: usize,
    mqtt: usize,
    gate: usize,
    operator: usize,
    console: usize,
}

impl Shares {
    fn wanted(config: &Config) -> Self {
        Self {
            api: config.api.connections_max.get(),
            mqtt: if config.broker.enabled { config.broker.sockets_max.get() as usize } else { 0 },
            gate: if config.gate.listen.is_some() { config.gate.connections_max.get() } else { 0 },
            operator: config.metrics.connections_max.get(),
            console: if config.console.enabled { config.console.connections_max.get() } else { 0 },
        }
    }

    /// Whether nobody need be warned of it: only what nobody set is cut, and much is left.
    fn suffices(&self, wanted: &Self) -> bool {
        let default = Self { gate: wanted.gate, ..Self::wanted(&Config::default()) };
        let enough =
            |given: usize, wanted: usize, default: usize| given == wanted || wanted == default && given >= MANY;
        enough(self.api, wanted.api, default.api)
            && enough(self.mqtt, wanted.mqtt, default.mqtt)
            && self.gate == wanted.gate
            && self.operator == wanted.operator
            && self.console == wanted.console
    }

    const fn sum(self) -> usize {
        let small = self.gate.saturating_add(self.operator).saturating_add(self.console);
        self.api.saturating_add(self.mqtt).saturating_add(small)
    }

    /// No more together than there are files for; nothing is taken where there are enough.
    fn within(self, files: usize) -> Self {
        let files = files.saturating_sub(OTHERS);
        if self.sum() <= files {
            return self;
        }
        let small = |wanted: usize| wanted.min((files / SMALL_PART).max(LEAST));
        let (gate, operator, console) = (small(self.gate), small(self.operator), small(self.console));
        let rest = files.saturating_sub(gate + operator + console);
        let mqtt = self.mqtt.min((rest / 2).max(rest.saturating_sub(self.api))).max(LEAST.min(self.mqtt));
        let api = self.api.min(rest.saturating_sub(mqtt)).max(LEAST.min(self.api));
        Self { api, mqtt, gate, operator, console }
    }
}

/// Lowers the listeners' limits to what `files`, the limit of open files, has room for; `None` is no limit.
pub(crate) fn share(config: &mut Config, files: Option<u64>) {
    let Some(files) = files else { return };
    // Consumers are few, and have their own.
    let files = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(config.subscription.sockets_max());
    let wanted = Shares::wanted(config);
    let given = wanted.within(files);
    if given == wanted {
        return;
    }
    let Shares { api, mqtt, gate, operator, console } = given;
    if given.suffices(&wanted) {
        info!(
            files,
            api,
            mqtt,
            gate,
            operator,
            console,
            "so many connections there may be; more need more files (ulimit -n, LimitNOFILE)"
        );
    } else {
        warn!(
            files,
            api,
            mqtt,
            gate,
            operator,
            console,
            "fewer connections than configured, for want of files (ulimit -n, LimitNOFILE)"
        );
    }
    let limit = |most: usize| NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
    config.api.connections_max = limit(api);
    config.gate.connections_max = NonZeroUsize::new(gate).unwrap_or(config.gate.connections_max);
    config.metrics.connections_max = limit(operator);
    config.console.connections_max = NonZeroUsize::new(console).unwrap_or(config.console.connections_max);
    if let Some(mqtt) = u32::try_from(mqtt).ok().and_then(NonZeroU32::new) {
        config.broker.sockets_max = mqtt;
    }
}

#[cfg(test)]
mod tests;
