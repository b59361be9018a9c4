//! One open store: its memory, its connections, its tasks (the writer, who looks for changes, and in a server who listens
//! whether there are any).

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, OnceLock, PoisonError};

use thingcall_core::{Conditions, Leases, MessageWords, Weight};
use tokio::sync::{Mutex, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::audit_queue::Audit;
use crate::backup;
use crate::calls::CallKey;
use crate::change::Change;
use crate::claim::{self, Before, Claim, Known};
use crate::count::DeviceCount;
use crate::devices::Devices;
use crate::dismissed::{Dismissals, Dismissed};
use crate::groups::Groups;
use crate::health::Health;
use crate::held::Held;
use crate::history::History;
use crate::leases::Noted;
use crate::left_out::LeftOut;
use crate::log_state::LogState;
use crate::metrics::Metrics;
use crate::once_counts::Once;
use crate::open::OpenError;
use crate::outbox::WaitingCommands;
use crate::place::Place;
use crate::postgres::{PostgresError, PostgresLeases};
use crate::recording::Recording;
use crate::shared::{Shared, Unwritten, WriteSide};
use crate::sizes::Sizes;
use crate::tally::Tally;
use crate::told::Told;
use crate::turns::Turns;
use crate::unkept::Unkept;
use crate::writer::{self, Write};
use crate::{
    Config, audit_keeper, changes, ended_keys, log_keeper, once_writer, owner, postgres, random, recorder, sqlite,
};

/// Changes a slow listener may be behind.
const CHANGES_HELD_MAX: usize = 1024;

/// What is registered, who may call, and what became of asynchronous calls. Lives as long as it is held; call
/// [`Store::close`] before the end, or what is not yet written is written behind the caller's back.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// To the writer.
    queue: mpsc::Sender<Write>,
    /// To who writes tokens of calls that are made once.
    once: mpsc::Sender<once_writer::Work>,
    /// Ends all tasks; so does dropping it.
    closing: watch::Sender<bool>,
    tasks: StdMutex<Vec<JoinHandle<()>>>,
    /// Once they are shown.
    metrics: OnceLock<Metrics>,
}

/// How full the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Products.
    pub products: usize,
    /// Devices, over all products.
    pub devices: usize,
    /// Access keys.
    pub keys: usize,
    /// Journal entries, replies and notes that wait to be written.
    pub queued_writes: usize,
    /// Notes (sent, failed, acknowledged) that were lost because the write queue was full.
    pub notes_lost: u64,
}

impl Store {
    /// Opens the store in this folder; makes both where they are missing. Any number of processes may have it open; the
    /// one that serves devices must [`Store::claim`] it too.
    ///
    /// # Errors
    /// When folder or file cannot be used; each error says which and what to do.
    pub async fn open(config: Config, data_dir: &Path) -> Result<Arc<Self>, OpenError> {
        let place = Place::new(data_dir.join(&config.file), config.url.clone());
        let (reads, mut conn) = match &config.url {
            Some(url) => {
                make_folder(data_dir)?;
                postgres::split(postgres::open(&config, url).await?, &config)
            }
            None => sqlite::open(backup::not_half_restored(place.file(), data_dir)?).await?,
        };
        // Before the rows: what is changed in between is read twice, not missed.
        let read = async {
            let last_change = conn.last_change().await?;
            let memory = changes::load(&mut *conn).await?;
            let counts = (conn.count_devices().await?, conn.count_records().await?);
            Ok((last_change, memory, conn.waiting(None).await?, counts, *reads.places().await?.end()))
        };
        let (last_change, memory, calls, (devices, records), newest) =
            read.await.map_err(|failure| OpenError::unread(&place, failure))?;
        let waiting = waiting(&config, calls);
        info!(path = %place, devices, records, waiting = waiting.len(), "store opened");
        let side = WriteSide {
            conn,
            last_change,
            waiting,
            devices: DeviceCount::new(devices),
            records,
            prune_after: 0,
            unwritten: Unwritten::default(),
            none_online: false,
        };
        let shared = Shared {
            devices: Devices::new(reads.clone(), config.devices_cached_max.get(), config.answer_timeout),
            recording: Recording::new(&config.records),
            config,
            health: Health::new(place.clone()),
            sizes: Sizes { devices: AtomicU64::new(devices), ..Sizes::default() },
            place,
            memory,
            reads,
            write: Mutex::new(side),
            held: Held::default(),
            log: LogState::new(newest),
            groups: Groups::default(),
            turns: Turns::default(),
            unkept: Unkept::default(),
            history: History::default(),
            left_out: LeftOut::default(),
            tally: Tally::default(),
            audit: Audit::default(),
            notes_lost: AtomicU64::new(0),
            replies_queued: AtomicUsize::new(0),
            dismissed: Dismissals::default(),
            once: Once::of(random::holder()),
            changes: broadcast::Sender::new(CHANGES_HELD_MAX),
            told: Told::default(),
            claim: StdMutex::new(None),
        };
        changes::load_readers(&shared).await.map_err(|failure| OpenError::unread(&shared.place, failure))?;
        Ok(Arc::new(Self::start(shared)))
    }

    /// As `open`, of a store that is there already: makes none.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if there is none, and those of `open`.
    pub async fn open_existing(config: Config, data_dir: &Path) -> Result<Arc<Self>, OpenError> {
        if config.url.is_some() {
            return Self::open(config, data_dir).await;
        }
        let path = data_dir.join(&config.file);
        match tokio::fs::try_exists(&path).await {
            Ok(false) => Err(OpenError::Missing { path }),
            // Why it cannot be looked at, opening tells better.
            Ok(true) | Err(_) => Self::open(config, data_dir).await,
        }
    }

    fn start(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let closing = watch::Sender::new(false);
        // Half of the queue is for notes on calls that are in it or were: those cannot be refused.
        let (queue, writes) = mpsc::channel(shared.config.write_queue_records_max.get().saturating_mul(2));
        let poll = changes::look_for(shared.clone(), shared.config.change_poll, closing.subscribe());
        let write = writer::run(shared.clone(), writes, closing.subscribe());
        let keep = log_keeper::run(shared.clone(), closing.subscribe());
        let record = recorder::run(shared.clone(), closing.subscribe());
        let ended = ended_keys::run(shared.clone(), closing.subscribe());
        let audit = audit_keeper::run(shared.clone(), closing.subscribe());
        let (once, work) = mpsc::channel(once_writer::QUEUE);
        let made_once = once_writer::run(shared.clone(), work, closing.subscribe());
        let kept = [
            tokio::spawn(keep),
            tokio::spawn(record),
            tokio::spawn(ended),
            tokio::spawn(made_once),
            tokio::spawn(audit),
        ];
        let tasks = StdMutex::new([tokio::spawn(write), tokio::spawn(poll)].into_iter().chain(kept).collect());
        Self { shared, queue, once, closing, tasks, metrics: OnceLock::new() }
    }

    /// From now on what the store itself sees happen is told in these words, where somebody wants it: to be said before
    /// [`Store::claim`], once.
    pub fn tell_in(&self, words: Arc<dyn MessageWords>) {
        self.shared.log.tell_in(words);
    }

    /// Makes this process the server of the data folder: no other one can be. Of a store that it does not share with others, no
    /// device is online yet. From now on
    /// the condition `store` says whether the store can be written. Says whether a server ran there before.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another server runs.
    pub async fn claim(&self, conditions: &Conditions) -> Result<Before, OpenError> {
        let claim = Claim::take(self.shared.place.file()).await?;
        claim.note(self.shared.write.lock().await.last_change);
        let before = claim.before();
        *self.shared.claimed() = Some(claim);
        let listen = changes::listen(self.shared.clone(), self.closing.subscribe());
        self.tasks().push(tokio::spawn(listen));
        // Where other servers run, too, devices may be connected to them.
        if !self.shared.reads.is_shared() {
            self.nobody_is_online().await;
        }
        self.flush().await;
        self.shared.devices.all_changed();
        log_keeper::release(&self.shared).await;
        // A disk that is full already is told before the first call finds it out.
        let mut side = self.shared.write.lock().await;
        if let Err(problem) = side.conn.try_out().await {
            self.shared.failed(&mut side, &problem);
        }
        drop(side);
        self.shared.health.follow(conditions.add("store", Weight::Required));
        Ok(before)
    }

    /// Where the servers of this store lease their slots; `None` where one has it alone.
    ///
    /// # Errors
    /// If the configuration cannot be used.
    pub fn leases(&self) -> Result<Option<Arc<dyn Leases>>, PostgresError> {
        let Some(leases) = PostgresLeases::of(&self.shared.config)? else { return Ok(None) };
        Ok(Some(self.noting(leases)))
    }

    /// The same leases; the store knows of those that are taken and lost through them.
    pub(crate) fn noting(&self, leases: Arc<dyn Leases>) -> Arc<dyn Leases> {
        Arc::new(Noted { leases, shared: self.shared.clone() })
    }

    /// No device is online: whoever would know otherwise has just started.
    pub async fn nobody_is_online(&self) {
        self.shared.write.lock().await.none_online = true;
        self.flush().await;
        self.shared.devices.all_changed();
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when everything that was handed to the store before is durable.
    pub async fn flush(&self) {
        self.shared.recording.flush().await;
        let (done, written) = oneshot::channel();
        if self.queue.send(Write::Flush(done)).await.is_ok() {
            // An error means that the writer ended, which it does after its last write.
            let _ended = written.await;
        }
    }

    /// Writes what waits, folds the write-ahead log into the file, and lets go of the claim. Later calls of the journal
    /// fail.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks());
        for task in tasks {
            if let Err(problem) = task.await {
                warn!(%problem, "a task of the store failed");
            }
        }
        self.shared.reads.close().await;
        let mut side = self.shared.write.lock().await;
        if let Err(problem) = side.conn.close().await {
            warn!(%problem, "the write-ahead log stays beside the store; nothing is lost");
        }
        *self.shared.claimed() = None;
        info!(path = %self.shared.place, "store closed");
    }

    /// The devices that were disabled or removed since the last time, by this process or another; waits for one. Only of
    /// a store that was claimed, and for one caller.
    pub async fn dismissed(&self) -> Dismissed {
        self.shared.dismissed.next().await
    }

    /// Whether a running server knows all that this process has changed; waits for it.
    pub async fn known_to_server(&self) -> Known {
        let change = self.shared.write.lock().await.last_change;
        claim::known(self.shared.place.file(), change, self.shared.config.change_poll).await
    }

    /// Shows how full the store is in this registry, from the next refresh on.
    ///
    /// # Errors
    /// If the metrics are registered already.
    pub fn show_metrics(&self, registry: &prometheus::Registry) -> Result<(), prometheus::Error> {
        let metrics = Metrics::register(&self.shared, registry)?;
        let _shown_once = self.metrics.set(metrics);
        Ok(())
    }

    /// Brings the metrics up to date.
    pub fn refresh_metrics(&self) {
        if let Some(metrics) = self.metrics.get() {
            metrics.refresh(&self.shared, self.queued());
        }
    }

    /// What is changed from now on, by this process or another; seen at once or within
    /// `change_poll`. A listener that falls more
    /// than 1024 changes behind is told `Lagged`; both that and [`Change::Missed`] mean that it must look at what it keeps
    /// anew. [`Registry`] is never behind.
    ///
    /// [`Registry`]: thingcall_tsl::Registry
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// How full the store is.
    pub fn stats(&self) -> Stats {
        let (products, keys) = self.shared.memory.counts();
        let devices = usize::try_from(self.shared.sizes.devices.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        Stats {
            products,
            devices,
            keys,
            queued_writes: self.queued(),
            notes_lost: self.shared.notes_lost.load(Ordering::Relaxed),
        }
    }

    /// How many writes wait for the writer.
    pub(crate) fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// What the tasks share, for the traits this store implements.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The way to who writes tokens of calls that are made once.
    pub(crate) fn once(&self) -> &mpsc::Sender<once_writer::Work> {
        &self.once
    }

    /// The way to the writer.
    pub(crate) fn queue(&self) -> &mpsc::Sender<Write> {
        &self.queue
    }
}

/// The commands that wait for their devices.
fn waiting(config: &Config, calls: Vec<CallKey>) -> WaitingCommands {
    let mut waiting = WaitingCommands::new(config.outbox_calls_per_device_max.get(), config.journal_records_max.get());
    calls.into_iter().for_each(|(device, id)| waiting.insert(device, id));
    waiting
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    owner::make_folder(path).map_err(|source| OpenError::Folder { path: path.to_owned(), source })
}
