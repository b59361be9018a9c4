//! All groups that have had clients at this instance.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::{AccessKey, Consumers, Consumption, GroupId, Keys, MessageLog, Subscriptions, Target, UnixMillis};
use thingcall_subscription::CONSUME;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::group::{Group, Guest, Member, NoPlace, Order};
use crate::metrics::Metrics;

/// How soon the end of a key or a group is seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What groups need.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) log: Arc<dyn MessageLog>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) subscriptions: Arc<dyn Subscriptions>,
    /// Whether what is not known is not there. Not so while the store cannot be read.
    pub(crate) knows: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The groups.
pub(crate) struct Groups {
    pub(crate) around: Around,
    pub(crate) config: Config,
    pub(crate) metrics: Arc<Metrics>,
    /// No message is taken any more, and nobody comes in.
    pub(crate) stopping: CancellationToken,
    pub(crate) tasks: TaskTracker,
    all: Mutex<HashMap<GroupId, Arc<Group>>>,
    connected: Arc<AtomicUsize>,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotJoined {
    NoGroup,
    Group(NoPlace),
    ConnectionsMax,
}

/// A client that is counted. Its place in the group ends first.
pub(crate) struct Joined {
    pub(crate) member: Member,
    _count: Count,
}

struct Count {
    connected: Arc<AtomicUsize>,
    metrics: Arc<Metrics>,
}

impl Drop for Count {
    fn drop(&mut self) {
        self.connected.fetch_sub(1, Ordering::Relaxed);
        self.metrics.connected.dec();
    }
}

impl Groups {
    pub(crate) fn new(around: Around, config: Config, metrics: Metrics) -> Arc<Self> {
        let groups = Arc::new(Self {
            around,
            config,
            metrics: Arc::new(metrics),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            all: Mutex::default(),
            connected: Arc::default(),
        });
        groups.tasks.spawn(watch(groups.clone()));
        groups
    }

    /// Lets a client into a group.
    pub(crate) fn join(&self, id: &GroupId, guest: Guest) -> Result<Joined, NotJoined> {
        let count = self.count().ok_or(NotJoined::ConnectionsMax)?;
        let group = {
            // Held while the group is looked up: who closes groups that are no more looks behind this.
            let mut all = self.all();
            if self.around.subscriptions.group(id).is_none() {
                return Err(NotJoined::NoGroup);
            }
            all.entry(id.clone()).or_insert_with(|| self.begin(id)).clone()
        };
        let member = group.join(guest).map_err(NotJoined::Group)?;
        Ok(Joined { member, _count: count })
    }

    fn count(&self) -> Option<Count> {
        let max = self.config.connections_max.get();
        let more = |now: usize| (now < max).then_some(now + 1);
        self.connected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.metrics.connected.inc();
        Some(Count { connected: self.connected.clone(), metrics: self.metrics.clone() })
    }

    fn begin(&self, id: &GroupId) -> Arc<Group> {
        let (clients_max, connects) =
            (self.config.clients_per_group_max.get(), self.config.connects_per_minute_per_group_max.get());
        let group = Arc::new(Group::new(id.clone(), clients_max, connects));
        let (log, metrics) = (self.around.log.clone(), self.metrics.clone());
        let backlog = self.config.backlog_per_second_per_group_max.get();
        let dispatcher = Dispatcher::new(group.clone(), log, metrics, self.stopping.clone(), backlog);
        self.tasks.spawn(dispatcher.run());
        group
    }

    /// Ends the connections of keys and groups that are no more.
    fn look(&self) {
        let groups: Vec<_> = self.all().values().cloned().collect();
        for group in groups {
            if self.around.subscriptions.group(&group.id).is_none() {
                self.all().remove(&group.id);
                group.close();
                group.order(|_| Some(Order::GroupGone));
            } else {
                let may = |key: &AccessKey| {
                    key.stands(UnixMillis::now()) && key.allows(CONSUME, Target::Group(group.id.as_str()))
                };
                group.order(|guest| {
                    let key = self.around.keys.key(&guest.key_id);
                    key.is_none_or(|key| !may(&key)).then_some(Order::KeyGone)
                });
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<GroupId, Arc<Group>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn watch(groups: Arc<Groups>) {
    loop {
        tokio::select! {
            () = sleep(LOOK_EVERY) => groups.look(),
            () = groups.stopping.cancelled() => return,
        }
    }
}

#[async_trait]
impl Consumers for Groups {
    async fn of(&self, group: &GroupId) -> Consumption {
        let group = self.all().get(group).cloned();
        group.map(|group| group.consumption()).unwrap_or_default()
    }
}
