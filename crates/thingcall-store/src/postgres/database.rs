//! The connections that read.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use thingcall_core::{CallId, DeviceKey, DeviceName, EndedCall, IotId, OpenCall, ProductKey, Record};

use super::trouble::within;
use super::{directory, records};
use crate::database::{Database, Slots};
use crate::failure::Failure;
use crate::memory::DeviceEntry;

/// The connections.
#[derive(Debug)]
pub(super) struct Pg {
    reads: PgPool,
    /// How long an answer may take.
    patience: Duration,
}

impl Pg {
    /// Those of this pool.
    pub(super) fn new(reads: PgPool, patience: Duration) -> Self {
        Self { reads, patience }
    }
}

#[async_trait]
impl Database for Pg {
    fn is_shared(&self) -> bool {
        true
    }

    async fn device(&self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure> {
        within(self.patience, directory::device(&self.reads, key)).await
    }

    async fn device_by_id(&self, id: &IotId) -> Result<Option<DeviceEntry>, Failure> {
        within(self.patience, directory::device_by_id(&self.reads, id)).await
    }

    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure> {
        within(self.patience, directory::devices(&self.reads, product, after, max)).await
    }

    async fn count_devices(&self, product: &ProductKey) -> Result<u64, Failure> {
        within(self.patience, directory::count_devices_of(&self.reads, product)).await
    }

    async fn records(&self, id: CallId) -> Result<Vec<Record>, Failure> {
        within(self.patience, records::find(&self.reads, id)).await
    }

    async fn records_of_request(&self, request_id: &str) -> Result<Vec<Record>, Failure> {
        within(self.patience, records::of_request(&self.reads, request_id)).await
    }

    async fn last_place(&self) -> Result<i64, Failure> {
        within(self.patience, records::last_place(&self.reads)).await
    }

    async fn open_in_slot(&self, slot: u8, places: RangeInclusive<i64>, max: usize) -> Result<Vec<OpenCall>, Failure> {
        within(self.patience, records::open_in_slot(&self.reads, slot, &places, max)).await
    }

    async fn due(&self, slots: Slots<'_>, max: usize) -> Result<Vec<EndedCall>, Failure> {
        within(self.patience, records::due(&self.reads, slots, max)).await
    }

    async fn close(&self) {
        self.reads.close().await;
    }
}
