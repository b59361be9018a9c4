//! Finds, checks, loads and swaps plugins.
//!
//! A file is read once (`files`, `trust`), looked at without running it (`inspect`, `manifest`), given its claims
//! (`candidate`, `decide`), mapped (`image`, `start`) and put into the table (`roster`, `routes`). The seam to what guards
//! its calls is `thingcall-boundary`'s `Generation`: `start` makes one of a mapped library, the table hands out its handler,
//! and a swap retires it.
//!
//! **Invariants:** no code of a file runs before every check on it passed. A call is answered from a table that never
//! changes; a swap is one store. What was mapped is never unmapped.

mod config;

mod plugins;

// Which files there are, and loading them.
mod scan;
mod settle;
mod watch;

mod decide;
mod load;
mod start;
mod turns;

// What was decided: who is active, who takes a call.
mod roster;
mod tasks;

mod book;
mod listing;
mod report;

mod claim;
mod conflict;
mod routes;

mod chain;
mod lease;

// From a file to a library.
mod candidate;
mod files;
mod folders;
mod inspect;
mod manifest;
mod trust;

mod image;

// What stays of a plugin that is not loaded.
mod keep;
mod kept;
mod reserved;

// What stays of one that ended the server.
mod ended;
mod note;

mod check;
mod error;
mod exit;
mod look;

mod lock;
mod metrics;

#[cfg(test)]
mod testsite;

pub use check::Sections;
pub use claim::ClaimError;
pub use config::{Config, PluginConfig, PluginConfigs};
pub use conflict::Conflict;
pub use decide::Settings;
pub use ended::Ended;
pub use error::{LoadError, StartError};
pub use exit::exit_at_once;
pub use files::FileError;
pub use image::ImageError;
pub use inspect::{InspectError, Inspected, inspect};
pub use look::{Look, look, problems_of_folders};
pub use manifest::{Manifest, ManifestError};
pub use metrics::LoadResult;
pub use plugins::Plugins;
pub use report::{Loaded, PluginState, PluginStatus};
pub use thingcall_boundary::{CreateError, Execution, Fallback};
pub use trust::UntrustedPath;
