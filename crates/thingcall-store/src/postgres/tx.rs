//! A transaction.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Postgres, Transaction};
use thingcall_core::{
    AccessKey, CallId, Device, DeviceKey, EndedCall, JournalEntry, LastValue, Lease, Past, ProductKey, ReplyBody,
    UnixMillis,
};

use super::trouble::{Limit, commit_within, within};
use super::{calls, directory, fence, history, last_values, presence, results};
use crate::calls::{CallKey, Called, Candidate, NotWritten, Progress};
use crate::change::Subject;
use crate::database::{DeviceChange, DeviceRow, KeyChange, ProductRow, Registered, Tx};
use crate::failure::Failure;
use crate::live::Heard;

/// The transaction; dropped, it is rolled back.
#[derive(Debug)]
pub(super) struct PgTx<'c> {
    pub(super) tx: Transaction<'c, Postgres>,
    /// How long a statement may take.
    pub(super) patience: &'c Limit,
}

impl<'c> PgTx<'c> {
    /// One that has begun.
    pub(super) fn new(tx: Transaction<'c, Postgres>, patience: &'c Limit) -> Self {
        Self { tx, patience }
    }
}

#[async_trait]
impl Tx for PgTx<'_> {
    async fn fence(&mut self, leases: &[Lease]) -> Result<Vec<Lease>, Failure> {
        within(self.patience, fence::lost(&mut self.tx, leases)).await
    }

    async fn insert_calls(
        &mut self,
        entries: &[&JournalEntry],
        now: UnixMillis,
    ) -> Result<HashMap<CallKey, NotWritten>, Failure> {
        within(self.patience, calls::insert(&mut self.tx, entries, now)).await
    }

    async fn advance(&mut self, progress: &[(&CallKey, &Progress<'_>)]) -> Result<(), Failure> {
        within(self.patience, calls::advance(&mut self.tx, progress)).await
    }

    async fn end(&mut self, ends: &[(&CallKey, &Progress<'_>)]) -> Result<HashMap<CallKey, Called>, Failure> {
        within(self.patience, calls::end(&mut self.tx, ends)).await
    }

    async fn candidates(&mut self, ids: &[CallId]) -> Result<HashMap<CallId, Vec<Candidate>>, Failure> {
        within(self.patience, calls::candidates(&mut self.tx, ids)).await
    }

    async fn attach(&mut self, seq: i64, body: &ReplyBody) -> Result<(), Failure> {
        within(self.patience, calls::attach(&mut self.tx, seq, body)).await
    }

    async fn end_all(&mut self, devices: &[Arc<Device>], at: UnixMillis) -> Result<Vec<EndedCall>, Failure> {
        within(self.patience, calls::end_all(&mut self.tx, devices, at)).await
    }

    async fn take_over(&mut self, places: &[i64], by: &str, at: UnixMillis) -> Result<(), Failure> {
        within(self.patience, calls::take_over(&mut self.tx, places, by, at)).await
    }

    async fn prune(&mut self, after: i64, count: u64) -> Result<(u64, i64), Failure> {
        within(self.patience, calls::prune(&mut self.tx, after, count)).await
    }

    async fn published(&mut self, places: &[i64]) -> Result<(), Failure> {
        within(self.patience, results::published(&mut self.tx, places)).await
    }

    async fn write_presence(&mut self, devices: &[(DeviceKey, Heard)], now: UnixMillis) -> Result<(), Failure> {
        within(self.patience, presence::write(&mut self.tx, devices, now)).await
    }

    async fn none_online(&mut self) -> Result<(), Failure> {
        within(self.patience, presence::none_online(&mut self.tx)).await
    }

    async fn keep_values(
        &mut self,
        values: &[(DeviceKey, LastValue)],
        max: usize,
    ) -> Result<Vec<(DeviceKey, usize)>, Failure> {
        within(self.patience, last_values::keep(&mut self.tx, values, max)).await
    }

    async fn keep_past(&mut self, past: &[(DeviceKey, Past)]) -> Result<(), Failure> {
        within(self.patience, history::keep(&mut self.tx, past)).await
    }

    async fn drop_past(&mut self, product: &ProductKey, since: UnixMillis, excess: i64) -> Result<u64, Failure> {
        within(self.patience, history::drop_some(&mut self.tx, product, since, excess)).await
    }

    async fn insert_product(&mut self, new: &ProductRow<'_>) -> Result<bool, Failure> {
        within(self.patience, directory::insert_product(&mut self.tx, new)).await
    }

    async fn set_settings(&mut self, key: &ProductKey, settings: &str) -> Result<bool, Failure> {
        within(self.patience, directory::set_settings(&mut self.tx, key, settings)).await
    }

    async fn set_model(&mut self, key: &ProductKey, texts: &[&str]) -> Result<bool, Failure> {
        within(self.patience, directory::set_model(&mut self.tx, key, texts)).await
    }

    async fn insert_devices(&mut self, new: &[DeviceRow]) -> Result<Registered, Failure> {
        within(self.patience, directory::insert_devices(&mut self.tx, new)).await
    }

    async fn change_device(&mut self, key: &DeviceKey, change: DeviceChange) -> Result<bool, Failure> {
        within(self.patience, directory::change_device(&mut self.tx, key, change)).await
    }

    async fn delete_device(&mut self, key: &DeviceKey) -> Result<Option<Arc<Device>>, Failure> {
        within(self.patience, directory::delete_device(&mut self.tx, key)).await
    }

    async fn insert_key(&mut self, key: &AccessKey, at: UnixMillis) -> Result<bool, Failure> {
        within(self.patience, directory::insert_key(&mut self.tx, key, at)).await
    }

    async fn change_key(&mut self, id: &str, change: KeyChange<'_>) -> Result<bool, Failure> {
        within(self.patience, directory::change_key(&mut self.tx, id, change)).await
    }

    async fn delete_key(&mut self, id: &str) -> Result<Vec<String>, Failure> {
        within(self.patience, directory::delete_key(&mut self.tx, id)).await
    }

    async fn remove_ended_keys(&mut self, before: UnixMillis, max: i64) -> Result<Vec<String>, Failure> {
        within(self.patience, directory::remove_ended_keys(&mut self.tx, before, max)).await
    }

    async fn record_changes(&mut self, subjects: &[Subject]) -> Result<(), Failure> {
        within(self.patience, directory::record_changes(&mut self.tx, subjects)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), Failure> {
        commit_within(self.patience, self.tx.commit()).await
    }
}
