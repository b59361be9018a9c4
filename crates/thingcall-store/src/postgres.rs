//! PostgreSQL as the store of any number of instances.
//!
//! Read in this order: `open` (connecting) and `error` (what is said where that fails), `schema` (its versions, and how they are made
//! one from the other), `look` (what can be known without
//! writing), then `session` (a connection for one purpose of its own), `leases`, `nonces` and `quota`.

mod error;
mod leases;
mod look;
mod nonces;
mod open;
mod quota;
mod schema;
mod session;

pub use error::PostgresError;
pub use leases::PostgresLeases;
pub(crate) use leases::keep_out;
pub(crate) use look::look;
pub use nonces::PostgresNonces;
pub(crate) use open::{connect_alone, open};
pub use quota::PostgresQuota;
pub(crate) use schema::half_of;

#[cfg(test)]
mod tests;
