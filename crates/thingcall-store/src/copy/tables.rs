//! What a store consists of, for whoever moves all of it: tables, their columns, and the order of their rows.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Flag,
    Text,
    Bytes,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Value {
    Null,
    Number(i64),
    Flag(bool),
    Text(String),
    Bytes(Vec<u8>),
}

pub(super) type Row = Vec<Value>;

/// A table. Its rows are moved in the order of its first columns, which name a row.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// How many of the columns name a row.
    pub(super) key: usize,
    pub(super) columns: &'static [(&'static str, Kind)],
}

use Kind::{Bytes, Flag, Number, Text};

/// All of them, each after those that it refers to. Leases, nonces and quotas stay where they are: they are about instances
/// that run.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "products",
        key: 1,
        columns: &[("key", Text), ("name", Text), ("settings", Text), ("created_at", Number)],
    },
    Table { name: "models", key: 2, columns: &[("product", Text), ("position", Number), ("text", Text)] },
    Table {
        name: "devices",
        key: 2,
        columns: &[
            ("product", Text),
            ("name", Text),
            ("iot_id", Text),
            ("secret", Text),
            ("enabled", Flag),
            ("nickname", Text),
            ("created_at", Number),
            ("activated_at", Number),
            ("online", Flag),
            ("last_seen_at", Number),
            ("address", Text),
            ("transport", Text),
            ("came_from", Text),
            ("sync_topic", Text),
            ("online_at", Number),
        ],
    },
    Table {
        name: "model_versions",
        key: 2,
        columns: &[
            ("product", Text),
            ("at", Number),
            ("number", Text),
            ("description", Text),
            ("texts", Text),
            ("published_at", Number),
        ],
    },
    Table {
        name: "batches",
        key: 1,
        columns: &[
            ("id", Number),
            ("product", Text),
            ("state", Text),
            ("devices", Number),
            ("created", Number),
            ("created_at", Number),
        ],
    },
    Table {
        name: "batch_devices",
        key: 2,
        columns: &[("batch", Number), ("place", Number), ("name", Text), ("nickname", Text), ("problem", Text)],
    },
    Table {
        name: "device_tags",
        key: 3,
        columns: &[("product", Text), ("device", Text), ("tag", Text), ("value", Text)],
    },
    Table { name: "product_notes", key: 1, columns: &[("product", Text), ("notes", Text)] },
    Table {
        name: "last_values",
        key: 3,
        columns: &[("product", Text), ("device", Text), ("property", Text), ("value", Text), ("at", Number)],
    },
    Table {
        name: "history",
        key: 5,
        columns: &[
            ("product", Text),
            ("device", Text),
            ("kind", Number),
            ("name", Text),
            ("at", Number),
            ("value", Text),
        ],
    },
    Table {
        name: "access_keys",
        key: 1,
        columns: &[
            ("id", Text),
            ("secret", Text),
            ("account", Text),
            ("enabled", Flag),
            ("security_token", Text),
            ("result", Text),
            ("created_at", Number),
            ("allowed", Text),
            ("made_of", Text),
            ("ends_at", Number),
        ],
    },
    Table {
        name: "once",
        key: 2,
        columns: &[
            ("account", Text),
            ("token", Text),
            ("digest", Bytes),
            ("request_id", Text),
            ("holder", Text),
            ("slot", Number),
            ("generation", Number),
            ("answer", Bytes),
            ("ends_at", Number),
        ],
    },
    Table {
        name: "calls",
        key: 1,
        columns: &[
            ("seq", Number),
            ("call_id", Number),
            ("request_id", Text),
            ("product", Text),
            ("device", Text),
            ("iot_id", Text),
            ("module", Text),
            ("service", Text),
            ("params", Text),
            ("raw", Bytes),
            ("qos", Number),
            ("state", Number),
            ("outcome", Text),
            ("transport", Text),
            ("code", Number),
            ("message", Text),
            ("data", Text),
            ("accepted_at", Number),
            ("sent_at", Number),
            ("acked_at", Number),
            ("ended_at", Number),
            ("taken_over_by", Text),
            ("taken_over_at", Number),
            ("due", Flag),
            ("key_id", Text),
            ("action", Text),
            ("times", Text),
        ],
    },
    Table {
        name: "call_records",
        key: 1,
        columns: &[
            ("seq", Number),
            ("call_id", Number),
            ("request_id", Text),
            ("product", Text),
            ("device", Text),
            ("service", Text),
            ("key_id", Text),
            ("outcome", Text),
            ("accepted_at", Number),
            ("bytes", Number),
            ("body", Text),
            ("action", Text),
        ],
    },
    Table {
        name: "audit",
        key: 1,
        columns: &[
            ("seq", Number),
            ("at", Number),
            ("door", Text),
            ("key_id", Text),
            ("action", Text),
            ("target", Text),
            ("outcome", Text),
            ("address", Text),
        ],
    },
    Table {
        name: "messages",
        key: 1,
        columns: &[
            ("seq", Number),
            ("id", Number),
            ("kind", Text),
            ("product", Text),
            ("device", Text),
            ("at", Number),
            ("topic", Text),
            ("body", Bytes),
        ],
    },
    Table { name: "message_traces", key: 1, columns: &[("seq", Number), ("trace", Text)] },
    Table {
        name: "readers",
        key: 1,
        columns: &[("name", Text), ("wishes", Text), ("position", Number), ("lost", Number)],
    },
    Table {
        name: "claims",
        key: 2,
        columns: &[
            ("reader", Text),
            ("first", Number),
            ("last", Number),
            ("messages", Number),
            ("slot", Number),
            ("generation", Number),
        ],
    },
    Table {
        name: "backlog",
        key: 2,
        columns: &[
            ("reader", Text),
            ("seq", Number),
            ("tries", Number),
            ("due_at", Number),
            ("dead", Flag),
            ("why", Text),
            ("slot", Number),
            ("generation", Number),
        ],
    },
    Table { name: "consumer_groups", key: 1, columns: &[("id", Text), ("name", Text), ("created_at", Number)] },
    Table { name: "subscriptions", key: 1, columns: &[("product", Text), ("topics", Text), ("members", Text)] },
    Table { name: "changes", key: 1, columns: &[("seq", Number), ("kind", Text), ("subject", Text), ("name", Text)] },
    Table {
        name: "fleet_calls",
        key: 1,
        columns: &[
            ("id", Text),
            ("account", Text),
            ("product", Text),
            ("service", Text),
            ("args", Text),
            ("qos", Number),
            ("calls_per_second", Number),
            ("in_flight", Number),
            ("state", Text),
            ("created_at", Number),
            ("ended_at", Number),
            ("runner", Text),
            ("runner_until", Number),
            ("key", Text),
            ("reason", Text),
        ],
    },
    Table {
        name: "fleet_devices",
        key: 2,
        columns: &[
            ("fleet_call", Text),
            ("number", Number),
            ("name", Text),
            ("begun_at", Number),
            ("ended_at", Number),
            ("outcome", Text),
            ("code", Text),
            ("message", Text),
            ("message_id", Text),
            ("result", Text),
        ],
    },
];

impl Table {
    /// The names of its columns, parted by commas.
    pub(super) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Those that name a row.
    pub(super) fn key_names(&self) -> String {
        self.columns.iter().take(self.key).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// What names this row.
    pub(super) fn key_of(&self, row: &Row) -> Row {
        row.iter().take(self.key).cloned().collect()
    }
}
