//! The configuration read anew while the server runs, on an operator's word or signal.
//!
//! **Invariants:** a configuration that is wrong, or whose plugins refuse it, changes nothing. What is in force is one list of values: what
//! in the file differs from it is either put into force or named as what needs a restart, until it is the same again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use thingcall_api::Quotas;
use thingcall_core::{AUDIT_DONE, AuditDoor, AuditEntry, AuditLog, UnixMillis};
use thingcall_loader::{LoadError, PluginConfigs, Settings};
use thingcall_metrics::gauge_of;
use thingcall_store::Store;
use tokio::signal::unix::Signal;
use tracing::{error, info, warn};

use crate::config::{Changed, Config, Flag, Reading, Setting, Values, differing, in_force};
use crate::logs::levels;
use crate::notify::Notifier;
use crate::preflight::{Asks, Preflight, preflight};
use crate::reloads::Reloads;
use crate::tool::Place;

/// Keys that can change while the server runs; and all of `[plugins]`.
const LIVE: [&str; 5] = [
    "log.level",
    "api.calls_per_second_max",
    "api.batch_calls_per_second_max",
    "api.broadcasts_per_second_max",
    "api.broadcasts_to_all_per_minute_max",
];
/// How an entry of the audit log calls it, and how much of what changed it tells.
const ACTION: &str = "ReloadConfiguration";
const TARGET_CHARS_MAX: usize = 300;

/// Where the configuration came from, and who is told that it is read anew.
pub(crate) struct Origin {
    pub(crate) place: Place,
    pub(crate) flags: Vec<Flag>,
    pub(crate) notifier: Arc<Notifier>,
}

/// What can be changed, and what is in force.
pub(crate) struct Reconfiguring {
    reloads: Arc<Reloads>,
    quotas: Quotas,
    store: Arc<Store>,
    origin: OnceLock<Origin>,
    /// One at a time.
    turn: tokio::sync::Mutex<()>,
    held: Mutex<Held>,
}

/// What is in force, and what is not.
struct Held {
    values: Values,
    plugins: PluginConfigs,
    restart: Vec<Changed>,
    last: Option<Last>,
}

/// How the last one went.
#[derive(Debug, Clone)]
pub(crate) struct Last {
    pub(crate) at: UnixMillis,
    /// Why nothing was changed.
    pub(crate) failed: Option<String>,
}

/// What became of one.
#[derive(Debug, Default)]
pub(crate) struct Reconfigured {
    /// In force now.
    pub(crate) changed: Vec<Changed>,
    /// Other in the file, and not in force before a restart.
    pub(crate) restart: Vec<Changed>,
    /// What is doubtful; it changes nothing.
    pub(crate) doubts: Vec<String>,
    /// What is wrong: nothing was changed.
    pub(crate) problems: Vec<String>,
}

impl Reconfiguring {
    /// `config` is in force.
    pub(crate) fn new(config: &Config, reloads: &Arc<Reloads>, quotas: Quotas, store: &Arc<Store>) -> Arc<Self> {
        let (values, plugins) = (config.in_force.clone(), config.plugins.clone());
        let held = Held { values, plugins, restart: Vec::new(), last: None };
        Arc::new(Self {
            reloads: reloads.clone(),
            quotas,
            store: store.clone(),
            origin: OnceLock::new(),
            turn: tokio::sync::Mutex::default(),
            held: Mutex::new(held),
        })
    }

    /// From now on it can be read anew.
    pub(crate) fn read_in(&self, origin: Origin) {
        let _first = self.origin.set(origin);
    }

    /// All keys, as they are in force, with what of them needs a restart.
    pub(crate) fn settings(&self) -> Vec<(Setting, bool)> {
        let held = self.held();
        let waits = |key: &String| held.restart.iter().any(|one| one.key == *key);
        held.values.iter().map(|(key, (_, setting))| (setting.clone(), waits(key))).collect()
    }

    /// What needs a restart, and how the last one went.
    pub(crate) fn now(&self) -> (Vec<Changed>, Option<Last>) {
        let held = self.held();
        (held.restart.clone(), held.last.clone())
    }

    /// Reads it anew at each signal, and then loads plugins that are new or changed, until the future is dropped.
    pub(crate) async fn at_each(self: Arc<Self>, mut signal: Signal) {
        while signal.recv().await.is_some() {
            let done = self.reload().await;
            if done.problems.is_empty() {
                self.reloads.all().await;
            }
        }
    }

    /// Plugins' files.
    pub(crate) const fn reloads(&self) -> &Arc<Reloads> {
        &self.reloads
    }

    /// Reads it anew, and puts into force what can be.
    pub(crate) async fn reload(&self) -> Reconfigured {
        let _turn = self.turn.lock().await;
        let _reloading = self.origin.get().map(|origin| origin.notifier.reloading());
        let done = self.reloaded().await;
        self.tell(&done);
        self.audit(&done).await;
        done
    }

    async fn reloaded(&self) -> Reconfigured {
        let Some(Origin { place, flags, .. }) = self.origin.get() else {
            return wrong(["this server was started without a configuration that can be read anew"]);
        };
        let (place, flags) = (place.clone(), flags.clone());
        let Ok(reading) = tokio::task::spawn_blocking(move || place.read(flags)).await else {
            return wrong(["the configuration could not be read"]);
        };
        let Reading { config, sources, .. } = &reading;
        let (config, values) = (config.clone(), in_force(sources));
        let Preflight { problems, doubts, .. } = Box::pin(preflight(reading, Asks::Person)).await;
        let Some(config) = config.filter(|_| problems.0.is_empty()) else { return wrong(&problems.0) };
        let (live, restart) = self.sorted(&values, &config);
        if let Err(why) = self.plugins(&config, &live).await {
            return wrong([why]);
        }
        self.quotas.set(&config.api);
        if live.iter().any(|one| one.key == "log.level")
            && let Some(Err(why)) = levels().map(|levels| levels.configure(&config.log.level))
        {
            warn!(why, "the log level stays as it was");
        }
        self.hold(values, config.plugins, (&live, &restart));
        let doubts = doubts.0.iter().map(ToString::to_string).collect();
        Reconfigured { changed: live, restart, doubts, problems: Vec::new() }
    }

    /// What differs and can change now, and what cannot.
    fn sorted(&self, values: &Values, config: &Config) -> (Vec<Changed>, Vec<Changed>) {
        let held = self.held();
        // A plugin that takes calls does not go away by its section alone.
        let stays = |name: &str| {
            let enabled = |all: &PluginConfigs| all.get(name).is_none_or(|section| section.enabled);
            enabled(&held.plugins) && !enabled(&config.plugins)
        };
        let live = |key: &str| LIVE.contains(&key) || plugin_of(key).is_some_and(|name| !stays(name));
        differing(&held.values, values).into_iter().partition(|one| live(&one.key))
    }

    /// New generations of those plugins whose section is another; where one refuses it, all have theirs of before.
    async fn plugins(&self, config: &Config, live: &[Changed]) -> Result<(), String> {
        let before = self.held().plugins.clone();
        let names: BTreeSet<_> = live.iter().filter_map(|one| plugin_of(&one.key)).collect();
        let mut done = Vec::new();
        for name in names {
            if let Err(why) = self.plugin(name, &config.plugins).await {
                for name in done {
                    if let Err(why) = self.plugin(name, &before).await {
                        error!(plugin = name, why, "a plugin could not be given its section of before");
                    }
                }
                return Err(format!("[plugins.{name}]: {why}"));
            }
            done.push(name);
        }
        Ok(())
    }

    async fn plugin(&self, name: &str, sections: &PluginConfigs) -> Result<(), String> {
        let section = || sections.get(name).cloned().map(Box::new);
        let plugins = self.reloads.plugins();
        match plugins.reload(name, Settings::Now(section()), false).await {
            Ok(_) => Ok(()),
            // Where it is not there, or is turned off, its section waits for it.
            Err(LoadError::UnknownPlugin(_) | LoadError::Disabled(_)) => {
                plugins.set_section(name, section());
                Ok(())
            }
            Err(why) => Err(why.to_string()),
        }
    }

    /// From now on these are in force, but for those that need a restart.
    fn hold(&self, mut values: Values, mut plugins: PluginConfigs, (_, restart): (&[Changed], &[Changed])) {
        let mut held = self.held();
        for one in restart {
            match held.values.get(&one.key) {
                Some(before) => drop(values.insert(one.key.clone(), before.clone())),
                None => drop(values.remove(&one.key)),
            }
            if let Some(name) = plugin_of(&one.key) {
                match held.plugins.get(name) {
                    Some(before) => drop(plugins.insert(name.to_owned(), before.clone())),
                    None => drop(plugins.remove(name)),
                }
            }
        }
        (held.values, held.plugins, held.restart) = (values, plugins, restart.to_vec());
    }

    fn tell(&self, done: &Reconfigured) {
        let counted = self.reloads.config();
        let failed = (!done.problems.is_empty()).then(|| done.problems.join("; "));
        match &failed {
            Some(problems) => {
                counted.failed.inc();
                error!(problems, "the configuration is wrong; nothing of it was changed");
            }
            None => {
                counted.ok.inc();
                counted.last_success.set(UnixMillis::now().0 / 1000);
                counted.needs_restart.set(gauge_of(done.restart.len()));
                for one in &done.restart {
                    warn!(key = one.named(), "another in the file: needs a restart");
                }
                let changed: Vec<_> = done.changed.iter().map(Changed::named).collect();
                info!(
                    changed = changed.join(", "),
                    need_restart = done.restart.len(),
                    "the configuration was read anew"
                );
            }
        }
        self.held().last = Some(Last { at: UnixMillis::now(), failed });
    }

    async fn audit(&self, done: &Reconfigured) {
        let keys = done.changed.iter().chain(&done.restart).map(|one| one.key.clone()).collect::<Vec<_>>().join(" ");
        self.store.audit(AuditEntry {
            at: UnixMillis::now(),
            door: AuditDoor::Command,
            key: None,
            action: ACTION.to_owned(),
            target: keys.chars().take(TARGET_CHARS_MAX).collect(),
            outcome: if done.problems.is_empty() { AUDIT_DONE } else { "wrong" }.to_owned(),
            address: None,
        });
        self.store.write_audit().await;
    }

    /// Nothing that is done under this lock can panic half way.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wrong<P: ToString>(problems: impl IntoIterator<Item = P>) -> Reconfigured {
    let problems = problems.into_iter().map(|one| one.to_string()).collect();
    Reconfigured { problems, ..Reconfigured::default() }
}

/// The plugin whose section this key is of.
fn plugin_of(key: &str) -> Option<&str> {
    key.strip_prefix("plugins.")?.split('.').next()
}

impl Changed {
    /// Its key as a person finds it in the file: `[api] listen`.
    pub(crate) fn named(&self) -> String {
        match self.key.rsplit_once('.') {
            Some((section, key)) => format!("[{section}] {key}"),
            None => self.key.clone(),
        }
    }
}
