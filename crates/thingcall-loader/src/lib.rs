//! Opens plugins, guards the boundary, swaps generations.
//!
//! Two halves. *Loading* (`plugins`, `load`): a file is read once (`files`, `trust`), looked at without running it
//! (`inspect`, `manifest`), given its claims (`candidate`), mapped (`image`) and put into the table (`routes`).
//! *Running* (`generation`): one plugin, its threads and its calls. The seam between them is [`Image`] and
//! [`Generation`].
//!
//! **Invariants:** no code of a file runs before every check on it passed. A call is answered from a table that never
//! changes; a swap is one store. What was mapped is never unmapped.

mod config;

// Loading: from a file to a plugin that takes calls.
mod plugins;

mod load;
mod scan;
mod settle;
mod start;
mod watch;

mod candidate;
mod files;
mod inspect;
mod manifest;
mod trust;

mod image;

mod claim;
mod conflict;
mod routes;

// What stays of a plugin that is not loaded.
mod keep;
mod kept;
mod reserved;

// What stays of one that ended the server.
mod crash;
mod ended;

mod chain;
mod lease;

mod book;
mod check;
mod error;
mod exit;
mod look;
mod report;

// Running: one plugin and its calls.
mod generation;
mod instance;

mod driver;

mod call;

mod answer;
mod operation;
mod request;

mod background;
mod codec;

mod host;

mod foreign;
mod log_lines;
mod out;
mod own_metrics;

mod slots;
mod tokens;

mod pool;
mod watchdog;

mod metrics;

#[cfg(test)]
mod testbench;

#[cfg(test)]
mod testsite;

pub use check::Sections;
pub use claim::ClaimError;
pub use config::{Config, Execution, Fallback, PluginConfig, PluginConfigs};
pub use conflict::Conflict;
pub use ended::Ended;
pub use error::{LoadError, LoadResult, StartError};
pub use exit::exit_at_once;
pub use files::FileError;
pub use generation::{CreateError, Generation, Image};
pub use image::ImageError;
pub use inspect::{InspectError, Inspected, inspect};
pub use load::Settings;
pub use look::{Look, look, problems_of_folders};
pub use manifest::{Manifest, ManifestError};
pub use metrics::Metrics;
pub use plugins::Plugins;
pub use report::{Loaded, PluginState, PluginStatus};
pub use trust::UntrustedPath;
