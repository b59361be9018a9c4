//! Devices that come and go: memory knows at once, the file within a second. A process other than the server knows what
//! the file said when it opened it.
//!
//! **Invariant:** a device whose memory differs from the file is marked, and is in the list of marked ones once.

use std::mem;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use thingcall_core::{
    Credentials, DeviceCredential, DeviceKey, IotId, Login, PresenceSink, SyncTopic, TransportName, UnixMillis,
};

use thingcall_tsl::Route;

use crate::Store;
use crate::connection::WriteConnection;
use crate::many::{Many, Statement};
use crate::memory::DeviceEntry;

static UPDATE: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (iot_id, online, activated_at, last_seen_at, address, came_from, sync_topic) AS (VALUES ";
    let after = ") UPDATE devices SET online = v.online, \
                 activated_at = COALESCE(devices.activated_at, v.activated_at), last_seen_at = v.last_seen_at, \
                 address = v.address, came_from = v.came_from, sync_topic = v.sync_topic \
                 FROM v WHERE devices.iot_id = v.iot_id";
    Many::new(before, 7, after)
});

/// What is known of a device's connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) online: bool,
    pub(crate) activated_at: Option<UnixMillis>,
    pub(crate) last_seen_at: Option<UnixMillis>,
    pub(crate) address: Option<String>,
    pub(crate) came_from: Option<TransportName>,
    pub(crate) sync_topic: Option<SyncTopic>,
}

/// The same, shared by all who hold the device's entry.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: Seen,
    mark: Mark,
    /// [`Route::unanswered`]: not in the file.
    unanswered: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    Written,
    Marked,
}

impl Live {
    /// As read from the file.
    pub(crate) fn new(seen: Seen) -> Self {
        Self(Mutex::new(State { seen, ..State::default() }))
    }

    /// What is known now.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().seen.clone()
    }

    /// What is known of the way to it.
    pub(crate) fn route(&self) -> Route {
        let State { seen, unanswered, .. } = &*self.lock();
        Route { last: seen.came_from, sync_topic: seen.sync_topic, unanswered: *unanswered }
    }

    /// Changes what is known; says whether the device must be put on the list of marked ones.
    fn change(&self, change: impl FnOnce(&mut Seen)) -> bool {
        let mut state = self.lock();
        change(&mut state.seen);
        mem::replace(&mut state.mark, Mark::Marked) == Mark::Written
    }

    /// What is to be written; the mark is taken off, so a change while it is written marks again.
    fn take(&self) -> Seen {
        let mut state = self.lock();
        state.mark = Mark::Written;
        state.seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The devices to be written. At most one entry for each device, so `devices_max` bounds it.
#[derive(Debug, Default)]
pub(crate) struct Marked(Mutex<Vec<(IotId, Arc<Live>)>>);

impl Marked {
    /// Changes what is known of a device.
    pub(crate) fn change(&self, entry: &DeviceEntry, change: impl FnOnce(&mut Seen)) {
        self.mark(&entry.device.iot_id, &entry.live, change);
    }

    /// A clock that ran ahead and was set back leaves times that are still to come: nobody was seen later than now.
    pub(crate) fn none_in_the_future(&self, devices: &[Arc<DeviceEntry>], now: UnixMillis) {
        let ahead = |at: Option<UnixMillis>| at.is_some_and(|at| at > now);
        for entry in devices {
            let seen = entry.live.seen();
            if ahead(seen.last_seen_at) || ahead(seen.activated_at) {
                self.change(entry, |seen| {
                    seen.last_seen_at = seen.last_seen_at.min(Some(now));
                    seen.activated_at = seen.activated_at.min(Some(now));
                });
            }
        }
    }

    fn mark(&self, id: &IotId, live: &Arc<Live>, change: impl FnOnce(&mut Seen)) {
        if live.change(change) {
            self.lock().push((id.clone(), live.clone()));
        }
    }

    /// Writes the marked devices in one transaction. What cannot be written stays marked.
    pub(crate) async fn flush(&self, conn: &mut WriteConnection) -> Result<(), sqlx::Error> {
        let marked = mem::take(&mut *self.lock());
        if marked.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&IotId, Seen)> = marked.iter().map(|(id, live)| (id, live.take())).collect();
        let written = write(conn, &rows).await;
        if written.is_err() {
            for (id, live) in &marked {
                self.mark(id, live, |_| {});
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(IotId, Arc<Live>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(conn: &mut WriteConnection, rows: &[(&IotId, Seen)]) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    for (statement, _) in UPDATE.statements(rows, |statement, (id, seen)| bind(statement, id, seen)) {
        statement.execute(&mut *tx).await?;
    }
    tx.commit().await
}

fn bind(statement: Statement, id: &IotId, seen: &Seen) -> Statement {
    statement
        .bind(id.as_str())
        .bind(seen.online)
        .bind(seen.activated_at.map(|at| at.0))
        .bind(seen.last_seen_at.map(|at| at.0))
        .bind(seen.address.as_deref())
        .bind(seen.came_from.map(TransportName::as_str))
        .bind(seen.sync_topic.map(SyncTopic::as_str))
}

impl Store {
    /// The device answered, on this topic if that is known. Says whether the topic is new.
    pub(crate) fn device_answered(&self, device: &DeviceKey, topic: Option<SyncTopic>) -> bool {
        let Some(entry) = self.shared().memory.device_by_key(device) else { return false };
        let known = {
            let mut state = entry.live.lock();
            state.unanswered = 0;
            state.seen.sync_topic
        };
        let Some(topic) = topic.filter(|topic| known != Some(*topic)) else { return false };
        let mut is_new = false;
        self.shared().marked.change(&entry, |seen| is_new = seen.sync_topic.replace(topic) != Some(topic));
        is_new
    }

    /// It did not answer a call that was made when so many had not been answered.
    pub(crate) fn device_missed(&self, device: &DeviceKey, before: u8) {
        if let Some(entry) = self.shared().memory.device_by_key(device) {
            let mut state = entry.live.lock();
            if state.unanswered == before {
                state.unanswered = before.wrapping_add(1);
            }
        }
    }

    fn device_changed(&self, device: &DeviceKey, change: impl FnOnce(&mut Seen)) {
        if let Some(entry) = self.shared().memory.device_by_key(device) {
            self.shared().marked.change(&entry, change);
        }
    }
}

impl Credentials for Store {
    fn credential(&self, device: &DeviceKey) -> Option<DeviceCredential> {
        let entry = self.shared().memory.device_by_key(device)?;
        Some(DeviceCredential { secret: entry.secret.clone(), enabled: entry.device.enabled })
    }
}

impl PresenceSink for Store {
    fn online(&self, device: &DeviceKey, transport: TransportName, address: Option<&str>, at: UnixMillis) {
        self.device_changed(device, |seen| {
            seen.online = true;
            seen.heard(Some(transport), address, at);
        });
    }

    fn offline(&self, device: &DeviceKey, at: UnixMillis) {
        self.device_changed(device, |seen| {
            seen.online = false;
            seen.heard(None, None, at);
        });
    }

    fn seen(&self, device: &DeviceKey, transport: TransportName, at: UnixMillis) {
        self.device_changed(device, |seen| seen.heard(Some(transport), None, at));
    }

    fn logged_in(&self, device: &DeviceKey, login: &Login<'_>, at: UnixMillis) {
        self.device_changed(device, |seen| {
            // A broker that passes on no client id says nothing of the topic.
            seen.sync_topic = login.sync_topic.or(seen.sync_topic);
            seen.heard(Some(login.transport), login.address, at);
        });
    }
}

impl Seen {
    /// What every sign of a device means, whichever way it came. Behind an external broker such signs are all that is ever
    /// heard of it.
    ///
    /// Signs may come out of order, so an earlier time does not replace a later one; but one that is still to come is of a
    /// clock that was set back since.
    fn heard(&mut self, transport: Option<TransportName>, address: Option<&str>, at: UnixMillis) {
        let now = UnixMillis::now();
        let at = at.min(now);
        let past = |before: &UnixMillis| *before <= now;
        self.last_seen_at = self.last_seen_at.filter(past).max(Some(at));
        self.activated_at = self.activated_at.filter(past).or(Some(at));
        self.came_from = transport.or(self.came_from);
        if let Some(address) = address {
            self.address = Some(address.to_owned());
        }
    }
}
