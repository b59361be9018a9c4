//! Rows of devices have no log beside them, and nobody counts them.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use async_trait::async_trait;
use thingcall_core::{
    DeviceKey, FleetCall, FleetCallId, FleetDevice, FleetMark, FleetOutcome, Message, OnceKey, Part, ProductKey,
    ReaderName, UnixMillis, Wanted,
};
use thingcall_tsl::{Applied, Batch, BatchId, DeviceCounts, DevicePage, ModelVersion};

use super::Rows;
use crate::failure::Failure;
use crate::fleet_tables::FleetReads;
use crate::groups::Subscribed;
use crate::memory::DeviceEntry;
use crate::message_tables::{Dead, Limits, MessageReads, ReaderRow};
use crate::once_counts::Held;
use crate::once_table::{OnceReads, OnceRow};
use crate::registry_tables::RegistryReads;

#[async_trait]
impl MessageReads for Rows {
    async fn readers(&self) -> Result<Vec<ReaderRow>, Failure> {
        Ok(Vec::new())
    }
    async fn reader_names(&self) -> Result<Vec<ReaderName>, Failure> {
        Ok(Vec::new())
    }
    async fn reader(&self, _: &ReaderName) -> Result<Option<ReaderRow>, Failure> {
        Ok(None)
    }
    async fn messages(&self, _: RangeInclusive<i64>, _: &Wanted, _: usize) -> Result<Vec<Message>, Failure> {
        Ok(Vec::new())
    }
    async fn messages_at(&self, _: &[i64]) -> Result<Vec<Message>, Failure> {
        Ok(Vec::new())
    }
    async fn count_messages(&self, _: RangeInclusive<i64>, _: &Wanted) -> Result<u64, Failure> {
        Ok(0)
    }
    async fn subscribed(&self) -> Result<Subscribed, Failure> {
        Ok(Subscribed::default())
    }
    async fn places(&self) -> Result<RangeInclusive<i64>, Failure> {
        Ok(RangeInclusive::new(1, 0))
    }
    async fn message_bytes(&self) -> Result<u64, Failure> {
        Ok(0)
    }
    async fn count_backlog(&self, _: &ReaderName) -> Result<(u64, u64), Failure> {
        Ok((0, 0))
    }
    async fn excess(&self, _: &Limits, _: i64) -> Result<Option<i64>, Failure> {
        Ok(None)
    }
    async fn dead(&self, _: &ReaderName, _: i64, _: usize) -> Result<Vec<Dead>, Failure> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl RegistryReads for Rows {
    async fn named(&self, _: &ProductKey, _: (&str, &str), _: &str, _: usize) -> Result<Vec<DeviceEntry>, Failure> {
        Ok(Vec::new())
    }

    async fn page(&self, _: &ProductKey, _: &DevicePage) -> Result<Vec<DeviceEntry>, Failure> {
        Ok(Vec::new())
    }
    async fn device_counts(&self, _: &[ProductKey]) -> Result<HashMap<ProductKey, DeviceCounts>, Failure> {
        Ok(HashMap::new())
    }
    async fn batch(&self, _: BatchId) -> Result<Option<Batch>, Failure> {
        Ok(None)
    }
    async fn batch_devices(&self, _: BatchId) -> Result<Vec<Applied>, Failure> {
        Ok(Vec::new())
    }
    async fn batch_left(&self, _: &Batch) -> Result<u64, Failure> {
        Ok(0)
    }
    async fn batch_page(&self, _: &Batch, _: u64, _: usize) -> Result<Vec<DeviceEntry>, Failure> {
        Ok(Vec::new())
    }
    async fn count_batches(&self) -> Result<u64, Failure> {
        Ok(0)
    }
    async fn model_versions(&self, _: &ProductKey) -> Result<Vec<ModelVersion>, Failure> {
        Ok(Vec::new())
    }
    async fn model_texts(&self, _: &ProductKey, _: &str) -> Result<Option<String>, Failure> {
        Ok(None)
    }
    async fn tags(&self, _: &DeviceKey) -> Result<BTreeMap<String, String>, Failure> {
        Ok(BTreeMap::new())
    }
}

#[async_trait]
impl OnceReads for Rows {
    async fn once(&self, _: &OnceKey) -> Result<Option<OnceRow>, Failure> {
        Ok(None)
    }
    async fn once_size(&self, _: UnixMillis) -> Result<HashMap<String, Held>, Failure> {
        Ok(HashMap::new())
    }
}

#[async_trait]
impl FleetReads for Rows {
    async fn fleet_call(&self, _: &str, _: &FleetCallId) -> Result<Option<FleetCall>, Failure> {
        Ok(None)
    }
    async fn fleet_calls(&self, _: &str, _: u64, _: u64) -> Result<Part<FleetCall>, Failure> {
        Ok(Part { shown: Vec::new(), total: 0 })
    }
    async fn fleet_marks(&self, _: &str) -> Result<Vec<FleetMark>, Failure> {
        Ok(Vec::new())
    }
    async fn fleet_devices(
        &self,
        _: &FleetCallId,
        _: Option<FleetOutcome>,
        _: u64,
        _: u64,
    ) -> Result<Part<FleetDevice>, Failure> {
        Ok(Part { shown: Vec::new(), total: 0 })
    }
}
