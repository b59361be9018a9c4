//! A plugin for tests with a memory allocator of its own, to be built in other ways than the server.
//!
//! **Invariant:** the allocator takes back only what it gave out. Memory of another one ends the process, so a boundary
//! on which one side frees what the other allocated cannot stay unseen.

#![expect(unsafe_code, reason = "an allocator is nothing else")]
#![expect(clippy::indexing_slicing, clippy::panic, reason = "JSON indexes to null; the panic is part of the test")]

use std::alloc::{GlobalAlloc, Layout, System};

use thingcall_plugin::prelude::*;

struct Odd;

#[async_trait]
impl Handler for Odd {
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        let args: Value = call.args()?;
        match args["param1"].as_i64() {
            Some(13) => Err(Reject::new(460, "13 is refused")),
            Some(666) => panic!("666 was called"),
            _ => Ok(device.call(&args).await?),
        }
    }
}

thingcall_plugin::plugin! {
    name: "odd",
    claims: ["testFb:testService"],
    handler: Odd,
    create: |_setup| Ok(Odd),
}

/// The system's memory behind a mark of its own.
struct Marked;

#[global_allocator]
static MARKED: Marked = Marked;

/// Before each piece of memory; as long as any alignment that is asked for here.
const MARK_BYTES: usize = 64;
const MARK: u64 = 0x0dd0_0dd0_0dd0_0dd0;

fn with_mark(layout: Layout) -> Option<Layout> {
    let bytes = layout.size().checked_add(MARK_BYTES)?;
    if layout.align() > MARK_BYTES {
        return None;
    }
    Layout::from_size_align(bytes, MARK_BYTES).ok()
}

// SAFETY: what it gives out is the system's memory behind MARK_BYTES, with the size and at least the alignment asked for.
unsafe impl GlobalAlloc for Marked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(layout) = with_mark(layout) else { return std::ptr::null_mut() };
        // SAFETY: the layout has a size, since MARK_BYTES is part of it.
        let start = unsafe { System.alloc(layout) };
        if start.is_null() {
            return start;
        }
        // SAFETY: MARK_BYTES are ours at the start, aligned for a u64.
        unsafe {
            start.cast::<u64>().write(MARK);
            start.add(MARK_BYTES)
        }
    }

    unsafe fn dealloc(&self, given: *mut u8, layout: Layout) {
        let Some(layout) = with_mark(layout) else { std::process::abort() };
        // SAFETY: what `alloc` gave out has its mark before it; what it did not is what this looks for.
        unsafe {
            let start = given.sub(MARK_BYTES);
            if start.cast::<u64>().read() != MARK {
                std::process::abort();
            }
            start.cast::<u64>().write(0);
            System.dealloc(start, layout);
        }
    }
}
