//! A plugin for benchmarks: it passes every call to the device and back, unchanged.

use thingcall_plugin::prelude::*;

struct Echo;

#[async_trait]
impl Handler for Echo {}

thingcall_plugin::plugin! {
    name: "echo",
    claims: ["testFb:testService"],
    handler: Echo,
    create: |_setup| Ok(Echo),
}
