//! The one connection that writes.
//!
//! **Invariant:** after any error it is not used again before it was seen to be sound, or made anew. SQLite may have rolled
//! back by itself, which sqlx does not learn of: it goes on counting a transaction that is none, and begins no other.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use thingcall_core::{AccessKey, CallId, Delivery, Device, DeviceKey, ProductKey, Record};
use thingcall_tsl::Product;
use tracing::debug;

use super::log::Log;
use super::trouble::failure;
use super::tx::{SqliteTx, State};
use super::{calls, directory, history, records, room};
use crate::calls::CallKey;
use crate::change::ChangeRow;
use crate::database::{Kept, Loaded, Slots, Tx, WriteConnection};
use crate::failure::Failure;
use crate::memory::DeviceEntry;

/// The connection.
#[derive(Debug)]
pub(super) struct SqliteWrite {
    conn: SqliteConnection,
    options: SqliteConnectOptions,
    state: State,
    log: Log,
}

impl SqliteWrite {
    /// One that was just opened with these options, of this file.
    pub(super) fn new(conn: SqliteConnection, options: SqliteConnectOptions, file: PathBuf) -> Self {
        Self { conn, options, state: State::Sound, log: Log::new(&file) }
    }

    async fn begin_tx(&mut self) -> Result<SqliteTx<'_>, sqlx::Error> {
        self.mend().await?;
        let Self { conn, state, .. } = self;
        *state = State::Doubtful;
        Ok(SqliteTx::new(conn.begin_with("BEGIN IMMEDIATE").await?, state))
    }

    /// It, to read what was written last.
    async fn read(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.mend().await?;
        Ok(&mut self.conn)
    }

    async fn mend(&mut self) -> Result<(), sqlx::Error> {
        if self.state == State::Sound {
            return Ok(());
        }
        // Waits for the rollback that a dropped transaction asked for.
        let lives = self.conn.ping().await.is_ok();
        if self.state == State::Failed || !lives || self.conn.is_in_transaction() {
            // The old one is dropped after: the last connection of all would fold the log first.
            self.conn = self.options.connect().await?;
            debug!("the store's write connection was opened anew");
        }
        self.state = State::Sound;
        Ok(())
    }
}

/// Asks on the connection once it is sound.
macro_rules! read {
    ($self:ident, $conn:ident => $ask:expr) => {{
        let asked = async {
            let $conn = $self.read().await?;
            $ask.await
        };
        asked.await.map_err(failure)
    }};
}

#[async_trait]
impl WriteConnection for SqliteWrite {
    fn failed(&mut self) {
        self.state = State::Failed;
    }

    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, Failure> {
        Ok(Box::new(self.begin_tx().await.map_err(failure)?))
    }

    async fn load(&mut self) -> Result<Loaded, Failure> {
        read!(self, conn => directory::load(conn))
    }

    async fn product(&mut self, key: &ProductKey) -> Result<Option<Product>, Failure> {
        read!(self, conn => directory::product(conn, key))
    }

    async fn device(&mut self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure> {
        read!(self, conn => directory::device(conn, key))
    }

    async fn key(&mut self, id: &str) -> Result<Option<AccessKey>, Failure> {
        read!(self, conn => directory::key(conn, id))
    }

    async fn last_change(&mut self) -> Result<i64, Failure> {
        read!(self, conn => directory::last_change(conn))
    }

    async fn changes(&mut self, after: i64, max: i64) -> Result<Vec<ChangeRow>, Failure> {
        read!(self, conn => directory::changes(conn, after, max))
    }

    async fn count_devices(&mut self) -> Result<u64, Failure> {
        read!(self, conn => directory::count_devices(conn))
    }

    async fn count_records(&mut self) -> Result<u64, Failure> {
        read!(self, conn => calls::count(conn))
    }

    async fn kept_past(&mut self, product: &ProductKey) -> Result<Kept, Failure> {
        read!(self, conn => history::kept(conn, product))
    }

    async fn waiting(&mut self, _slots: Slots<'_>) -> Result<Vec<CallKey>, Failure> {
        read!(self, conn => records::waiting(conn))
    }

    async fn waiting_for(
        &mut self,
        device: &Arc<Device>,
        after: Option<CallId>,
        max: usize,
    ) -> Result<Vec<Delivery>, Failure> {
        read!(self, conn => records::waiting_for(conn, device, after, max))
    }

    async fn open_calls(&mut self, device: &DeviceKey, max: usize) -> Result<Vec<Record>, Failure> {
        read!(self, conn => records::open(conn, device, max))
    }

    async fn try_out(&mut self) -> Result<(), Failure> {
        for bytes in room::SIZES {
            let mut tx = self.begin_tx().await.map_err(failure)?;
            room::fill(&mut tx, bytes).await.map_err(failure)?;
            Box::new(tx).commit().await?;
        }
        Ok(())
    }

    async fn look_after(&mut self, log_bytes_max: u64) -> Result<u64, Failure> {
        let bytes = self.log.measure().await;
        if !self.log.is_to_begin_anew(bytes, log_bytes_max) {
            return Ok(bytes);
        }
        self.mend().await.map_err(failure)?;
        self.log.begin_anew(&mut self.conn, bytes, log_bytes_max).await.map_err(failure)?;
        Ok(self.log.measure().await)
    }

    async fn close(&mut self) -> Result<(), Failure> {
        read!(self, conn => super::log::fold(conn))
    }

    #[cfg(test)]
    async fn raw(&mut self, statement: &'static str) -> Result<Vec<String>, Failure> {
        use sqlx::Row;
        let found = async {
            let rows = sqlx::raw_sql(statement).fetch_all(self.read().await?).await?;
            rows.iter().map(|row| row.try_get_unchecked(0)).collect::<Result<_, _>>()
        };
        found.await.map_err(failure)
    }
}
