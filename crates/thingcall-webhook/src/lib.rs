//! Webhooks: messages of the log, each sent as one HTTP request to an application's own server.
//!
//! Read in this order: [`Config`] (a target and its limits), `sign` (the signature), `poster` (one request), `pump` (which
//! message is sent when, and what becomes of it), [`Webhooks`] (all targets).
//!
//! A message is sent at least once, under its own id, and signed by the Standard Webhooks convention. An answer of 2xx settles it.
//! Anything else sends it again later; after `tries_max` tries it is a dead letter in the store.
//!
//! **Invariants:** each target is a reader of the log of its own, with a task of its own: none waits for another. What is taken
//! from the log ends settled, given back or dead, also where the server stops.

mod authorities;
mod config;
mod metrics;
mod name;
mod poster;
mod pump;
mod sign;
mod webhooks;

pub use config::Config;
pub use name::{NotAName, TargetName};
pub use sign::new_secret;
pub use webhooks::{NotStarted, Targets, Webhooks};
