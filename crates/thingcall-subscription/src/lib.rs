//! What applications are told of devices and calls.
//!
//! `words` has the bodies of messages, as the platform's server-side subscription has them.
//!
//! **Invariant:** pure functions of text and bytes: no I/O, no clock, nothing that blocks.

pub mod words;
