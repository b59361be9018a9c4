//! Fleet calls.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;
use thingcall_core::{
    FleetCall, FleetCallId, FleetDevice, FleetEnd, FleetMark, FleetOrder, FleetOutcome, Part, UnixMillis,
};

use super::Sqlite;
use super::trouble::failure;
use super::tx::SqliteTx;
use crate::failure::Failure;
use crate::fleet_rows::{self as rows, calls, fleet_sql};
use crate::fleet_tables::{FleetReads, FleetWrites};

fleet_sql!(
    SqliteConnection,
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    names: "SELECT value FROM json_each($4)",
    // Of an UPDATE it looks at all devices first, and at the ends for each of them: CROSS JOIN says which comes first.
    end: "INSERT INTO fleet_devices (fleet_call, number, name, begun_at, ended_at, outcome, code, message, message_id, result) \
          SELECT d.fleet_call, d.number, d.name, d.begun_at, e.value->>'at', e.value->>'outcome', e.value->>'code', \
          e.value->>'message', e.value->>'message_id', e.value->>'result' FROM json_each($2) AS e CROSS JOIN fleet_devices \
          AS d WHERE d.fleet_call = $1 AND d.number = e.value->>'number' AND d.ended_at IS NULL ON CONFLICT (fleet_call, \
          number) DO UPDATE SET ended_at = excluded.ended_at, outcome = excluded.outcome, code = excluded.code, message = \
          excluded.message, message_id = excluded.message_id, result = excluded.result",
    waiting: "INDEXED BY fleet_devices_to_begin",
    under_way: "INDEXED BY fleet_devices_under_way",
    lock: "SELECT 1"
);

macro_rules! read {
    ($self:ident, $conn:ident => $ask:expr) => {{
        let asked = async {
            let $conn = &mut *$self.reads.acquire().await?;
            $ask.await
        };
        asked.await.map_err(failure)
    }};
}

#[async_trait]
impl FleetReads for Sqlite {
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
impl FleetWrites for SqliteTx<'_> {
    async fn count_fleet_calls(&mut self, account: &str) -> Result<u64, Failure> {
        count_locked(self, account).await.map_err(failure)
    }

    async fn insert_fleet_call(
        &mut self,
        id: &FleetCallId,
        order: &FleetOrder,
        devices_max: u64,
        at: UnixMillis,
    ) -> Result<u64, Failure> {
        insert(self, id, order, devices_max, at).await.map_err(failure)
    }

    async fn cancel_fleet_call(&mut self, id: &FleetCallId, reason: Option<&str>) -> Result<(), Failure> {
        cancel(self, id, reason).await.map_err(failure)
    }

    async fn make_room_for_fleet_call(&mut self, account: &str) -> Result<bool, Failure> {
        make_room(self, account).await.map_err(failure)
    }

    async fn take_fleet_calls(&mut self, by: &str, lease: Duration) -> Result<Vec<FleetCall>, Failure> {
        take(self, by, lease).await.map_err(failure)
    }

    async fn begin_fleet_devices(&mut self, id: &FleetCallId, by: &str, max: u32) -> Result<Vec<FleetDevice>, Failure> {
        begin(self, id, by, max).await.map_err(failure)
    }

    async fn end_fleet_devices(&mut self, id: &FleetCallId, ends: &[(i64, FleetEnd)]) -> Result<(), Failure> {
        end(self, id, ends).await.map_err(failure)
    }

    async fn let_go_of_fleet_calls(&mut self, by: &str) -> Result<(), Failure> {
        let_go(self, by).await.map_err(failure)
    }

    async fn forget_fleet_calls(&mut self, before: UnixMillis) -> Result<u64, Failure> {
        forget(self, before).await.map_err(failure)
    }
}

#[cfg(test)]
mod tests;
