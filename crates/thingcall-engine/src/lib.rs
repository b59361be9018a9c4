//! The path of a call: admit, route, deliver, wait.
//!
//! Read it in the order of a call: [`Engine::invoke`] checks the request (`admit`), finds its handler (`router`) and
//! runs it under one timer; the built-in handler (`forward`) calls the device through the call's link (`link`), which
//! opens the call in the one map (`pending`), delivers it through a transport (`transports`) and waits; what devices
//! answer comes in at `replies`.
//!
//! **Invariants:** a call is checked once, at admission. An entry of the map lives exactly as long as its guard. A
//! call is opened before it is delivered. A reply counts only if it comes from the device that was called.

mod config;
mod metrics;

mod engine;

mod broadcast;
mod broadcasts;
mod fleet;
mod fleet_metrics;
mod invoke;

mod admit;
mod at_device;
mod forward;
mod hands;
mod lanes;
mod link;
mod router;
mod steps;
mod transports;
mod turns;

mod ids;
mod lag;
mod of_devices;
mod pending;
mod post_turns;
mod recent;
mod reports;
mod room;

mod dropped;
mod ended;
mod failures;
mod late;
mod posts;
mod raw;
mod recording;
mod replies;
mod running;
mod take_over;
mod top;
mod traced;
mod translations;
mod unawaited;
mod waits;
mod watches;

#[cfg(test)]
mod testbench;
#[cfg(test)]
mod tests;

pub use config::{Config, Shown};
pub use dropped::LastDropped;
pub use engine::{Engine, EngineParts};
pub use fleet::FleetParts;
pub use invoke::Invoked;
pub use metrics::Stage;
pub use reports::Reports;
pub use take_over::TakeOver;
pub use top::{Often, TopBy, TopNote, TopOf};
pub use waits::{RunningCall, WaitsFor};
pub use watches::DeviceWatches;
