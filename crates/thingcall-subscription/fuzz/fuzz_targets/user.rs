//! Any text as a user name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thingcall_subscription::User;

fuzz_target!(|text: &str| {
    if let Ok(user) = User::read(text) {
        assert!(!user.proves(b"", b"secret"));
    }
});
