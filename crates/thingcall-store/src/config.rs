//! What can be set about the store.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Component, Path};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};

/// The store's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file's name within the data folder.
    pub file: String,
    /// How many products there may be.
    pub products_max: NonZeroUsize,
    /// How many devices there may be, over all products.
    pub devices_max: NonZeroUsize,
    /// How many access keys there may be.
    pub keys_max: NonZeroUsize,
    /// How many QoS 1 commands may wait for one device.
    pub outbox_calls_per_device_max: NonZeroUsize,
    /// How many records of asynchronous calls are kept; the oldest that wait for no device are dropped for new ones.
    pub journal_records_max: NonZeroUsize,
    /// How many results may wait to be published; the oldest are given up for new ones. Below `journal_records_max`.
    pub results_due_max: NonZeroUsize,
    /// How many records may wait to be written before asynchronous calls are refused.
    pub write_queue_records_max: NonZeroUsize,
    /// How long the write-ahead log may grow while another process reads the store without an end, before new
    /// asynchronous calls are refused.
    pub log_bytes_max: NonZeroU64,
    /// How often changes made by other processes are looked for.
    #[serde(with = "humantime_serde")]
    pub change_poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: "thingcall.db".to_owned(),
            products_max: const { NonZeroUsize::new(1_000).unwrap() },
            devices_max: const { NonZeroUsize::new(200_000).unwrap() },
            keys_max: const { NonZeroUsize::new(1_000).unwrap() },
            outbox_calls_per_device_max: const { NonZeroUsize::new(100).unwrap() },
            journal_records_max: const { NonZeroUsize::new(1_000_000).unwrap() },
            results_due_max: const { NonZeroUsize::new(100_000).unwrap() },
            write_queue_records_max: const { NonZeroUsize::new(10_000).unwrap() },
            log_bytes_max: const { NonZeroU64::new(1_073_741_824).unwrap() },
            change_poll: Duration::from_millis(250),
        }
    }
}

/// What else a server has in its data folder, beside locks.
const OTHERS_NAMES: [&str; 4] = ["server.json", "plugins", "plugin-kept", "plugin-crash"];
/// More writes than this never wait.
const WRITE_QUEUE_RECORDS_LIMIT: usize = 100_000_000;

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let mut parts = Path::new(&self.file).components();
        let name = matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == &*self.file);
        let own = OTHERS_NAMES.contains(&&*self.file) || self.file.ends_with(".lock");
        let right = "a file's name that nothing else in the data folder has, such as thingcall.db";
        check.must(name && !own, "file", format_args!("{:?}", self.file), right);
        check.at_most("write_queue_records_max", self.write_queue_records_max.get(), WRITE_QUEUE_RECORDS_LIMIT);
        check.more_than_zero("change_poll", self.change_poll);
        check.into_problems()
    }
}
