//! What is shown of the store beside its limits.

use super::size;
use crate::shared::Shared;
use crate::sizes::wide;

/// A gauge and where its value comes from: what is shared, and how many writes wait.
pub(super) type Read = fn(&Shared, usize) -> u64;
/// And its limit.
type Limit = fn(&Shared) -> u64;

pub(super) const GAUGES: &[(&str, &str, Read, Limit)] = &[
    ("products", "Products", |s, _| wide(s.memory.counts().0), |s| wide(s.config.products_max.get())),
    ("devices", "Devices", |s, _| size(&s.sizes.devices), |s| wide(s.config.devices_max.get())),
    (
        "devices_cached",
        "Devices in memory; the others are looked up when they are called",
        |s, _| wide(s.devices.len()),
        |s| wide(s.config.devices_cached_max.get()),
    ),
    (
        "presence_devices",
        "Devices of which something was heard that is not written yet; at the limit signs of more are left out",
        |s, _| wide(s.devices.unwritten()),
        |s| wide(s.config.devices_cached_max.get()),
    ),
    (
        "keys",
        "Access keys, without temporary ones",
        |s, _| wide(s.memory.counts().1),
        |s| wide(s.config.keys_max.get()),
    ),
    (
        "temporary_keys",
        "Temporary access keys, with those that ended within the last hour",
        |s, _| wide(s.memory.temporary_keys()),
        |s| wide(s.config.temporary_keys_max.get()),
    ),
    (
        "batches",
        "Batches of devices that can be asked for by their ApplyId; the oldest go at the limit",
        |s, _| size(&s.sizes.batches),
        |s| wide(s.config.batches_max.get()),
    ),
    (
        "idempotency_tokens",
        "Tokens of calls that are made once; at the limit more are refused",
        |s, _| s.once.all().tokens,
        |s| wide(s.config.idempotency_tokens_max.get()),
    ),
    (
        "idempotency_bytes",
        "Bytes of tokens of calls that are made once, with their answers; at the limit more are refused",
        |s, _| s.once.all().bytes,
        |s| s.config.idempotency_bytes_max.get(),
    ),
    (
        "idempotency_tokens_per_account",
        "Such tokens of the account that has most; at the limit more of its own are refused",
        |s, _| s.once.most().tokens,
        |s| wide(s.config.idempotency_tokens_per_account_max.get()),
    ),
    (
        "idempotency_bytes_per_account",
        "Bytes of the tokens of that account; at the limit more of its own are refused",
        |s, _| s.once.most().bytes,
        |s| s.config.idempotency_bytes_per_account_max.get(),
    ),
    (
        "records",
        "Records of asynchronous calls",
        |s, _| size(&s.sizes.records),
        |s| wide(s.config.journal_records_max.get()),
    ),
    (
        "outbox_calls",
        "QoS 1 commands that wait for their devices",
        |s, _| size(&s.sizes.outbox),
        |s| wide(s.config.journal_records_max.get()),
    ),
    (
        "write_queue_records",
        "Writes that wait for the disk; new calls are refused at the limit, and notes on calls at twice the limit",
        |s, queued| wide(queued) + size(&s.sizes.unwritten),
        |s| wide(s.config.write_queue_records_max.get()),
    ),
    (
        "unwritten_values",
        "Last values of properties that wait to be written; at the limit those of more properties are left out",
        |s, _| wide(s.unkept.len()),
        |s| wide(s.config.unwritten_values_max.get()),
    ),
    (
        "unwritten_values_bytes",
        "Bytes of last values that wait to be written; at the limit more are left out",
        |s, _| wide(s.unkept.bytes()),
        |s| wide(s.config.unwritten_values_bytes_max.get()),
    ),
    (
        "unwritten_history",
        "Values and events of the past that wait to be written; at the limit more are left out",
        |s, _| wide(s.history.len()),
        |s| wide(s.config.unwritten_values_max.get()),
    ),
    (
        "unwritten_history_bytes",
        "Bytes of these; at the limit more are left out",
        |s, _| wide(s.history.bytes()),
        |s| wide(s.config.unwritten_values_bytes_max.get()),
    ),
    (
        "log_bytes",
        "Length of the store's write-ahead log",
        |s, _| size(&s.sizes.log_bytes),
        |s| s.config.log_bytes_max.get(),
    ),
    (
        "read_connections",
        "Connections for reading that are in use",
        |s, _| s.reads.read_connections().in_use,
        |s| s.reads.read_connections().max,
    ),
    (
        "messages",
        "Messages for applications; the oldest are dropped at the limit",
        |s, _| size(&s.log.counts.messages),
        |s| s.config.messages.messages_max.get(),
    ),
    (
        "message_bytes",
        "Bytes of messages for applications; the oldest are dropped at the limit",
        |s, _| size(&s.log.counts.bytes),
        |s| s.config.messages.bytes_max.get(),
    ),
    (
        "append_queue_messages",
        "Messages for applications that wait to be written; more are refused at the limit",
        |s, _| wide(s.log.queue.messages()),
        |s| wide(s.config.messages.append_queue_messages_max.get()),
    ),
    (
        "append_queue_bytes",
        "Bytes of messages for applications that wait to be written; more are refused at the limit",
        |s, _| wide(s.log.queue.bytes()),
        |s| wide(s.config.messages.append_queue_bytes_max.get()),
    ),
    (
        "message_readers",
        "Readers of messages beside consumer groups and streams",
        |s, _| size(&s.log.counts.readers),
        |s| wide(s.config.messages.readers_max.get()),
    ),
    (
        "message_stream_readers",
        "What is written for readers of events and `thingcall tail`, until ten minutes after the last of them left",
        |s, _| size(&s.log.counts.streams),
        |s| wide(s.config.messages.stream_readers_max.get()),
    ),
    (
        "call_records",
        "Records of calls that are not in the journal; the oldest are dropped at the limit",
        |s, _| size(&s.recording.records),
        |s| s.config.records.records_max.get(),
    ),
    (
        "call_record_bytes",
        "Bytes of records of calls; the oldest are dropped at the limit",
        |s, _| size(&s.recording.record_bytes),
        |s| s.config.records.bytes_max.get(),
    ),
    (
        "call_record_queue_records",
        "Records of calls that wait to be written; more are left out at the limit",
        |s, _| wide(s.recording.waiting().0),
        |s| wide(s.config.records.queue_records_max.get()),
    ),
    (
        "call_record_queue_bytes",
        "Bytes of records of calls that wait to be written; more are left out at the limit",
        |s, _| wide(s.recording.waiting().1),
        |s| wide(s.config.records.queue_bytes_max.get()),
    ),
    (
        "audit_entries",
        "Changes in the audit log; the oldest are dropped at the limit",
        |s, _| s.audit.size().entries,
        |s| wide(s.config.audit_entries_max.get()),
    ),
    (
        "audit_queue_entries",
        "Changes that wait to be written into the audit log; at the limit more are told in the program's log alone",
        |s, _| wide(s.audit.queued()),
        |_| wide(crate::audit_queue::QUEUE_ENTRIES_MAX),
    ),
    (
        "consumer_groups",
        "Consumer groups, with the default one",
        |s, _| wide(s.groups.read().groups.len()),
        |s| wide(s.config.messages.subscriptions.groups_max.get()),
    ),
];
