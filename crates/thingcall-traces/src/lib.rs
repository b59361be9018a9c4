//! Traces: which requests are recorded, and how their spans come to an OpenTelemetry collector.
//!
//! Read in this order: [`Config`], `sampler` (what is recorded), `queue` (spans that wait), `encode` (what they look like on the
//! wire), `sender` (one request to the collector), `export` (the task), [`Tracing`] (all of it, as core's `Tracer`).
//!
//! **Invariants:** nobody who makes a call waits for a collector, and what waits for one is bounded. Each span ends exported or
//! counted as dropped.

mod authorities;
mod config;
mod encode;
mod export;
mod metrics;
mod queue;
mod recorder;
mod sampler;
mod sender;

pub use config::{Config, Protocol};
pub use recorder::{NotStarted, Tracing};
