//! A database without records of calls: devices are looked up without them.

use async_trait::async_trait;
use thingcall_core::{CallFilter, CallOrder, CallSource, KeptCall, ServiceCalls};

use super::Rows;
use crate::failure::Failure;
use crate::message_tables::Limits;
use crate::record_tables::{RecordReads, RecordSize};

#[async_trait]
impl RecordReads for Rows {
    async fn kept_calls(
        &self,
        _: CallSource,
        _: &CallFilter,
        _: (CallOrder, i64),
        _: usize,
    ) -> Result<Vec<KeptCall>, Failure> {
        Ok(Vec::new())
    }

    async fn service_calls(&self, _: CallSource, _: &ServiceCalls, _: usize) -> Result<Vec<KeptCall>, Failure> {
        Ok(Vec::new())
    }

    async fn last_record(&self) -> Result<i64, Failure> {
        Ok(0)
    }

    async fn record_size(&self) -> Result<RecordSize, Failure> {
        Ok(RecordSize::default())
    }

    async fn record_excess(&self, _: &Limits, _: i64) -> Result<Option<i64>, Failure> {
        Ok(None)
    }
}
