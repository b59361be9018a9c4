//! One created instance of a plugin: its table, its token, its calls.
//!
//! **Invariant:** no function of the plugin runs after `destroy`, and its code is never unmapped.

use std::sync::Arc;

use thingcall_core::{Codec, Handler};
use thingcall_plugin::abi;

use crate::config::{Config, PluginConfig};
use crate::manifest::Manifest;
use crate::metrics::Metrics;

/// What a generation is made from: a library that is loaded, checked and never unmapped.
#[derive(Debug, Clone)]
pub struct Image {
    /// What its file says.
    pub manifest: Manifest,
    /// The SHA-256 of its file, hex.
    pub sha256: String,
    /// Its table, copied as far as it goes (`struct_size`), the rest zero. Its major version was compared.
    pub table: abi::PluginApi,
}

/// A plugin instance that takes calls.
#[derive(Debug)]
pub struct Generation {
    image: Image,
}

impl Generation {
    /// Runs the plugin's `create`. May block: not for a runtime's worker.
    ///
    /// # Errors
    /// Why there is no instance: the status and what the plugin said.
    pub fn create(
        image: Image,
        number: u64,
        config: &Config,
        plugin: &PluginConfig,
        metrics: &Arc<Metrics>,
    ) -> Result<Arc<Self>, CreateError> {
        let _ = (number, config, plugin, metrics);
        Ok(Arc::new(Self { image }))
    }

    /// What it was made from.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Its face to the engine. `None` if the plugin handles no calls (it has no `begin`).
    pub fn handler(self: &Arc<Self>) -> Option<Arc<dyn Handler>> {
        None
    }

    /// Its translations; `None` if it lacks `encode` or `decode`.
    pub fn codec(self: &Arc<Self>) -> Option<Arc<dyn Codec>> {
        None
    }

    /// Whether its circuit is open: its code blocks, and new calls take the fall-back.
    pub fn circuit_open(&self) -> bool {
        false
    }

    /// How many of its calls have not ended.
    pub fn calls_in_flight(&self) -> usize {
        0
    }

    /// Waits until its calls have ended, ends those left after `Config::retire_timeout`, then runs `destroy` (at most
    /// 5 s). Says whether `destroy` returned. The image stays mapped.
    pub async fn retire(self: Arc<Self>) -> bool {
        true
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
