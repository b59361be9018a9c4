//! What instances share, in a Redis: the nonces that were used, and what accounts have left of their quota.
//!
//! `config` says where it is, `connection` holds the one connection that all questions share, `nonces` and `quota` are the two
//! seams of core.
//!
//! **Invariant:** nothing is taken for remembered that a Redis may have forgotten. One that restarted, was emptied, or is
//! another one since a fail-over is a new memory, and one that may throw keys away is not used.

mod config;

mod connection;

mod nonces;
mod quota;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use connection::Redis;
