//! Runs one part of a call's path many times on one thread, for a program that counts instructions.
//!
//! **Invariant:** what is counted is inside [`measured`] and does the same work each time it is run: no timer ends, no
//! other thread takes part but for a plugin's own, and everything that can be made before is made before.
//!
//! `instructions PART CALLS` prints how many allocations a call made; `tests/instructions/run` counts the instructions.
//! `instructions pending CALLS` prints how many bytes each of so many waiting calls holds.

mod paths;
mod pending;
mod plugins;
mod site;

use std::alloc::{GlobalAlloc, System};

use anyhow::{Context, bail};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};

/// The C library's, counted. The program's own makes fewer instructions of each.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs of a part before those that count: memory is there, and maps have their size.
const WARM_UP: usize = 300;

/// The parts, in the order in which a call takes them, and the whole.
const PARTS: [&str; 11] = [
    "http-acs3",
    "http-v1",
    "engine-sync",
    "engine-async",
    "plugin-inline",
    "plugin-pool",
    "check-arguments",
    "check-arguments-300",
    "alink-request",
    "alink-reply",
    "alink-glance",
];

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.next().unwrap_or_default();
    let calls: usize = arguments.next().and_then(|text| text.parse().ok()).context("say how many calls")?;
    if part == "pending" {
        return pending(calls);
    }
    if !PARTS.contains(&part.as_str()) {
        bail!("{part:?} is none of {}, pending", PARTS.join(", "));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut ready = runtime.block_on(paths::ready(&part, WARM_UP + calls))?;
    runtime.block_on(ready.run(WARM_UP))?;
    let region = Region::new(ALLOCATOR);
    measured(&runtime, &mut ready, calls)?;
    tell(&region, calls);
    Ok(())
}

/// What is counted.
#[inline(never)]
fn measured(runtime: &Runtime, ready: &mut paths::Ready, calls: usize) -> anyhow::Result<()> {
    runtime.block_on(ready.run(calls))
}

#[expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "a figure for a script")]
fn tell<A: GlobalAlloc>(region: &Region<'_, A>, calls: usize) {
    let change = region.change();
    let per_call = |count: usize| count as f64 / calls as f64;
    println!(
        "allocations {:.1} bytes {:.0}",
        per_call(change.allocations + change.reallocations),
        per_call(change.bytes_allocated)
    );
}

#[expect(clippy::print_stdout, reason = "a figure for a person")]
fn pending(calls: usize) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let (allocated, resident) = pending::bytes_each(&Region::new(ALLOCATOR), calls)?;
    println!("pending {calls} allocated {allocated:.0} bytes each resident {resident:.0} bytes each");
    Ok(())
}
