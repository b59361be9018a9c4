//! Products, devices, access keys and the records of asynchronous calls, in one SQLite file or in a PostgreSQL.
//!
//! Read in this order: [`Store`] (one open store) and `shared` (its memory, its connections, what its two tasks share),
//! `failure` and `health` (what happens when it cannot be written), `memory` and `devices` (what calls look up), `directory` and
//! `keys` (changes by people), `changes` and `told` (how every process on the store sees them), `presence`, then `journal` (what callers
//! of the journal see), `writer` (the task that makes it durable), `calls` (what is written down of them), `replies` (which
//! call a reply ends), `outbox` (which commands wait for their device) and `held` (whose calls are ours); beside them `kept_calls`, `recording` and `recorder` (records of
//! all calls), `audit`, `audit_queue` and `audit_keeper` (who changed what), and the log of
//! messages, of which `README.md` says where to begin. Below all of these is
//! `database`, the seam to `sqlite` and `postgres`, where the SQL is; `columns` and `rows` say what comes out of it.
//!
//! **Invariants:** products and keys are all in memory, and of devices those that are called: a call waits for the database
//! where it is the first to one, and never for who writes. Whatever writes holds the one write lock of the process, so
//! memory follows the database in the database's order. A record's state only grows. Above `database`
//! nothing names SQL or a database, and nothing rests on this process being the only one that writes.

mod backup;
mod claim;
mod config;
mod copy;
mod failure;
mod found;
mod health;
mod held;
mod look;
mod messages_config;
mod open;
mod owner;
mod place;
mod records_config;
mod shared;
mod store;
mod store_url;
mod tells;
mod trouble;

mod count;
mod devices;
mod fleet;
mod fleet_rows;
mod fleet_tables;
mod flush;
mod history;
mod history_keeper;
mod left_out;
mod live;
mod members;
mod memory;
mod metrics;
mod sizes;
mod tally;
mod told;
mod turns;
mod unkept;
mod value_room;
mod waits;

mod batches;
mod change;
mod changes;
mod directory;
mod dismissed;
mod ended_keys;
mod groups;
mod keys;
mod last_values;
mod leases;
mod model_versions;
mod presence;
mod products;
mod random;
mod subscriptions;
mod tags;

mod all_wanted;
mod audit;
mod audit_keeper;
mod audit_queue;
mod calls;
mod in_hands;
mod journal;
mod kept_calls;
mod log_batch;
mod log_keeper;
mod log_queue;
mod log_state;
mod message_ids;
mod message_log;
mod once;
mod once_counts;
mod once_writer;
mod outbox;
mod recorder;
mod recording;
mod replies;
mod results;
mod writer;

mod audit_table;
mod call_query;
mod columns;
mod database;
mod message_rows;
mod message_tables;
mod once_table;
mod postgres;
mod record_body;
mod record_tables;
mod registry_rows;
mod registry_tables;
mod rows;
mod search;
mod sqlite;
mod wishes;

pub use backup::{BackupError, Existing, KeptFile, Manifest, Restored, backup, restore};
pub use change::Change;
pub use claim::{Before, Known, is_served};
pub use config::Config;
pub use copy::{Copied, CopyEnd, CopyError, CopyProgress, copy};
pub use dismissed::Dismissed;
pub use found::Look;
pub use keys::{KeyError, NewKey, NewTemporaryKey, check_new_key};
pub use look::look;
pub use messages_config::MessagesConfig;
pub use open::OpenError;
pub use owner::as_its_folder;
pub use postgres::{PostgresError, PostgresLeases, PostgresNonces, PostgresQuota};
pub use records_config::RecordsConfig;
pub use search::{DeviceSearch, DevicesFound};
pub use store::{Stats, Store};
pub use store_url::StoreUrl;

#[cfg(test)]
mod tests;
