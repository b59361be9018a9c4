//! PostgreSQL as the store of any number of instances.
//!
//! Read in this order: `open` (connecting) and `error` (what is said where that fails), `schema` (its versions, and how they
//! are made one from the other), `look` (what can be known without writing); then `database`, `connection` and `tx`, which are
//! the store's seam, and below them the SQL: `directory`, `calls`, `records`, `results`, `fence`. `trouble` says what errors
//! mean. Beside the store: `session` (a connection for one purpose of its own), `leases`, `nonces` and `quota`.

mod calls;
mod connection;
mod database;
mod directory;
mod error;
mod fence;
mod leases;
mod lists;
mod look;
mod nonces;
mod open;
mod presence;
mod quota;
mod records;
mod results;
mod room;
mod schema;
mod session;
mod trouble;
mod tx;

use std::sync::Arc;

use sqlx::PgPool;

use crate::Config;
use crate::database::{Database, WriteConnection};
use connection::{Patience, PgWrite};
use database::Pg;

pub use error::PostgresError;
pub use leases::PostgresLeases;
pub(crate) use leases::keep_out;
pub(crate) use look::look;
pub use nonces::PostgresNonces;
pub(crate) use open::{connect_alone, open};
pub use quota::PostgresQuota;
pub(crate) use schema::half_of;

/// What is opened, as the store takes it.
pub(crate) fn split(pool: PgPool, config: &Config) -> (Arc<dyn Database>, Box<dyn WriteConnection>) {
    let patience = Patience { connect: config.connect_timeout, answer: config.answer_timeout };
    let options = (*pool.connect_options()).clone();
    (Arc::new(Pg::new(pool, patience.answer)), Box::new(PgWrite::new(options, patience)))
}

#[cfg(test)]
mod tests;
