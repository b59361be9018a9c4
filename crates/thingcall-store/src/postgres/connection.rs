//! The one connection that writes.
//!
//! **Invariant:** after any error, and where an answer did not come in time, it is made anew before it is used again.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use thingcall_core::{AccessKey, CallId, Delivery, Device, DeviceKey, ProductKey, Record};
use thingcall_tsl::Product;
use tracing::debug;

use super::trouble::{Limit, within};
use super::tx::PgTx;
use super::{directory, history, open, records, room};
use crate::calls::CallKey;
use crate::change::ChangeRow;
use crate::database::{Kept, Loaded, Slots, Tx, WriteConnection};
use crate::failure::Failure;
use crate::memory::DeviceEntry;

/// How long things may take.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    /// To connect.
    pub(super) connect: Limit,
    /// To answer a statement.
    pub(super) answer: Limit,
}

/// The connection.
#[derive(Debug)]
pub(super) struct PgWrite {
    /// `None`: it is to be made anew.
    conn: Option<PgConnection>,
    options: PgConnectOptions,
    patience: Patience,
}

impl PgWrite {
    /// One that is made when it is first used.
    pub(super) fn new(options: PgConnectOptions, patience: Patience) -> Self {
        Self { conn: None, options, patience }
    }

    /// It, and how long its answers may take.
    async fn sound(&mut self) -> Result<(&mut PgConnection, &Limit), Failure> {
        let Self { conn, options, patience } = self;
        let sound = match conn.take() {
            Some(conn) => conn,
            None => {
                let new = within(&patience.connect, open::connect_durably(options)).await?;
                debug!("the store's write connection was opened");
                new
            }
        };
        Ok((conn.insert(sound), &patience.answer))
    }
}

/// Asks on the connection once it is sound.
macro_rules! read {
    ($self:ident, $conn:ident => $ask:expr) => {{
        let ($conn, limit) = $self.sound().await?;
        within(limit, $ask).await
    }};
}

#[async_trait]
impl WriteConnection for PgWrite {
    fn failed(&mut self) {
        // Dropped and not closed: the other side may not listen.
        self.conn = None;
    }

    async fn begin(&mut self) -> Result<Box<dyn Tx + '_>, Failure> {
        let (conn, limit) = self.sound().await?;
        let tx = within(limit, conn.begin()).await?;
        Ok(Box::new(PgTx::new(tx, limit)))
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
        read!(self, conn => records::count_all(conn))
    }

    async fn kept_past(&mut self, product: &ProductKey) -> Result<Kept, Failure> {
        read!(self, conn => history::kept(conn, product))
    }

    async fn waiting(&mut self, slots: Slots<'_>) -> Result<Vec<CallKey>, Failure> {
        read!(self, conn => records::waiting(conn, slots))
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
        read!(self, conn => room::try_out(conn))
    }

    async fn look_after(&mut self, _log_bytes_max: u64) -> Result<u64, Failure> {
        Ok(0)
    }

    async fn close(&mut self) -> Result<(), Failure> {
        match self.conn.take() {
            Some(conn) => within(&self.patience.answer, conn.close()).await,
            None => Ok(()),
        }
    }

    #[cfg(test)]
    async fn raw(&mut self, statement: &'static str) -> Result<Vec<String>, Failure> {
        use sqlx::Row;
        let found = async |conn: &mut PgConnection| {
            let rows = sqlx::raw_sql(statement).fetch_all(conn).await?;
            rows.iter().map(|row| row.try_get_unchecked(0)).collect::<Result<_, _>>()
        };
        read!(self, conn => found(conn))
    }
}
