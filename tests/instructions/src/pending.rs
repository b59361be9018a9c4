//! What a waiting call holds in memory.
//!
//! **Invariant:** only what the engine and the call's own future hold is between the two readings: the list of the futures
//! and the requests are there before.

#![expect(clippy::cast_precision_loss, reason = "figures for eyes")]

use std::alloc::GlobalAlloc;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, bail};
use prometheus::Registry as Metering;
use stats_alloc::Region;
use thingcall_core::{BuiltInOnly, CallError, Slots};
use thingcall_engine::{Config, Engine, Invoked};

use crate::paths;
use crate::site::{Site, Wire};

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Invoked, CallError>> + Send + 'a>>;

/// Bytes that each of so many waiting calls holds: those asked of the allocator, and those of the resident set.
///
/// # Errors
/// If a call does not wait.
pub(crate) fn bytes_each<A: GlobalAlloc>(region: &Region<'_, A>, calls: usize) -> anyhow::Result<(f64, f64)> {
    let site = Site::new()?;
    // A wire without an engine at its end: commands leave, and nothing comes back.
    let wire = Arc::new(Wire::silent(OnceLock::new()));
    let parts = thingcall_engine::EngineParts {
        registry: site.clone(),
        journal: site.clone(),
        handlers: Arc::new(BuiltInOnly),
        slots: Slots::alone(0),
        reports: thingcall_engine::Reports::default(),
        records: Arc::new(thingcall_core::NoRecords),
        tracer: None,
    };
    let config = Config { pending_calls_max: NonZeroUsize::MIN.saturating_add(calls), ..Config::default() };
    let engine = Engine::new(config, parts, &Metering::new())?;
    engine.attach(wire);
    let requests = (0..calls).map(|_| paths::request(&site, paths::SYNC)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut waiting: Vec<Waiting<'_>> = Vec::with_capacity(calls);
    let (allocated, resident) = (live(region), resident()?);
    let mut context = Context::from_waker(Waker::noop());
    for request in requests {
        let mut call: Waiting<'_> = Box::pin(engine.invoke(request));
        if let Poll::Ready(ended) = call.as_mut().poll(&mut context) {
            bail!("a call did not wait: {ended:?}");
        }
        waiting.push(call);
    }
    let each = |bytes: f64| bytes / waiting.len() as f64;
    Ok((each(live(region) - allocated), each(self::resident()? - resident)))
}

fn live<A: GlobalAlloc>(region: &Region<'_, A>) -> f64 {
    let change = region.change();
    change.bytes_allocated as f64 - change.bytes_deallocated as f64
}

/// The resident set of this process in bytes.
fn resident() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024.0)
}
