//! Guards the boundary to a plugin's code during its calls.
//!
//! The seam is [`Generation`]. Whoever loads plugins hands down a library that is mapped ([`Mapped`]: a name and a table of
//! functions), the [`Terms`] it runs on and its configuration, and gets a `Handler` and a `Codec` for the engine. Nothing
//! here knows of files, manifests, claims or routes; nothing above calls a plugin's functions.
//!
//! **Invariants:** a plugin holds tokens and bytes, no pointer that it could use too late. Its functions are called in
//! `instance` alone, each under the watchdog's eyes. What was mapped is never unmapped.

mod generation;

// A call, from the engine's side down to the plugin's code, and what comes back up from it.
mod driver;

mod call;
mod mail;

mod instance;

mod host;

// Beside calls: timers of the plugin's own, and translations.
mod background;
mod codec;

// What passes: what a plugin gets and what it gives.
mod answer;
mod at_device;
mod operation;
mod request;

mod fault;
mod foreign;
mod log_lines;
mod out;
mod own_metrics;

mod scope;
mod slots;

// Who runs a plugin's code, and who looks that it comes back.
mod pool;
mod watchdog;

pub mod crash;
mod whose;

mod metrics;
mod terms;

#[cfg(test)]
mod testbench;

pub use generation::{CreateError, Generation, Mapped};
pub use metrics::Metrics;
pub use terms::{Execution, Fallback, Terms};
pub use watchdog::{InPlugin, opening};
pub use whose::Whose;
