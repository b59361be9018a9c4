//! This server among others that share its store: its name, what it tells of itself, and what it does in its slots.
//!
//! **Invariant:** a server that is alone on its store holds one slot for ever; one among others holds what its leases say.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use prometheus::Registry as Metering;
use thingcall_cluster::{Begin, Holder, Keeper, KeeperParts, Taken};
use thingcall_core::{Conditions, Instance, Journal, LoadedPlugin, Slots, UnixMillis};
use thingcall_engine::{Engine, TakeOver};
use thingcall_loader::{PluginState, PluginStatus, Plugins};
use thingcall_store::Store;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::config::{Config, INSTANCE_NAME_CHARS_MAX, is_of_instance_name};

/// What a stop leaves for calls that are just being brought on.
const STOP_TIME: Duration = Duration::from_secs(2);

/// What this process tells of itself at its start.
pub(crate) fn describe(config: &Config, api: SocketAddr, operator: SocketAddr) -> Instance {
    let host: String =
        rustix::system::uname().nodename().to_string_lossy().chars().filter(|c| is_of_instance_name(*c)).collect();
    let run = fastrand::u64(..);
    let host = if host.is_empty() { "thingcall".to_owned() } else { host };
    let short: String = host.chars().take(INSTANCE_NAME_CHARS_MAX - 5).collect();
    // Who listens everywhere is found by the machine's name.
    let reached = |address: SocketAddr| {
        if address.ip().is_unspecified() { format!("{host}:{}", address.port()) } else { address.to_string() }
    };
    Instance {
        name: config.instance.name.clone().unwrap_or_else(|| format!("{short}-{:04x}", run & 0xffff)),
        run,
        api: reached(api),
        operator: reached(operator),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: UnixMillis::now(),
        calls: 0,
        embedded: config.broker.enabled,
        plugins: Vec::new(),
        shares: crate::sharing::in_words(config),
        clients: config.clients(),
    }
}

/// A server's place among those that share its store.
pub(crate) struct Membership {
    me: Instance,
    slots: Slots,
    /// None on a store that one server has alone.
    keeper: Option<Keeper>,
    work: OnceLock<Arc<Work>>,
}

impl Membership {
    /// Leases a slot, where the store is shared.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub(crate) async fn begin(
        me: Instance,
        config: &Config,
        store: &Store,
        conditions: &Conditions,
        metering: &Metering,
    ) -> anyhow::Result<Self> {
        let wanted = config.engine.instance_slot;
        let Some(leases) = store.leases()? else {
            let slots = Slots::alone(wanted.unwrap_or(0));
            return Ok(Self { me, slots, keeper: None, work: OnceLock::new() });
        };
        let slots = Slots::default();
        let parts = KeeperParts { leases, slots: slots.clone(), me: me.clone(), wanted, conditions, metering };
        let keeper = Keeper::start(parts).await.context("this instance gets no slot")?;
        Ok(Self { me, slots, keeper: Some(keeper), work: OnceLock::new() })
    }

    /// The slots that are held.
    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    /// How many instances live on this store, as this one last heard.
    pub(crate) fn living(&self) -> Arc<dyn Fn() -> NonZeroU32 + Send + Sync> {
        match &self.keeper {
            Some(keeper) => Arc::new(keeper.living()),
            None => Arc::new(|| NonZeroU32::MIN),
        }
    }

    /// From now on calls have ids; those that were accepted before, here or by an instance that died, are brought to their end.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn serve(
        &self,
        engine: &Arc<Engine>,
        store: &Arc<Store>,
        plugins: &Arc<Plugins>,
    ) -> anyhow::Result<()> {
        let work = Work {
            name: self.me.name.clone(),
            engine: engine.clone(),
            store: store.clone(),
            plugins: plugins.clone(),
            tasks: TaskTracker::new(),
        };
        let work = self.work.get_or_init(|| Arc::new(work)).clone();
        match (&self.keeper, self.slots.own()) {
            (Some(keeper), _) => keeper.serve(work).await,
            (None, Some(slot)) => {
                let taken = Taken { slot, own: true, from: None };
                let begin = work.prepare(&taken).await.map_err(|why| anyhow!(why))?;
                begin();
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// What is told of this instance now, and the slot of its new calls.
    pub(crate) fn now(&self) -> (Instance, Option<u8>) {
        let mut me = self.me.clone();
        if let Some(work) = self.work.get() {
            work.tell(&mut me);
        }
        (me, self.slots.own())
    }

    /// Brings gauges up to date.
    pub(crate) fn refresh_metrics(&self) {
        self.keeper.iter().for_each(Keeper::refresh_metrics);
    }

    /// It ends: nothing of others is taken over any more.
    pub(crate) fn drain(&self) {
        self.keeper.iter().for_each(Keeper::drain);
    }

    /// Gives its slots back. What it wrote must be in the store by now: nothing is written for a slot that is another's.
    pub(crate) async fn leave(&self) {
        if let Some(work) = self.work.get() {
            work.tasks.close();
            if timeout(STOP_TIME, work.tasks.wait()).await.is_err() {
                warn!("calls from before were still being brought on; whoever has the slot next goes on with them");
            }
        }
        if let Some(keeper) = &self.keeper {
            keeper.stop().await;
        }
    }
}

/// What is done in the slots.
struct Work {
    name: String,
    engine: Arc<Engine>,
    store: Arc<Store>,
    plugins: Arc<Plugins>,
    tasks: TaskTracker,
}

#[async_trait]
impl Holder for Work {
    fn tell(&self, me: &mut Instance) {
        me.calls = u64::try_from(self.engine.running()).unwrap_or(u64::MAX);
        me.plugins = self.plugins.list().into_iter().filter_map(loaded).collect();
        me.plugins.sort();
    }

    async fn prepare(&self, taken: &Taken) -> Result<Begin, String> {
        let upto = self.store.last_place().await.map_err(|problem| problem.to_string())?;
        let what = TakeOver { slot: taken.slot, own: taken.own, upto, by: self.name.clone() };
        let (engine, tasks) = (self.engine.clone(), self.tasks.clone());
        Ok(Box::new(move || {
            // Replies that were kept for it first: what they end needs nothing else.
            engine.slots_changed();
            tasks.spawn(async move { engine.take_over(what).await });
        }))
    }

    fn let_go(&self, _: u8) {
        self.engine.slots_changed();
    }

    fn lost(&self) {
        self.engine.lease_lost();
        self.engine.slots_changed();
    }
}

/// A plugin that takes calls.
fn loaded(plugin: PluginState) -> Option<LoadedPlugin> {
    let PluginState { status: PluginStatus::Active, name, generation, sha256, .. } = plugin else { return None };
    Some(LoadedPlugin { name: name?, generation: generation?, sha256: sha256? })
}

#[cfg(test)]
mod tests;
