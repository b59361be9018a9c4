//! Handlers of thing-model services as shared libraries that [thingcall](https://docs.rs/thingcall) loads at run time:
//! all that an author depends on.
//!
//! ```
//! use thingcall_plugin::prelude::*;
//!
//! #[derive(Deserialize)]
//! #[serde(crate = "thingcall_plugin::serde")]
//! struct Limits { max: f64 }
//!
//! #[async_trait]
//! impl Handler for Limits {
//!     async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
//!         let args: Value = call.args()?;
//!         if args["param1"].as_f64() > Some(self.max) {
//!             return Err(Reject::new(460, format!("param1 is above {}", self.max)));
//!         }
//!         Ok(device.call(&args).await?)
//!     }
//! }
//!
//! thingcall_plugin::plugin! {
//!     name: "limits",
//!     claims: ["testFb:testService"],
//!     handler: Limits,
//!     create: |setup| setup.config(),
//! }
//! # fn main() {}
//! ```
//!
//! Its `Cargo.toml` has `crate-type = ["cdylib"]` and this crate as its one dependency. A handler needs no runtime:
//! [`Device::call`], [`Call::sleep`] and what [`future`] combines of them are driven by the server. It must not block:
//! its plugin has few threads. What it must not do besides stands in `plugins/README.md`.
//!
//! A [`Call`] cannot leave its handler:
//!
//! ```compile_fail,E0521
//! # use thingcall_plugin::prelude::*;
//! # struct Leaks;
//! #[async_trait]
//! impl Handler for Leaks {
//!     async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
//!         std::thread::spawn(move || call.device_name().len());
//!         Ok(device.call(&json!({})).await?)
//!     }
//! }
//! ```
//!
//! **Invariant:** nothing but bytes, numbers and function pointers crosses the boundary (`abi`), so server and plugin may
//! be built by different compilers.

pub mod abi;

mod call;
mod device;
mod handler;
mod reply;
mod setup;

pub mod log;

mod foreign;
#[doc(hidden)]
pub mod glue;
mod guard;
mod host;
mod macros;
#[doc(hidden)]
pub mod manifest;
mod operation;
mod runtime;
mod trace;

pub mod testing;

pub use async_trait::async_trait;
pub use call::Call;
pub use device::Device;
pub use handler::{CodecInput, Handler};
pub use reply::{Failed, Reject, Reply};
pub use setup::{Metric, Setup};
pub use {serde, serde_json};

/// The README's Rust, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// Waiting for several things at once; needs no runtime.
pub mod future {
    pub use futures_util::future::{join, join3, join_all, select, try_join, try_join_all, Either};
}

/// What most plugins use.
pub mod prelude {
    pub use crate::{async_trait, Call, CodecInput, Device, Failed, Handler, Metric, Reject, Reply, Setup};
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{json, Value};
}
