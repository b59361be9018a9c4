//! How calls end, on a bench with a paused clock.

mod asynchronous;
mod failures;
mod handlers;
mod raw;
mod synchronous;
mod topics;
