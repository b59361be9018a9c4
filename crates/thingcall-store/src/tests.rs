//! Facts about a whole store: those in `on_sqlite` and `on_postgres` are the same ones, the rest is about the file. Everything
//! waits for the store's own answers and events. Each test has a folder, or a database, of its own.

#![allow(clippy::duplicate_mod, reason = "the same facts are held against both databases")]

mod backup;
mod failing_disk;
mod full;
mod log;
mod on_file;
mod on_postgres;
mod on_sqlite;
mod opening;
mod upgrades;

use std::sync::Arc;

use tempfile::TempDir;
use test_postgres::Postgres;
use thingcall_core::testing::end_all;
use thingcall_core::{
    Args, CallId, CallMode, Completion, Conditions, Delivery, Device, DeviceKey, DeviceRef, EndedCall, Ending, Journal,
    JournalEntry, JournalError, Lease, LifeCycle, MessageWords, Outbox, Outcome, Qos, Record, RecordState, Repairs,
    Reply, ReplyBody, RequestId, Sent, StatusChange, TransportKind, UnixMillis, Words,
};
use thingcall_tsl::{
    DeviceRecord, Directory, Found, NewDevice, NewProduct, ProductNotes, ProductSettings, Registry, Way,
};

use crate::{Config, Store, StoreUrl};

/// What happened in few words.
struct PlainWords;

fn plain(body: String) -> Words {
    Words { topic: "t".to_owned(), body: body.into(), trace: None }
}

impl MessageWords for PlainWords {
    fn result(&self, ended: &EndedCall) -> Words {
        let EndedCall { id, outcome, code, data, activated, .. } = ended;
        let data = data.as_deref().unwrap_or("-");
        let plain = plain(format!("{} {outcome} {} {data} {activated}", id.as_u32(), code.unwrap_or_default()));
        Words { trace: ended.trace.clone(), ..plain }
    }

    fn status(&self, change: &StatusChange) -> Words {
        let StatusChange { device, online, at, last_at, address } = change;
        plain(format!("{} {online} {} {} {address:?}", device.key.name, at.0, last_at.0))
    }

    fn life_cycle(&self, device: &Device, did: LifeCycle, _: UnixMillis) -> Words {
        let did: &'static str = did.into();
        plain(format!("{} {did} {}", device.key.name, device.enabled))
    }
}

/// On which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Sqlite,
    Postgres,
}

/// A store in a folder of its own, or in a database of its own.
struct Bench {
    on: On,
    folder: TempDir,
    config: Config,
    store: Arc<Store>,
}

async fn bench() -> Bench {
    bench_with(Config::default()).await
}

async fn bench_with(config: Config) -> Bench {
    bench_on(On::Sqlite, config).await
}

async fn bench_on(on: On, config: Config) -> Bench {
    let url = match on {
        On::Sqlite => None,
        On::Postgres => Some(StoreUrl::new(&Postgres::shared().database().url())),
    };
    let config = Config { url, ..config };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(config.clone(), folder.path()).await.unwrap();
    Bench { on, folder, config, store }
}

impl Bench {
    /// Another process on the same file.
    async fn other(&self) -> Arc<Store> {
        Store::open(self.config.clone(), self.folder.path()).await.unwrap()
    }

    /// The same after a restart.
    async fn reopened(self) -> Self {
        self.store.close().await;
        let store = self.other().await;
        Self { store, ..self }
    }

    /// It is a server: it holds the folder's lock, or a lease.
    async fn serves(&self, store: &Store, slot: u8) {
        match self.on {
            On::Sqlite => drop(store.claim(&Conditions::default()).await.unwrap()),
            On::Postgres => {
                let take = match slot {
                    0 => {
                        "UPDATE slots SET generation = generation + 1, holder = '{}', ends_at = clock_timestamp() + \
                         INTERVAL '1 day' WHERE slot = 0 RETURNING generation::TEXT"
                    }
                    _ => {
                        "UPDATE slots SET generation = generation + 1, holder = '{}', ends_at = clock_timestamp() + \
                         INTERVAL '1 day' WHERE slot = 1 RETURNING generation::TEXT"
                    }
                };
                store.shared().held.take(Lease { slot, generation: self.ask(take).await[0].parse().unwrap() });
            }
        }
    }

    /// A product `p` and these devices in it.
    async fn with_devices(self, names: &[&str]) -> Self {
        self.store.create_product(product("p")).await.unwrap();
        for name in names {
            self.store.register(device(name)).await.unwrap();
        }
        self
    }

    /// An asynchronous call.
    async fn open(&self, device: &str, id: u32, qos: Qos) -> Result<(), JournalError> {
        self.store.open(entry(&self.device(device).await, id, qos)).await
    }

    async fn device(&self, name: &str) -> Arc<Device> {
        found(&self.store, name).await.unwrap().device
    }

    /// The newest record with this id, with everything that was noted before.
    async fn record(&self, id: u32) -> Record {
        self.store.flush().await;
        self.store.find_records(id).await.remove(0)
    }

    /// A statement behind the store's back.
    async fn run(&self, statement: &'static str) {
        self.ask(statement).await;
    }

    /// From now on no record can be changed.
    async fn refuse_updates(&self) {
        self.run(match self.on {
            On::Sqlite => "CREATE TRIGGER planted BEFORE UPDATE ON calls BEGIN SELECT RAISE(ABORT, 'planted'); END",
            On::Postgres => {
                "CREATE FUNCTION planted() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER planted BEFORE UPDATE ON calls EXECUTE FUNCTION planted()"
            }
        })
        .await;
    }

    /// They can again.
    async fn allow_updates(&self) {
        self.run(match self.on {
            On::Sqlite => "DROP TRIGGER planted",
            On::Postgres => "DROP TRIGGER planted ON calls",
        })
        .await;
    }

    /// What such a statement returns.
    async fn ask(&self, statement: &'static str) -> Vec<String> {
        self.store.shared().write.lock().await.conn.raw(statement).await.unwrap()
    }

    /// The ids that wait for a device.
    async fn waiting(&self, device: &str) -> Vec<u32> {
        let waiting = self.store.unacknowledged(&key(device), None, 1000).await.unwrap();
        waiting.iter().map(|delivery| delivery.id.as_u32()).collect()
    }
}

/// In a test's words.
impl Store {
    fn sent(&self, device: &DeviceKey, id: CallId, transport: TransportKind, how: Sent) {
        self.note(device, id, transport, how);
    }

    fn failed(&self, device: &DeviceKey, id: CallId, outcome: Outcome, why: &str) {
        self.end(Ending::Failed { device: device.clone(), id, outcome, why: why.to_owned() });
    }

    /// What these replies did.
    async fn complete(&self, replies: Vec<Reply>) -> Result<Vec<Completion>, JournalError> {
        let did = end_all(self, replies);
        self.flush().await;
        Ok(did.try_iter().collect())
    }

    async fn find_records(&self, id: u32) -> Vec<Record> {
        Journal::find(self, CallId::from_u32(id)).await.unwrap()
    }
}

fn product(key: &str) -> NewProduct {
    NewProduct {
        key: Some(key.try_into().unwrap()),
        name: "lamp".to_owned(),
        notes: ProductNotes::default(),
        settings: ProductSettings::default(),
    }
}

fn device(name: &str) -> NewDevice {
    let product = "p".try_into().unwrap();
    NewDevice { product, name: Some(name.try_into().unwrap()), secret: None, nickname: None, transport: None }
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "p".try_into().unwrap(), name: name.try_into().unwrap() }
}

fn entry(device: &Arc<Device>, id: u32, qos: Qos) -> JournalEntry {
    let delivery = Delivery {
        letter: None,
        id: CallId::from_u32(id),
        device: device.clone(),
        service: "testFb:SetScene".try_into().unwrap(),
        raw: None,
        params: Args::checked(r#"{"x":10.0}"#),
        mode: CallMode::Async,
        qos,
        deadline: None,
        sync_topic: None,
        trace: None,
    };
    let (request_id, times) = (RequestId::random(), thingcall_core::CallTimes::default());
    JournalEntry { delivery, answer: None, request_id, action: "Invoke", key: None, accepted_at: UnixMillis(1), times }
}

fn reply(device: &str, id: u32, code: i64) -> Reply {
    Reply {
        device: key(device),
        transport: TransportKind::Embedded,
        payload_id: Some(CallId::from_u32(id)),
        topic_id: None,
        repairs: Repairs::NONE,
        body: Ok(ReplyBody { code, message: Some("said".to_owned()), data: r#"{"y":1}"#.to_owned() }),
        bytes: 40,
    }
}

/// The device as calls find it.
async fn found(store: &Store, name: &str) -> Option<Found> {
    Registry::find(store, &DeviceRef::Key(key(name))).await.unwrap()
}

/// What calls know of the way to it, and teach.
async fn way(store: &Store, name: &str) -> Arc<dyn Way> {
    found(store, name).await.unwrap().way.unwrap()
}

/// The record of a device as the directory tells it.
async fn told(store: &Store, name: &str) -> DeviceRecord {
    store.device(&DeviceRef::Key(key(name))).await.unwrap()
}
