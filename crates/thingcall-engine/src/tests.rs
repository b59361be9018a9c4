//! How calls end, on a bench with a paused clock.

mod acknowledgements;
mod asynchronous;
mod broadcasts;
mod failures;
mod handlers;
mod look_ups;
mod pacing;
mod posts;
mod raw;
mod records;
mod running;
mod synchronous;
mod take_over;
mod topics;
mod traced;
