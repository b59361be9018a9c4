//! The facts that hold on both databases, on SQLite.

use super::*;

async fn bench() -> Bench {
    bench_with(Config::default()).await
}

async fn bench_with(config: Config) -> Bench {
    bench_on(On::Sqlite, config).await
}

#[path = "audit.rs"]
mod audit;
#[path = "batches.rs"]
mod batches;
#[path = "call_records.rs"]
mod call_records;
#[path = "contract.rs"]
mod contract;
#[path = "directory.rs"]
mod directory;
#[path = "fleet.rs"]
mod fleet;
#[path = "groups.rs"]
mod groups;
#[path = "history.rs"]
mod history;
#[path = "journal.rs"]
mod journal;
#[path = "keys.rs"]
mod keys;
#[path = "last_values.rs"]
mod last_values;
#[path = "messages.rs"]
mod messages;
#[path = "model_versions.rs"]
mod model_versions;
#[path = "once.rs"]
mod once;
#[path = "outbox.rs"]
mod outbox;
#[path = "presence.rs"]
mod presence;
#[path = "processes.rs"]
mod processes;
#[path = "pruning.rs"]
mod pruning;
#[path = "queue.rs"]
mod queue;
#[path = "registry.rs"]
mod registry;
#[path = "replies.rs"]
mod replies;
#[path = "results.rs"]
mod results;
#[path = "told.rs"]
mod told;
