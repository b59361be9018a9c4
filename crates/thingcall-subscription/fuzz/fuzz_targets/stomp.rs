//! Any bytes to a machine that speaks STOMP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thingcall_subscription_fuzz::{limits, play};

fuzz_target!(|data: &[u8]| play(thingcall_subscription::stomp(limits()), data));
