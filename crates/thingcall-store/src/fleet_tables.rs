//! The seam between fleet calls and their database, beside that of the rest in `database`.

use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::{
    FleetCall, FleetCallId, FleetDevice, FleetEnd, FleetMark, FleetOrder, FleetOutcome, Part, UnixMillis,
};

use crate::failure::Failure;

/// What is asked.
#[async_trait]
pub(crate) trait FleetReads: Send + Sync {
    /// This one of an account.
    async fn fleet_call(&self, account: &str, id: &FleetCallId) -> Result<Option<FleetCall>, Failure>;

    /// Those of an account, newest first.
    async fn fleet_calls(&self, account: &str, skip: u64, max: u64) -> Result<Part<FleetCall>, Failure>;

    /// All of an account, newest first.
    async fn fleet_marks(&self, account: &str) -> Result<Vec<FleetMark>, Failure>;

    /// The devices of one, in their order; those that ended so, if that is said.
    async fn fleet_devices(
        &self,
        id: &FleetCallId,
        outcome: Option<FleetOutcome>,
        skip: u64,
        max: u64,
    ) -> Result<Part<FleetDevice>, Failure>;
}

/// What is written.
#[async_trait]
pub(crate) trait FleetWrites: Send {
    /// How many an account has; nobody makes another one until the transaction ends.
    async fn count_fleet_calls(&mut self, account: &str) -> Result<u64, Failure>;

    /// A new one, with those of its devices that there are, of more than `devices_max` one more than that. How many there are.
    async fn insert_fleet_call(
        &mut self,
        id: &FleetCallId,
        order: &FleetOrder,
        devices_max: u64,
        at: UnixMillis,
    ) -> Result<u64, Failure>;

    /// No call of it begins any more, for this reason if it is not that somebody wanted it so.
    async fn cancel_fleet_call(&mut self, id: &FleetCallId, reason: Option<&str>) -> Result<(), Failure>;

    /// The one of an account that ended first is forgotten. Whether there was one.
    async fn make_room_for_fleet_call(&mut self, account: &str) -> Result<bool, Failure>;

    /// Those whose calls `by` begins for the next `lease`. Of those that nobody had, the calls that had begun end as unknown.
    async fn take_fleet_calls(&mut self, by: &str, lease: Duration) -> Result<Vec<FleetCall>, Failure>;

    /// The next devices whose calls begin now, if `by` has it. Where none is left to begin and none is under way, it has ended.
    async fn begin_fleet_devices(&mut self, id: &FleetCallId, by: &str, max: u32) -> Result<Vec<FleetDevice>, Failure>;

    /// These calls ended.
    async fn end_fleet_devices(&mut self, id: &FleetCallId, ends: &[(i64, FleetEnd)]) -> Result<(), Failure>;

    /// `by` has none any more.
    async fn let_go_of_fleet_calls(&mut self, by: &str) -> Result<(), Failure>;

    /// Those that ended before this are forgotten. How many.
    async fn forget_fleet_calls(&mut self, before: UnixMillis) -> Result<u64, Failure>;
}
