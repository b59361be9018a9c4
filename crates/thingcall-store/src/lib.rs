//! Products, devices, access keys and the records of asynchronous calls, in one SQLite file.
//!
//! Read in this order: [`Store`] (one open file) and `shared` (its memory, its connections, what its two tasks share),
//! `connection` and `health` (what happens when it cannot be written), `memory` (what every call looks up), `directory` and
//! `keys` (changes by people), `changes` (how every process on the file sees them), `presence`, then `journal` (what callers
//! of the journal see), `writer` (the task that makes it durable), `calls` and `records` (the SQL that writes and reads
//! them), `replies` (which call a reply ends) and `outbox` (which commands wait for their device).
//!
//! **Invariants:** look-ups on the path of a call read memory and never wait. Whatever writes holds the one write lock of
//! the process, so memory follows the file in the file's order. A record's state only grows.

mod claim;
mod config;
mod connection;
mod health;
mod look;
mod open;
mod owner;
mod shared;
mod store;
mod trouble;

mod live;
mod marked;
mod memory;
mod metrics;
mod rows;
mod sizes;

mod change;
mod changes;
mod directory;
mod dismissed;
mod keys;
mod presence;
mod random;

mod calls;
mod columns;
mod journal;
mod many;
mod outbox;
mod records;
mod replies;
mod results;
mod writer;

pub use change::Change;
pub use claim::{Before, Known, is_served};
pub use config::Config;
pub use keys::{KeyError, NewKey};
pub use look::{Look, look};
pub use open::OpenError;
pub use owner::as_its_folder;
pub use store::{Stats, Store};

#[cfg(test)]
mod tests;
