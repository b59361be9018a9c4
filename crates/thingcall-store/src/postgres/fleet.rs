//! Fleet calls.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;
use thingcall_core::{
    FleetCall, FleetCallId, FleetDevice, FleetEnd, FleetMark, FleetOrder, FleetOutcome, Part, UnixMillis,
};

use super::database::Pg;
use super::trouble::within;
use super::tx::PgTx;
use crate::failure::Failure;
use crate::fleet_rows::{self as rows, calls, fleet_sql};
use crate::fleet_tables::{FleetReads, FleetWrites};

fleet_sql!(
    PgConnection,
    now: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    names: "SELECT jsonb_array_elements_text(CAST($4 AS JSONB))",
    // The second condition on numbers has it look at these alone, whatever it thinks how many devices there are.
    end: "UPDATE fleet_devices SET ended_at = e.at, outcome = e.outcome, code = e.code, message = e.message, message_id = \
          e.message_id, result = e.result FROM jsonb_to_recordset(CAST($2 AS JSONB)) AS e(number BIGINT, at BIGINT, outcome \
          TEXT, code TEXT, message TEXT, message_id TEXT, result TEXT) WHERE fleet_devices.fleet_call = $1 AND \
          fleet_devices.number = e.number AND fleet_devices.number = ANY(ARRAY(SELECT CAST(value->>'number' AS BIGINT) FROM \
          jsonb_array_elements(CAST($2 AS JSONB)))) AND fleet_devices.ended_at IS NULL",
    waiting: "",
    under_way: "",
    lock: "SELECT pg_advisory_xact_lock(439905677684)"
);

macro_rules! read {
    ($self:ident, $conn:ident => $ask:expr) => {
        within(&$self.patience.answer, async {
            let $conn = &mut *$self.reads.acquire().await?;
            $ask.await
        })
        .await
    };
}

#[async_trait]
impl FleetReads for Pg {
    async fn fleet_call(&self, account: &str, id: &FleetCallId) -> Result<Option<FleetCall>, Failure> {
        read!(self, conn => fleet_call(conn, account, id))
    }

    async fn fleet_calls(&self, account: &str, skip: u64, max: u64) -> Result<Part<FleetCall>, Failure> {
        read!(self, conn => fleet_calls(conn, account, skip, max))
    }

    async fn fleet_marks(&self, account: &str) -> Result<Vec<FleetMark>, Failure> {
        read!(self, conn => fleet_marks(conn, account))
    }

    async fn fleet_devices(
        &self,
        id: &FleetCallId,
        outcome: Option<FleetOutcome>,
        skip: u64,
        max: u64,
    ) -> Result<Part<FleetDevice>, Failure> {
        read!(self, conn => fleet_devices(conn, id, outcome, skip, max))
    }
}

#[async_trait]
impl FleetWrites for PgTx<'_> {
    async fn count_fleet_calls(&mut self, account: &str) -> Result<u64, Failure> {
        within(self.patience, count_locked(&mut self.tx, account)).await
    }

    async fn insert_fleet_call(
        &mut self,
        id: &FleetCallId,
        order: &FleetOrder,
        devices_max: u64,
        at: UnixMillis,
    ) -> Result<u64, Failure> {
        within(self.patience, insert(&mut self.tx, id, order, devices_max, at)).await
    }

    async fn cancel_fleet_call(&mut self, id: &FleetCallId, reason: Option<&str>) -> Result<(), Failure> {
        within(self.patience, cancel(&mut self.tx, id, reason)).await
    }

    async fn make_room_for_fleet_call(&mut self, account: &str) -> Result<bool, Failure> {
        within(self.patience, make_room(&mut self.tx, account)).await
    }

    async fn take_fleet_calls(&mut self, by: &str, lease: Duration) -> Result<Vec<FleetCall>, Failure> {
        within(self.patience, take(&mut self.tx, by, lease)).await
    }

    async fn begin_fleet_devices(&mut self, id: &FleetCallId, by: &str, max: u32) -> Result<Vec<FleetDevice>, Failure> {
        within(self.patience, begin(&mut self.tx, id, by, max)).await
    }

    async fn end_fleet_devices(&mut self, id: &FleetCallId, ends: &[(i64, FleetEnd)]) -> Result<(), Failure> {
        within(self.patience, end(&mut self.tx, id, ends)).await
    }

    async fn let_go_of_fleet_calls(&mut self, by: &str) -> Result<(), Failure> {
        within(self.patience, let_go(&mut self.tx, by)).await
    }

    async fn forget_fleet_calls(&mut self, before: UnixMillis) -> Result<u64, Failure> {
        within(self.patience, forget(&mut self.tx, before)).await
    }
}
