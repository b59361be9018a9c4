//! The store in one SQLite file: for one server, and the command line beside it.

mod audit;
mod backup;
mod batches;
mod call_records;
mod calls;
mod connection;
mod directory;
mod fleet;
mod history;
mod last_values;
mod log;
mod look;
mod many;
mod message_reads;
mod message_seam;
mod messages;
mod model_versions;
mod once;
mod open;
mod presence;
mod records;
mod registry;
mod registry_seam;
mod results;
mod room;
mod subscriptions;
mod tags;
mod trouble;
mod tx;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use thingcall_core::{
    CallId, DeviceKey, DeviceName, EndedCall, IotId, LastValue, OpenCall, Past, PastWanted, ProductKey, Record,
};

use crate::database::{Database, WriteConnection};
use crate::failure::Failure;
use crate::memory::DeviceEntry;
use crate::open::OpenError;
use crate::sizes::wide;
use crate::told::Told;
use crate::waits::{ReadConnections, Wait};
use connection::SqliteWrite;
use trouble::failure;

pub(crate) use backup::{Examined, examine, snapshot};
pub(crate) use look::look;
#[cfg(test)]
pub(crate) use open::migrations;
pub(crate) use open::{connect_alone, half_of, known};

/// The connections that read.
#[derive(Debug)]
struct Sqlite {
    reads: SqlitePool,
}

/// Opens the file, makes it where there is none, and brings its schema up to date.
pub(crate) async fn open(path: &Path) -> Result<(Arc<dyn Database>, Box<dyn WriteConnection>), OpenError> {
    let (write, reads, options) = open::connect(path).await?;
    Ok((Arc::new(Sqlite { reads }), Box::new(SqliteWrite::new(write, options, path.to_owned()))))
}

#[async_trait]
impl Database for Sqlite {
    fn is_shared(&self) -> bool {
        false
    }

    async fn device(&self, key: &DeviceKey) -> Result<Option<DeviceEntry>, Failure> {
        let found = async { directory::device(&mut *self.reads.acquire().await?, key).await };
        found.await.map_err(failure)
    }

    async fn device_by_id(&self, id: &IotId) -> Result<Option<DeviceEntry>, Failure> {
        directory::device_by_id(&self.reads, id).await.map_err(failure)
    }

    async fn devices(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<DeviceEntry>, Failure> {
        directory::devices(&self.reads, product, after, max).await.map_err(failure)
    }

    async fn records(&self, id: CallId) -> Result<Vec<Record>, Failure> {
        records::find(&self.reads, id).await.map_err(failure)
    }

    async fn records_of_request(&self, request_id: &str) -> Result<Vec<Record>, Failure> {
        records::of_request(&self.reads, request_id).await.map_err(failure)
    }

    async fn last_place(&self) -> Result<i64, Failure> {
        records::last_place(&self.reads).await.map_err(failure)
    }

    async fn open_in_slot(&self, slot: u8, places: RangeInclusive<i64>, max: usize) -> Result<Vec<OpenCall>, Failure> {
        records::open_in_slot(&self.reads, slot, &places, max).await.map_err(failure)
    }

    async fn due(&self, max: usize) -> Result<Vec<EndedCall>, Failure> {
        records::due(&self.reads, max).await.map_err(failure)
    }

    async fn last_values(&self, device: &DeviceKey) -> Result<Vec<LastValue>, Failure> {
        last_values::of(&self.reads, device).await.map_err(failure)
    }

    async fn past(&self, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, Failure> {
        history::of(&self.reads, device, wanted).await.map_err(failure)
    }

    async fn tell(&self, _told: &Told) {
        std::future::pending().await
    }

    fn read_connections(&self) -> ReadConnections {
        let idle = wide(self.reads.num_idle());
        ReadConnections {
            in_use: u64::from(self.reads.size()).saturating_sub(idle),
            max: u64::from(open::READ_CONNECTIONS_MAX),
        }
    }

    /// None is counted: it is the disk that is waited for.
    fn ran_out(&self, _wait: Wait) -> u64 {
        0
    }

    async fn close(&self) {
        self.reads.close().await;
    }
}
