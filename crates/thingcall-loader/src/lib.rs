//! Opens plugins, guards the boundary, swaps generations.

mod config;
mod generation;
mod manifest;
mod metrics;

pub use config::{Config, Execution, Fallback, PluginConfig, PluginConfigs};
pub use generation::{CreateError, Generation, Image};
pub use manifest::Manifest;
pub use metrics::Metrics;
