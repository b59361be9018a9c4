//! PostgreSQL as the store of any number of instances.
//!
//! Read in this order: `open` (connecting) and `error` (what is said where that fails), `schema` (its versions, and how they are made
//! one from the other), `look` (what can be known without writing).

mod error;
mod look;
mod open;
mod schema;

pub use error::PostgresError;
pub(crate) use look::look;
pub(crate) use open::open;

#[cfg(test)]
mod tests;
