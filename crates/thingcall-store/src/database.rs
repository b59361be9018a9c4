//! The seam between the store and its database: what the store asks for, in its own words. All SQL stands below it, for
//! SQLite in `sqlite`, for PostgreSQL in `postgres`.
//!
//! **Invariant:** a method is one statement or a few, for any number of rows: nothing here is called once for each of many.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{
    AccessKey, CallId, Delivery, Device, DeviceKey, DeviceName, EndedCall, IotId, JournalEntry, LastValue, Lease,
    OpenCall, Past, PastWanted, ProductKey, Record, ReplyBody, Secret, TransportName, UnixMillis,
};
use thingcall_tsl::{DeviceRecord, Product};

use crate::audit_table::{AuditReads, AuditWrites};
use crate::calls::{CallKey, Called, Candidate, NotWritten, Progress};
use crate::change::{ChangeRow, Subject};
use crate::failure::Failure;
use crate::fleet_tables::{FleetReads, FleetWrites};
use crate::live::Heard;
use crate::memory::DeviceEntry;
use crate::message_tables::{MessageReads, MessageWrites};
use crate::once_table::{OnceReads, OnceWrites};
use crate::record_tables::{RecordReads, RecordWrites};
use crate::registry_tables::{RegistryReads, RegistryWrites};
use crate::told::Told;
use crate::waits::{ReadConnections, Wait};

/// The calls that are meant: those whose ids are in these slots; `None`: all there are.
pub(crate) type Slots<'a> = Option<&'a [u8]>;

/// A database that is open, for who only reads: never behind whoever writes.
#[async_trait]
pub(crate) trait Database:
    AuditReads + FleetReads + MessageReads + OnceReads + RecordReads + RegistryReads + fmt::Debug + Send + Sync
{
    /// Whether other servers write it, too. What this process remembers of its own writes is then not all there is.
    fn is_shared(&self) -> bool;

    /// The device with this name.
    async fn device(&self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure>;

    /// The device with this IotId.
    async fn device_by_id(&self, id: &IotId) -> Result<Option<DeviceEntry>, Failure>;

    /// So many at most of a product's devices, by name, of those behind `after`.
    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure>;

    /// The records with this id, newest first.
    async fn records(&self, id: CallId) -> Result<Vec<Record>, Failure>;

    /// The records of a request, newest first. Looks at all records: for who asks now and then.
    async fn records_of_request(&self, request_id: &str) -> Result<Vec<Record>, Failure>;

    /// The place of the newest record; 0 where there is none.
    async fn last_place(&self) -> Result<i64, Failure>;

    /// The calls of a slot that have not ended, that no plugin answers and that stand at these places, oldest first.
    async fn open_in_slot(&self, slot: u8, places: RangeInclusive<i64>, max: usize) -> Result<Vec<OpenCall>, Failure>;

    /// The oldest results that an earlier release left to be published, in the order in which their calls ended.
    async fn due(&self, max: usize) -> Result<Vec<EndedCall>, Failure>;

    /// The last values of a device's properties.
    async fn last_values(&self, device: &DeviceKey) -> Result<Vec<LastValue>, Failure>;

    /// What is wanted of a device's past.
    async fn past(&self, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, Failure>;

    /// Tells of changes, whoever makes them, for as long as this is awaited. Where the database tells nothing, it is awaited
    /// without an end all the same.
    async fn tell(&self, told: &Told);

    /// How busy it is.
    fn read_connections(&self) -> ReadConnections;

    /// How often such a wait ran out.
    fn ran_out(&self, wait: Wait) -> u64;

    /// Lets go of its connections.
    async fn close(&self);
}

/// The one connection that writes, which reads what was written last.
///
/// **Invariant:** after any error it is not used again before it was seen to be sound, or made anew.
#[async_trait]
pub(crate) trait WriteConnection: fmt::Debug + Send {
    /// Something failed on it.
    fn failed(&mut self);

    /// Begins to write; dropped, all of it is taken back.
    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, Failure>;

    /// Everything of which memory holds all.
    async fn load(&mut self) -> Result<Loaded, Failure>;

    /// The product with this key.
    async fn product(&mut self, key: &ProductKey) -> Result<Option<Product>, Failure>;

    /// The device with this name.
    async fn device(&mut self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure>;

    /// The access key with this id.
    async fn key(&mut self, id: &str) -> Result<Option<AccessKey>, Failure>;

    /// The last change there is; 0 where there is none.
    async fn last_change(&mut self) -> Result<i64, Failure>;

    /// The changes after this one, in their order.
    async fn changes(&mut self, after: i64, max: i64) -> Result<Vec<ChangeRow>, Failure>;

    /// How many devices there are.
    async fn count_devices(&mut self) -> Result<u64, Failure>;

    /// How many records there are.
    async fn count_records(&mut self) -> Result<u64, Failure>;

    /// How much of the past of a product's devices is kept.
    async fn kept_past(&mut self, product: &ProductKey) -> Result<Kept, Failure>;

    /// The commands that wait for their devices.
    async fn waiting(&mut self, slots: Slots<'_>) -> Result<Vec<CallKey>, Failure>;

    /// The commands that wait for a device, oldest first, from the one after `after` on.
    async fn waiting_for(
        &mut self,
        device: &Arc<Device>,
        after: Option<CallId>,
        max: usize,
    ) -> Result<Vec<Delivery>, Failure>;

    /// The calls to a device that have not ended and that no plugin answers, oldest first.
    async fn open_calls(&mut self, device: &DeviceKey, max: usize) -> Result<Vec<Record>, Failure>;

    /// Writes as much as a call with long parameters takes, and takes it back.
    async fn try_out(&mut self) -> Result<(), Failure>;

    /// What is done each second. Tells how long the database's log is, of the so many bytes that it may be; 0 where that
    /// is none of this process's business.
    async fn look_after(&mut self, log_bytes_max: u64) -> Result<u64, Failure>;

    /// Leaves the database in order.
    async fn close(&mut self) -> Result<(), Failure>;

    /// Runs a statement of a test's; the first column of what it returns, as text.
    #[cfg(test)]
    async fn raw(&mut self, statement: &'static str) -> Result<Vec<String>, Failure>;
}

/// A transaction; dropped, it is rolled back. After a method said that something cannot be, or failed, it is good for
/// nothing else.
#[async_trait]
pub(crate) trait Tx:
    AuditWrites + FleetWrites + MessageWrites + OnceWrites + RecordWrites + RegistryWrites + Send
{
    /// Which of these leases are over: somebody else ends the calls of their slots. The others stay ours until the
    /// transaction ends.
    async fn fence(&mut self, leases: &[Lease]) -> Result<Vec<Lease>, Failure>;

    /// Writes new calls down, and tells which were not written.
    async fn insert_calls(
        &mut self,
        entries: &[&JournalEntry],
        now: UnixMillis,
    ) -> Result<HashMap<CallKey, NotWritten>, Failure>;

    /// Adds to open records what was noted about them; records that ended stay as they are.
    async fn advance(&mut self, progress: &[(&CallKey, &Progress<'_>)]) -> Result<(), Failure>;

    /// As `advance`; what the records that were open say of their calls.
    async fn end(&mut self, ends: &[(&CallKey, &Progress<'_>)]) -> Result<HashMap<CallKey, Called>, Failure>;

    /// The calls with these ids, newest first.
    async fn candidates(&mut self, ids: &[CallId]) -> Result<HashMap<CallId, Vec<Candidate>>, Failure>;

    /// Keeps the first readable reply that came too late beside how the call ended.
    async fn attach(&mut self, seq: i64, body: &ReplyBody) -> Result<(), Failure>;

    /// Ends the open calls of devices that are gone, and tells which.
    async fn end_all(&mut self, devices: &[Arc<Device>], at: UnixMillis) -> Result<Vec<EndedCall>, Failure>;

    /// Notes who brings the calls at these places on.
    async fn take_over(&mut self, places: &[i64], by: &str, at: UnixMillis) -> Result<(), Failure>;

    /// Drops up to `count` of the oldest records that wait for no device, beginning after the record `after`. Returns
    /// how many were dropped and where to begin next.
    async fn prune(&mut self, after: i64, count: u64) -> Result<(u64, i64), Failure>;

    /// These results are due no more.
    async fn published(&mut self, places: &[i64]) -> Result<(), Failure>;

    /// What was heard of devices. A time that is not over yet is no reason to keep an earlier one.
    async fn write_presence(&mut self, devices: &[(DeviceKey, Heard)], now: UnixMillis) -> Result<(), Failure>;

    /// No device is connected.
    async fn none_online(&mut self) -> Result<(), Failure>;

    /// Last values of properties, of each property one. Those that are older than what is there, and those of devices that are
    /// not there, are left out. Of a device no more than `max` are kept; how many of whose were left out for that.
    async fn keep_values(
        &mut self,
        values: &[(DeviceKey, LastValue)],
        max: usize,
    ) -> Result<Vec<(DeviceKey, usize)>, Failure>;

    /// What devices reported in the past. Of one name and time the first stays; those of devices that are not there are left
    /// out.
    async fn keep_past(&mut self, past: &[(DeviceKey, Past)]) -> Result<(), Failure>;

    /// Drops some of a product's past from before this time, and so many of the oldest; how many there were.
    async fn drop_past(&mut self, product: &ProductKey, since: UnixMillis, excess: i64) -> Result<u64, Failure>;

    /// A new product; `false` if its key is taken.
    async fn insert_product(&mut self, new: &ProductRow<'_>) -> Result<bool, Failure>;

    /// A product's settings; `false` if there is none.
    async fn set_settings(&mut self, key: &ProductKey, settings: &str) -> Result<bool, Failure>;

    /// The texts of a product's model in place of those it had; `false` if there is no such product.
    async fn set_model(&mut self, key: &ProductKey, texts: &[&str]) -> Result<bool, Failure>;

    /// New devices.
    async fn insert_devices(&mut self, new: &[DeviceRow]) -> Result<Registered, Failure>;

    /// Changes a device; `false` if there is none.
    async fn change_device(&mut self, key: &DeviceKey, change: DeviceChange) -> Result<bool, Failure>;

    /// Forgets a device, and says which it was.
    async fn delete_device(&mut self, key: &DeviceKey) -> Result<Option<Arc<Device>>, Failure>;

    /// A new access key; `false` if its id is taken.
    async fn insert_key(&mut self, key: &AccessKey, at: UnixMillis) -> Result<bool, Failure>;

    /// Changes an access key; `false` if there is none.
    async fn change_key(&mut self, id: &str, change: KeyChange<'_>) -> Result<bool, Failure>;

    /// Forgets a key and those that were made of it, and says which.
    async fn delete_key(&mut self, id: &str) -> Result<Vec<String>, Failure>;

    /// Forgets keys that ended before this, so many at most, and says which.
    async fn remove_ended_keys(&mut self, before: UnixMillis, max: i64) -> Result<Vec<String>, Failure>;

    /// Writes down what the transaction changed, for every process that has the store open.
    async fn record_changes(&mut self, subjects: &[Subject]) -> Result<(), Failure>;

    /// Returns when all of it is durable.
    async fn commit(self: Box<Self>) -> Result<(), Failure>;
}

/// How much of the past of a product's devices is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// What a record of the past takes beside its name and value.
pub(crate) const PAST_BYTES: usize = 128;

/// What fills an empty memory.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) products: Vec<Product>,
    pub(crate) keys: Vec<AccessKey>,
}

/// A product to be made.
#[derive(Debug)]
pub(crate) struct ProductRow<'a> {
    pub(crate) key: &'a ProductKey,
    pub(crate) name: &'a str,
    pub(crate) notes: &'a str,
    pub(crate) settings: &'a str,
    pub(crate) created_at: UnixMillis,
}

/// A device to be registered.
#[derive(Debug)]
pub(crate) struct DeviceRow {
    pub(crate) key: DeviceKey,
    pub(crate) iot_id: IotId,
    pub(crate) secret: String,
    pub(crate) nickname: Option<String>,
    pub(crate) transport: Option<TransportName>,
    pub(crate) created_at: UnixMillis,
}

impl DeviceRow {
    /// As it is told to who registered it.
    pub(crate) fn into_record(self) -> DeviceRecord {
        let Self { key, iot_id, secret, nickname, transport, created_at } = self;
        DeviceRecord {
            device: Device { key, iot_id, enabled: true, transport },
            secret: Secret::new(&secret),
            nickname,
            created_at,
            activated_at: None,
            online: false,
            last_seen_at: None,
            online_at: None,
            address: None,
            came_from: None,
            sync_topic: None,
        }
    }
}

/// What became of devices to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Registered {
    /// All of them are.
    All,
    /// None is: this name is taken.
    Taken(DeviceKey),
    /// None is: there is no such product.
    NoProduct(ProductKey),
}

/// What may be changed of a device.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DeviceChange {
    /// Whether it may connect.
    Enabled(bool),
    /// The transport that serves it.
    Transport(Option<TransportName>),
}

/// What may be changed of an access key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyChange<'a> {
    /// Whether calls signed with it are taken.
    Enabled(bool),
    /// Its rules, as text; none where it may do everything.
    Allowed(Option<&'a str>),
}
