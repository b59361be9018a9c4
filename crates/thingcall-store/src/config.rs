//! What can be set about the store.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Component, Path};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section};

use crate::messages_config::MessagesConfig;
use crate::records_config::RecordsConfig;
use crate::store_url::StoreUrl;

/// The store's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file's name within the data folder.
    pub file: String,
    /// A PostgreSQL in place of the file.
    pub url: Option<StoreUrl>,
    /// Its password, if the URL does not hold it.
    pub password: Option<Secret>,
    /// Connections to it for reading; some more are for writing and listening.
    pub read_connections_max: NonZeroU32,
    /// How long it may take to connect to it.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long its answer may take before it counts as out of reach.
    #[serde(with = "humantime_serde")]
    pub answer_timeout: Duration,
    /// How many products there may be.
    pub products_max: NonZeroUsize,
    /// How many devices there may be, over all products.
    pub devices_max: NonZeroUsize,
    /// How many devices are kept in memory; the others are looked up when they are called.
    pub devices_cached_max: NonZeroUsize,
    /// How many access keys there may be, beside temporary ones.
    pub keys_max: NonZeroUsize,
    /// How many temporary ones.
    pub temporary_keys_max: NonZeroUsize,
    /// How many batches of devices can be asked for by their `ApplyId`; the oldest go for new ones.
    pub batches_max: NonZeroUsize,
    /// How many devices they may have together.
    pub batch_devices_max: NonZeroUsize,
    /// How long they are kept.
    #[serde(with = "humantime_serde")]
    pub batches_keep: Duration,
    /// How many changes the audit log has; the oldest go for new ones. Of those that nobody is known to have tried, a tenth.
    pub audit_entries_max: NonZeroUsize,
    /// How long it has them.
    #[serde(with = "humantime_serde")]
    pub audit_keep: Duration,
    /// How long a token of a call that is made once is kept behind the call's end.
    #[serde(with = "humantime_serde")]
    pub idempotency_keep: Duration,
    /// How many of them there may be; more calls with one are refused.
    pub idempotency_tokens_max: NonZeroUsize,
    /// How many bytes they may take with their answers, each counted with 400 more.
    pub idempotency_bytes_max: NonZeroU64,
    /// How many of these tokens an account may have, so that no other is left without.
    pub idempotency_tokens_per_account_max: NonZeroUsize,
    /// And how many of these bytes.
    pub idempotency_bytes_per_account_max: NonZeroU64,
    /// How many QoS 1 commands may wait for one device.
    pub outbox_calls_per_device_max: NonZeroUsize,
    /// How many records of asynchronous calls are kept; the oldest that wait for no device are dropped for new ones.
    pub journal_records_max: NonZeroUsize,
    /// How many results may wait to be published; the oldest are given up for new ones. Below `journal_records_max`.
    pub results_due_max: NonZeroUsize,
    /// How many records may wait to be written before asynchronous calls are refused.
    pub write_queue_records_max: NonZeroUsize,
    /// How many last values of properties may wait to be written before more are left out.
    pub unwritten_values_max: NonZeroUsize,
    /// How many bytes they may have together, each counted with 256 more.
    pub unwritten_values_bytes_max: NonZeroUsize,
    /// Of how many properties of a device the last value is kept.
    pub last_values_per_device_max: NonZeroUsize,
    /// How long the name of such a property may be.
    pub last_value_name_bytes_max: NonZeroUsize,
    /// How many values and events of the past are kept for the devices of a product; 0 keeps the last values alone.
    pub history_records_per_product_max: u64,
    /// How many bytes they may have, each counted with 128 more.
    pub history_bytes_per_product_max: NonZeroU64,
    /// How old they may be.
    #[serde(with = "humantime_serde")]
    pub history_keep: Duration,
    /// How long the write-ahead log may grow while another process reads the store without an end, before new
    /// asynchronous calls are refused.
    pub log_bytes_max: NonZeroU64,
    /// The log of messages, which has a section of its own.
    #[serde(skip)]
    pub messages: MessagesConfig,
    /// Records of calls, which have one too.
    #[serde(skip)]
    pub records: RecordsConfig,
    /// How often changes made by other processes are looked for.
    #[serde(with = "humantime_serde")]
    pub change_poll: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: "thingcall.db".to_owned(),
            url: None,
            password: None,
            read_connections_max: const { NonZeroU32::new(8).unwrap() },
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(5),
            products_max: const { NonZeroUsize::new(1_000).unwrap() },
            devices_max: const { NonZeroUsize::new(10_000_000).unwrap() },
            devices_cached_max: const { NonZeroUsize::new(100_000).unwrap() },
            keys_max: const { NonZeroUsize::new(1_000).unwrap() },
            temporary_keys_max: const { NonZeroUsize::new(10_000).unwrap() },
            batches_max: const { NonZeroUsize::new(1_000).unwrap() },
            batch_devices_max: const { NonZeroUsize::new(1_000_000).unwrap() },
            batches_keep: Duration::from_secs(30 * 24 * 60 * 60),
            audit_entries_max: const { NonZeroUsize::new(100_000).unwrap() },
            audit_keep: Duration::from_secs(365 * 24 * 60 * 60),
            idempotency_keep: Duration::from_secs(3600),
            idempotency_tokens_max: const { NonZeroUsize::new(1_000_000).unwrap() },
            idempotency_bytes_max: const { NonZeroU64::new(1_073_741_824).unwrap() },
            idempotency_tokens_per_account_max: const { NonZeroUsize::new(250_000).unwrap() },
            idempotency_bytes_per_account_max: const { NonZeroU64::new(268_435_456).unwrap() },
            outbox_calls_per_device_max: const { NonZeroUsize::new(100).unwrap() },
            journal_records_max: const { NonZeroUsize::new(1_000_000).unwrap() },
            results_due_max: const { NonZeroUsize::new(100_000).unwrap() },
            write_queue_records_max: const { NonZeroUsize::new(10_000).unwrap() },
            unwritten_values_max: const { NonZeroUsize::new(100_000).unwrap() },
            unwritten_values_bytes_max: const { NonZeroUsize::new(67_108_864).unwrap() },
            last_values_per_device_max: const { NonZeroUsize::new(1_000).unwrap() },
            last_value_name_bytes_max: const { NonZeroUsize::new(256).unwrap() },
            history_records_per_product_max: 0,
            history_bytes_per_product_max: const { NonZeroU64::new(1_073_741_824).unwrap() },
            history_keep: Duration::from_secs(30 * 24 * 3600),
            log_bytes_max: const { NonZeroU64::new(1_073_741_824).unwrap() },
            messages: MessagesConfig::default(),
            records: RecordsConfig::default(),
            change_poll: Duration::from_millis(250),
        }
    }
}

/// What else a server has in its data folder, beside locks.
const OTHERS_NAMES: [&str; 4] = ["server.json", "plugins", "plugin-kept", "plugin-crash"];
/// More connections than these help nobody.
const CONNECTIONS_LIMIT: u32 = 1000;
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
        check.more_than_zero("batches_keep", self.batches_keep);
        check.more_than_zero("audit_keep", self.audit_keep);
        check.more_than_zero("change_poll", self.change_poll);
        check.more_than_zero("history_keep", self.history_keep);
        let (least, most) = (Duration::from_secs(60), Duration::from_secs(7 * 24 * 3600));
        check.between("idempotency_keep", self.idempotency_keep, least, most);
        self.check_postgres(&mut check);
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        self.url.as_ref().map(StoreUrl::problems_of_files).unwrap_or_default()
    }
}

impl Config {
    fn check_postgres(&self, check: &mut Check) {
        let in_url = self.url.as_ref().is_some_and(StoreUrl::has_password);
        let there = "set, and there is no url";
        let fits = self.url.is_some() || self.password.is_none();
        check.must(fits, "password", there, "left out, since it is for PostgreSQL");
        let one = !(in_url && self.password.is_some());
        check.must(one, "password", "not the only one", "one of password, password_file and a password in url");
        let problems = self.url.as_ref().map(StoreUrl::problems).unwrap_or_default();
        problems.into_iter().for_each(|problem| check.add(problem));
        let (most, second) = (CONNECTIONS_LIMIT, Duration::from_secs(1));
        let connections = self.read_connections_max;
        check.must(connections.get() <= most, "read_connections_max", connections, format!("{most} at most"));
        check.between("connect_timeout", self.connect_timeout, second, Duration::from_secs(60));
        // A lease lasts 10 s and is renewed each 2: an answer that takes longer comes too late to keep it.
        check.between("answer_timeout", self.answer_timeout, second, Duration::from_secs(60));
    }
}
