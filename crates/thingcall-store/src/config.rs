//! What can be set about the store.

use std::time::Duration;

use serde::Deserialize;

/// The store's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file's name within the data folder.
    pub file: String,
    /// How many products there may be.
    pub products_max: usize,
    /// How many devices there may be, over all products.
    pub devices_max: usize,
    /// How many access keys there may be.
    pub keys_max: usize,
    /// How many QoS 1 commands may wait for one device.
    pub outbox_calls_per_device_max: usize,
    /// How many records of asynchronous calls are kept; the oldest that wait for no device are dropped for new ones.
    pub journal_records_max: usize,
    /// How many results may wait to be published; the oldest are given up for new ones. Below `journal_records_max`.
    pub results_due_max: usize,
    /// How many records may wait to be written before asynchronous calls are refused.
    pub write_queue_records_max: usize,
    /// How long the write-ahead log may grow while another process reads the store without an end, before new
    /// asynchronous calls are refused.
    pub log_bytes_max: u64,
    /// How often changes made by other processes are looked for.
    #[serde(with = "humantime_serde")]
    pub change_poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: "thingcall.db".to_owned(),
            products_max: 1_000,
            devices_max: 200_000,
            keys_max: 1_000,
            outbox_calls_per_device_max: 100,
            journal_records_max: 1_000_000,
            results_due_max: 100_000,
            write_queue_records_max: 10_000,
            log_bytes_max: 1_073_741_824,
            change_poll: Duration::from_millis(250),
        }
    }
}
