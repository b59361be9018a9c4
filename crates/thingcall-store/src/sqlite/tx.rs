//! A transaction.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use thingcall_core::{
    AccessKey, CallId, Device, DeviceKey, EndedCall, JournalEntry, LastValue, Lease, Past, ProductKey, ReplyBody,
    UnixMillis,
};

use super::trouble::failure;
use super::{calls, directory, history, last_values, presence, results};
use crate::calls::{CallKey, Called, Candidate, NotWritten, Progress};
use crate::change::Subject;
use crate::database::{DeviceChange, DeviceRow, KeyChange, ProductRow, Registered, Tx};
use crate::failure::Failure;
use crate::live::Heard;

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Sound,
    /// A transaction was begun and did not reach its commit.
    Doubtful,
    /// Something failed on it.
    Failed,
}

/// The transaction; dropped, it is rolled back.
#[derive(Debug)]
pub(super) struct SqliteTx<'c> {
    tx: Transaction<'c, Sqlite>,
    state: &'c mut State,
}

impl<'c> SqliteTx<'c> {
    /// One that has begun, on a connection in this state.
    pub(super) fn new(tx: Transaction<'c, Sqlite>, state: &'c mut State) -> Self {
        Self { tx, state }
    }
}

#[async_trait]
impl Tx for SqliteTx<'_> {
    /// The lock of the data folder is the lease of all slots.
    async fn fence(&mut self, _leases: &[Lease]) -> Result<Vec<Lease>, Failure> {
        Ok(Vec::new())
    }

    async fn insert_calls(
        &mut self,
        entries: &[&JournalEntry],
        now: UnixMillis,
    ) -> Result<HashMap<CallKey, NotWritten>, Failure> {
        calls::insert(self, entries, now).await.map_err(failure)
    }

    async fn advance(&mut self, progress: &[(&CallKey, &Progress<'_>)]) -> Result<(), Failure> {
        calls::advance(self, progress).await.map_err(failure)
    }

    async fn end(&mut self, ends: &[(&CallKey, &Progress<'_>)]) -> Result<HashMap<CallKey, Called>, Failure> {
        calls::end(self, ends).await.map_err(failure)
    }

    async fn candidates(&mut self, ids: &[CallId]) -> Result<HashMap<CallId, Vec<Candidate>>, Failure> {
        calls::candidates(self, ids).await.map_err(failure)
    }

    async fn attach(&mut self, seq: i64, body: &ReplyBody) -> Result<(), Failure> {
        calls::attach(self, seq, body).await.map_err(failure)
    }

    async fn end_all(&mut self, devices: &[Arc<Device>], at: UnixMillis) -> Result<Vec<EndedCall>, Failure> {
        calls::end_all(self, devices, at).await.map_err(failure)
    }

    async fn take_over(&mut self, places: &[i64], by: &str, at: UnixMillis) -> Result<(), Failure> {
        calls::take_over(self, places, by, at).await.map_err(failure)
    }

    async fn prune(&mut self, after: i64, count: u64) -> Result<(u64, i64), Failure> {
        calls::prune(self, after, count).await.map_err(failure)
    }

    async fn published(&mut self, places: &[i64]) -> Result<(), Failure> {
        results::published(self, places).await.map_err(failure)
    }

    async fn write_presence(&mut self, devices: &[(DeviceKey, Heard)], now: UnixMillis) -> Result<(), Failure> {
        presence::write(self, devices, now).await.map_err(failure)
    }

    async fn none_online(&mut self) -> Result<(), Failure> {
        presence::none_online(self).await.map_err(failure)
    }

    async fn keep_values(
        &mut self,
        values: &[(DeviceKey, LastValue)],
        max: usize,
    ) -> Result<Vec<(DeviceKey, usize)>, Failure> {
        last_values::keep(self, values, max).await.map_err(failure)
    }

    async fn keep_past(&mut self, past: &[(DeviceKey, Past)]) -> Result<(), Failure> {
        history::keep(self, past).await.map_err(failure)
    }

    async fn drop_past(&mut self, product: &ProductKey, since: UnixMillis, excess: i64) -> Result<u64, Failure> {
        history::drop_some(self, product, since, excess).await.map_err(failure)
    }

    async fn insert_product(&mut self, new: &ProductRow<'_>) -> Result<bool, Failure> {
        directory::insert_product(self, new).await.map_err(failure)
    }

    async fn set_settings(&mut self, key: &ProductKey, settings: &str) -> Result<bool, Failure> {
        directory::set_settings(self, key, settings).await.map_err(failure)
    }

    async fn set_model(&mut self, key: &ProductKey, texts: &[&str]) -> Result<bool, Failure> {
        directory::set_model(self, key, texts).await.map_err(failure)
    }

    async fn insert_devices(&mut self, new: &[DeviceRow]) -> Result<Registered, Failure> {
        directory::insert_devices(self, new).await.map_err(failure)
    }

    async fn change_device(&mut self, key: &DeviceKey, change: DeviceChange) -> Result<bool, Failure> {
        directory::change_device(self, key, change).await.map_err(failure)
    }

    async fn delete_device(&mut self, key: &DeviceKey) -> Result<Option<Arc<Device>>, Failure> {
        directory::delete_device(self, key).await.map_err(failure)
    }

    async fn insert_key(&mut self, key: &AccessKey, at: UnixMillis) -> Result<bool, Failure> {
        directory::insert_key(self, key, at).await.map_err(failure)
    }

    async fn change_key(&mut self, id: &str, change: KeyChange<'_>) -> Result<bool, Failure> {
        directory::change_key(self, id, change).await.map_err(failure)
    }

    async fn delete_key(&mut self, id: &str) -> Result<Vec<String>, Failure> {
        directory::delete_key(self, id).await.map_err(failure)
    }

    async fn remove_ended_keys(&mut self, before: UnixMillis, max: i64) -> Result<Vec<String>, Failure> {
        directory::remove_ended_keys(self, before, max).await.map_err(failure)
    }

    async fn record_changes(&mut self, subjects: &[Subject]) -> Result<(), Failure> {
        directory::record_changes(self, subjects).await.map_err(failure)
    }

    async fn commit(self: Box<Self>) -> Result<(), Failure> {
        let Self { tx, state } = *self;
        tx.commit().await.map_err(failure)?;
        *state = State::Sound;
        Ok(())
    }
}

impl Deref for SqliteTx<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl DerefMut for SqliteTx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}
