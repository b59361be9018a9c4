//! The connections that read.

use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgPool;
use thingcall_core::{
    CallId, DeviceKey, DeviceName, EndedCall, IotId, LastValue, OpenCall, Past, PastWanted, ProductKey, Record,
};

use super::connection::Patience;
use super::{directory, history, last_values, listen, records};
use crate::database::Database;
use crate::failure::Failure;
use crate::memory::DeviceEntry;
use crate::sizes::wide;
use crate::told::Told;
use crate::waits::{RanOut, ReadConnections, Wait};

/// The connections.
#[derive(Debug)]
pub(super) struct Pg {
    pub(super) reads: PgPool,
    pub(super) patience: Patience,
    pub(super) ran_out: Arc<RanOut>,
}

impl Pg {
    /// Those of this pool.
    pub(super) fn new(reads: PgPool, patience: Patience, ran_out: Arc<RanOut>) -> Self {
        Self { reads, patience, ran_out }
    }
}

/// Asks on one of the connections once it is free.
macro_rules! read {
    ($self:ident, $conn:ident => $ask:expr) => {{
        let lent = std::sync::atomic::AtomicBool::new(false);
        let asked = async {
            let $conn = &mut *$self.reads.acquire().await?;
            lent.store(true, std::sync::atomic::Ordering::Relaxed);
            $ask.await
        };
        crate::postgres::trouble::within_once_lent(&$self.patience.answer, &lent, asked).await
    }};
}
pub(super) use read;

#[async_trait]
impl Database for Pg {
    fn is_shared(&self) -> bool {
        true
    }

    async fn device(&self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure> {
        read!(self, conn => directory::device(conn, key))
    }

    async fn device_by_id(&self, id: &IotId) -> Result<Option<DeviceEntry>, Failure> {
        read!(self, conn => directory::device_by_id(conn, id))
    }

    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure> {
        read!(self, conn => directory::devices(conn, product, after, max))
    }

    async fn records(&self, id: CallId) -> Result<Vec<Record>, Failure> {
        read!(self, conn => records::find(conn, id))
    }

    async fn records_of_request(&self, request_id: &str) -> Result<Vec<Record>, Failure> {
        read!(self, conn => records::of_request(conn, request_id))
    }

    async fn last_place(&self) -> Result<i64, Failure> {
        read!(self, conn => records::last_place(conn))
    }

    async fn open_in_slot(&self, slot: u8, places: RangeInclusive<i64>, max: usize) -> Result<Vec<OpenCall>, Failure> {
        read!(self, conn => records::open_in_slot(conn, slot, &places, max))
    }

    async fn due(&self, max: usize) -> Result<Vec<EndedCall>, Failure> {
        read!(self, conn => records::due(conn, max))
    }

    async fn last_values(&self, device: &DeviceKey) -> Result<Vec<LastValue>, Failure> {
        read!(self, conn => last_values::of(conn, device))
    }

    async fn past(&self, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, Failure> {
        read!(self, conn => history::of(conn, device, wanted))
    }

    async fn tell(&self, told: &Told) {
        listen::tell(&self.reads.connect_options(), &self.patience, told).await;
    }

    fn read_connections(&self) -> ReadConnections {
        let idle = wide(self.reads.num_idle());
        let max = u64::from(self.reads.options().get_max_connections());
        ReadConnections { in_use: u64::from(self.reads.size()).saturating_sub(idle), max }
    }

    fn ran_out(&self, wait: Wait) -> u64 {
        self.ran_out.of(wait)
    }

    async fn close(&self) {
        self.reads.close().await;
    }
}
