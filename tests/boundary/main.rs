//! The boundary to plugins, with real libraries in the loader that the server uses, and no server around it: a program
//! of its own, since a plugin that finds the contract broken ends its process. `tests/valgrind` runs it under tools.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "what goes wrong ends the test")]

mod bench;

mod codec;
mod fuzz;
mod panics;
