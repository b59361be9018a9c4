//! PostgreSQL as the store of any number of instances.
//!
//! Read in this order: `open` (connecting) and `error` (what is said where that fails), `schema` (its versions, and how they
//! are made one from the other), `look` (what can be known without writing); then `database`, `connection` and `tx`, which are
//! the store's seam, `listen` (which hears of changes), and below them the SQL: `directory`, `calls`, `records`, `results`, `fence`. `trouble` says what errors
//! mean. Beside the store: `session` (a connection for one purpose of its own), `leases`, `nonces` and `quota`.

mod audit;
mod batches;
mod call_records;
mod calls;
mod connection;
mod database;
mod directory;
mod error;
mod fence;
mod fleet;
mod history;
mod last_values;
mod leases;
mod listen;
mod lists;
mod look;
mod message_reads;
mod message_seam;
mod messages;
mod model_versions;
mod nonces;
mod once;
mod open;
mod presence;
mod quota;
mod records;
mod registry;
mod registry_seam;
mod results;
mod room;
mod schema;
mod session;
mod subscriptions;
mod tags;
mod trouble;
mod tx;

use std::sync::Arc;

use sqlx::PgPool;

use crate::Config;
use crate::database::{Database, WriteConnection};
use crate::waits::{RanOut, Wait};
use connection::{Patience, PgWrite};
use database::Pg;
use trouble::Limit;

pub use error::PostgresError;
pub use leases::PostgresLeases;
pub(crate) use leases::keep_out;
pub(crate) use look::look;
pub use nonces::PostgresNonces;
pub(crate) use open::{connect_alone, open};
pub use quota::PostgresQuota;
pub(crate) use schema::half_of;
#[cfg(test)]
pub(crate) use schema::{TABLE as SCHEMA_TABLE, migrations};

/// What is opened, as the store takes it.
pub(crate) fn split(pool: PgPool, config: &Config) -> (Arc<dyn Database>, Box<dyn WriteConnection>) {
    let ran_out = Arc::<RanOut>::default();
    let limit = |time, wait| Limit::new(time, wait, ran_out.clone());
    let patience = Patience {
        connect: limit(config.connect_timeout, Wait::Connect),
        answer: limit(config.answer_timeout, Wait::Answer),
    };
    let options = (*pool.connect_options()).clone();
    let write = Box::new(PgWrite::new(options, patience.clone()));
    (Arc::new(Pg::new(pool, patience, ran_out)), write)
}

#[cfg(test)]
mod tests;
