//! Fleet calls, as the API asks for them and as they are made.

use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::{
    DeviceKey, DeviceRef, FleetCall, FleetCallId, FleetCalls, FleetDevice, FleetEnd, FleetError, FleetLimits,
    FleetMark, FleetOrder, FleetOutcome, Part, UnixMillis,
};

use thingcall_tsl::Registry as _;

use crate::database::Tx;
use crate::failure::{Failure, SaysTrouble, Stop, Written, in_words};
use crate::trouble::Trouble;
use crate::{Store, random};

impl SaysTrouble for FleetError {
    fn says(trouble: Trouble, written: Written) -> Self {
        Self::Unwritable(in_words(trouble, written))
    }
}

/// What cannot be read.
fn unread(failure: Failure) -> FleetError {
    FleetError::Store(failure.into_source().to_string())
}

/// Does one thing in a transaction of its own.
macro_rules! transact {
    ($self:ident, $tx:ident => $does:expr) => {{
        let mut side = $self.shared().write.lock().await;
        let done = async {
            let mut $tx = side.conn.begin().await?;
            let done = $does.await?;
            $tx.commit().await?;
            Ok::<_, Stop<FleetError>>(done)
        };
        let done = done.await;
        $self.shared().ended(&mut side, done)
    }};
}

#[async_trait]
impl FleetCalls for Store {
    async fn create(&self, order: FleetOrder, limits: FleetLimits) -> Result<FleetCall, FleetError> {
        let id = random::fleet_call_id().map_err(|error| FleetError::Store(error.to_string()))?;
        let id = FleetCallId::read(&id).ok_or_else(|| FleetError::Store(format!("{id} is no id of a fleet call")))?;
        match transact!(self, tx => put(&mut *tx, &id, &order, limits)) {
            Ok(()) => self.fleet_call(&order.account, &id).await,
            Err(FleetError::NoDevices(why)) => Err(FleetError::NoDevices(why + &self.missing(&order).await)),
            Err(other) => Err(other),
        }
    }

    async fn fleet_call(&self, account: &str, id: &FleetCallId) -> Result<FleetCall, FleetError> {
        let found = self.shared().reads.fleet_call(account, id).await.map_err(unread)?;
        found.ok_or_else(|| FleetError::NotFound(id.clone()))
    }

    async fn fleet_calls(&self, account: &str, skip: u64, max: u64) -> Result<Part<FleetCall>, FleetError> {
        self.shared().reads.fleet_calls(account, skip, max).await.map_err(unread)
    }

    async fn fleet_marks(&self, account: &str) -> Result<Vec<FleetMark>, FleetError> {
        self.shared().reads.fleet_marks(account).await.map_err(unread)
    }

    async fn fleet_devices(
        &self,
        id: &FleetCallId,
        outcome: Option<FleetOutcome>,
        skip: u64,
        max: u64,
    ) -> Result<Part<FleetDevice>, FleetError> {
        self.shared().reads.fleet_devices(id, outcome, skip, max).await.map_err(unread)
    }

    async fn cancel(&self, account: &str, id: &FleetCallId) -> Result<(), FleetError> {
        self.fleet_call(account, id).await?;
        transact!(self, tx => tx.cancel_fleet_call(id, None))
    }

    async fn give_up(&self, id: &FleetCallId, reason: &str) -> Result<(), FleetError> {
        transact!(self, tx => tx.cancel_fleet_call(id, Some(reason)))
    }

    async fn take_fleet_calls(&self, by: &str, lease: Duration) -> Result<Vec<FleetCall>, FleetError> {
        transact!(self, tx => tx.take_fleet_calls(by, lease))
    }

    async fn begin_devices(&self, id: &FleetCallId, by: &str, max: u32) -> Result<Vec<FleetDevice>, FleetError> {
        transact!(self, tx => tx.begin_fleet_devices(id, by, max))
    }

    async fn end_devices(&self, id: &FleetCallId, ends: &[(i64, FleetEnd)]) -> Result<(), FleetError> {
        transact!(self, tx => tx.end_fleet_devices(id, ends))
    }

    async fn let_go(&self, by: &str) -> Result<(), FleetError> {
        transact!(self, tx => tx.let_go_of_fleet_calls(by))
    }

    async fn forget_fleet_calls(&self, before: UnixMillis) -> Result<u64, FleetError> {
        transact!(self, tx => tx.forget_fleet_calls(before))
    }
}

/// Of so many devices that do not exist it is said which.
const NAMED_MAX: usize = 5;

impl Store {
    /// Which of the devices of an order do not exist.
    async fn missing(&self, order: &FleetOrder) -> String {
        let mut missing = Vec::new();
        for name in &order.devices {
            let device = DeviceKey { product: order.product.clone(), name: name.clone() };
            match self.find(&DeviceRef::Key(device)).await {
                Ok(None) if missing.len() < NAMED_MAX => missing.push(name.as_str()),
                Ok(None) => {
                    missing.push("...");
                    break;
                }
                Ok(Some(_)) | Err(_) => {}
            }
        }
        if missing.is_empty() { String::new() } else { format!(": {}", missing.join(", ")) }
    }
}

/// Writes a new one down, if it may be.
async fn put(
    tx: &mut dyn Tx,
    id: &FleetCallId,
    order: &FleetOrder,
    limits: FleetLimits,
) -> Result<(), Stop<FleetError>> {
    let FleetLimits { calls_max, devices_max } = limits;
    if tx.count_fleet_calls(&order.account).await? >= calls_max && !tx.make_room_for_fleet_call(&order.account).await? {
        return Err(Stop::Refused(FleetError::Full(format!(
            "{calls_max} fleet calls of this account run, which is as many as may be (fleet_calls_max); cancel one, or wait until \
             one has ended"
        ))));
    }
    let devices = tx.insert_fleet_call(id, order, devices_max, UnixMillis::now()).await?;
    let product = &order.product;
    let wanted = order.devices.len() as u64;
    if devices == 0 || (wanted > 0 && devices < wanted) {
        let missing = wanted.saturating_sub(devices);
        let text = if wanted == 0 {
            format!("product {product} has no devices")
        } else {
            format!("{missing} of the {wanted} devices do not exist in product {product}, and nothing was called")
        };
        return Err(Stop::Refused(FleetError::NoDevices(text)));
    }
    if devices > devices_max {
        let text = format!(
            "product {product} has more than {devices_max} devices, which is as many as may be (fleet_devices_max)"
        );
        return Err(Stop::Refused(FleetError::Full(text)));
    }
    Ok(())
}
