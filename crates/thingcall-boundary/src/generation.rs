//! One created instance of a plugin: its table, its token, its calls.
//!
//! **Invariant:** no function of the plugin runs after `destroy`, and its code is never unmapped.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{Codec, Handler};
use thingcall_plugin::abi::{self, OK};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::background::Background;
use crate::call::CallActor;
use crate::codec::PluginCodec;
use crate::driver::PluginHandler;
use crate::host::HOST;
use crate::instance::Instance;
use crate::metrics::Metrics;
use crate::out::OutPlace;
use crate::own_metrics::OwnMetrics;
use crate::terms::Terms;
use crate::watchdog::Watched;
use crate::whose::Whose;

/// How long `destroy` may take.
const DESTROY_MAX: Duration = Duration::from_secs(5);
/// How long a call that is ended by force may take to end.
const END_MAX: Duration = Duration::from_secs(5);
/// How much `create` may say about a failure, in bytes.
const ERROR_BYTES_MAX: usize = 16 * 1024;

/// What a generation is made from: a library that is loaded, checked and never unmapped.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The plugin's name.
    pub name: String,
    /// Which generation of the plugin this is.
    pub number: u64,
    /// Its table, copied as far as it goes (`struct_size`), the rest zero. Its major version was compared.
    pub table: abi::PluginApi,
    /// How this generation is named if it ends the process.
    pub whose: &'static Whose,
}

/// A plugin instance that takes calls.
pub struct Generation {
    number: u64,
    instance: Arc<Instance>,
    background: Arc<Background>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Generation");
        out.field("plugin", &self.instance.plugin()).field("number", &self.number).finish_non_exhaustive()
    }
}

impl Generation {
    /// Runs the plugin's `create`. May block: not for a runtime's worker, but within a runtime's context
    /// (`spawn_blocking`), whose timers it uses.
    ///
    /// # Errors
    /// Why there is no instance: the status and what the plugin said.
    pub fn create(
        mapped: Mapped,
        terms: Terms,
        configuration: &str,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, CreateError> {
        let Mapped { name, number, table, whose } = mapped;
        check(&table)?;
        let host = |what: &str| CreateError::Host(what.to_owned());
        let runtime = Handle::try_current().map_err(|_| host("there is no runtime for its timers"))?;
        let series = metrics.series(&name);
        let watched = Watched::start(series.clone(), whose, terms.stall_warn, terms.stall_open)
            .map_err(|error| host(&format!("there is no thread to watch it: {error}")))?;
        let own = OwnMetrics::new(&series.plugin, metrics.own());
        let instance = Instance::new(series, own, terms, watched, table)
            .map_err(|error| host(&format!("there are no threads for it: {error}")))?;
        let background = Background::enter(&instance, runtime).ok_or_else(|| host("no token is free for it"))?;
        let generation = Self { number, instance, background };
        generation.run_create(configuration)?;
        Ok(Arc::new(generation))
    }

    fn run_create(&self, configuration: &str) -> Result<(), CreateError> {
        let err = OutPlace::new(ERROR_BYTES_MAX).ok_or_else(|| CreateError::Host("too many plugins".to_owned()))?;
        let status = self.instance.create(&HOST, self.background.token(), configuration, err.handle());
        self.instance.own.freeze();
        self.background.created();
        if status == OK {
            return Ok(());
        }
        self.background.drain();
        let text = String::from_utf8_lossy(&err.take().unwrap_or_default()).into_owned();
        Err(CreateError::Failed { status, text })
    }

    /// Its face to the engine. `None` if the plugin handles no calls (it has no `begin`).
    pub fn handler(self: &Arc<Self>) -> Option<Arc<dyn Handler>> {
        self.instance.table().begin?;
        Some(Arc::new(PluginHandler(self.instance.clone())))
    }

    /// Its translations; `None` if it lacks `encode` or `decode`.
    pub fn codec(self: &Arc<Self>) -> Option<Arc<dyn Codec>> {
        let (_encode, _decode) = (self.instance.table().encode?, self.instance.table().decode?);
        Some(Arc::new(PluginCodec(self.instance.clone())))
    }

    /// Whether its circuit is open: its code blocks, and new calls take the fall-back.
    pub fn circuit_open(&self) -> bool {
        self.instance.watched.stuck()
    }

    /// How many of its calls and translations have not ended.
    pub fn calls_in_flight(&self) -> usize {
        self.instance.in_flight()
    }

    /// Waits until its calls have ended, ends those left after `Terms::retire_timeout`, then runs `destroy` (at most
    /// 5 s). Says whether `destroy` returned. The image stays mapped.
    ///
    /// Nobody may use a handler or codec of it any more: a call that comes once the last has ended is refused.
    pub async fn retire(self: Arc<Self>) -> bool {
        let instance = &self.instance;
        let plugin = instance.plugin();
        instance.watched.retire();
        if timeout(instance.terms.retire_timeout, instance.idle()).await.is_err() {
            warn!(plugin, calls = instance.in_flight(), "calls of a replaced plugin are ended");
        }
        if !self.end_calls().await {
            warn!(plugin, calls = instance.in_flight(), "plugin code does not return; it is not destroyed");
            self.close_pool();
            return false;
        }
        let destroyed = self.destroy().await;
        if destroyed {
            debug!(plugin, generation = self.number, "destroyed");
        } else {
            warn!(plugin, generation = self.number, "destroy does not return");
        }
        self.close_pool();
        destroyed
    }

    /// Ends what is left, and lets nothing in any more. Says whether nothing is left.
    async fn end_calls(&self) -> bool {
        let ended = async {
            while !self.instance.close() {
                CallActor::all_of(&self.instance).iter().for_each(|call| call.shut_down());
                // A call that comes in between is ended by the next round.
                let _ = timeout(Duration::from_millis(100), self.instance.idle()).await;
            }
        };
        timeout(END_MAX, ended).await.is_ok()
    }

    /// On a thread of its own, which is left behind if it does not end.
    async fn destroy(&self) -> bool {
        let (instance, background) = (self.instance.clone(), self.background.clone());
        let (ended, has_ended) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("plugin-destroy".to_owned()).spawn(move || {
            background.drain();
            instance.destroy();
            let _ = ended.send(());
        });
        if let Err(error) = thread {
            warn!(plugin = self.instance.plugin(), %error, "there is no thread to destroy it");
            return false;
        }
        let waited = tokio::task::spawn_blocking(move || has_ended.recv_timeout(DESTROY_MAX).is_ok());
        waited.await.unwrap_or(false)
    }

    fn close_pool(&self) {
        if let Some(pool) = &self.instance.pool {
            pool.close();
        }
    }
}

impl Drop for Generation {
    /// Without `retire` the plugin is not destroyed; its threads end when what they do has ended.
    fn drop(&mut self) {
        self.background.leave();
        self.close_pool();
    }
}

fn check(table: &abi::PluginApi) -> Result<(), CreateError> {
    let missing = |what: &str| Err(CreateError::Table(format!("its table has no {what}")));
    match (table.create, table.begin, table.encode, table.decode) {
        (None, ..) => missing("create"),
        (_, None, None, _) | (_, None, _, None) => missing("begin, nor both encode and decode"),
        _ => Ok(()),
    }
}

/// Why a plugin could not be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// `create` returned a bad status.
    #[error("create failed ({status}): {text}")]
    Failed {
        /// The status.
        status: i32,
        /// What the plugin said.
        text: String,
    },
    /// Something the ABI demands is missing.
    #[error("{0}")]
    Table(String),
    /// A thread or a token could not be made.
    #[error("{0}")]
    Host(String),
}

#[cfg(test)]
mod tests;
