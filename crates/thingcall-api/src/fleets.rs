//! What actions of fleet calls work with.

use std::sync::Arc;

use thingcall_core::{
    AccessKey, CallError, FleetCall, FleetCallId, FleetCalls, FleetError, FleetLimits, FleetMark, FleetOrder, Part,
    Target,
};
use thingcall_tsl::{Registry, Validation};

use crate::error::ActionError;
use crate::gateway::GatewayError;

/// Who keeps fleet calls, and how many there may be.
#[derive(Clone)]
pub struct Fleets {
    /// Who keeps them.
    pub calls: Arc<dyn FleetCalls>,
    /// How many.
    pub limits: FleetLimits,
    /// How many calls of one may begin a second.
    pub calls_per_second_max: u32,
    /// How many bytes arguments may have.
    pub args_bytes_max: usize,
}

/// The same, with the products whose devices are called.
pub(crate) struct FleetDesk {
    pub(crate) fleets: Fleets,
    products: Arc<dyn Registry>,
}

impl FleetDesk {
    pub(crate) fn new(fleets: Fleets, products: Arc<dyn Registry>) -> Self {
        Self { fleets, products }
    }

    /// This one of the key's account, if its rules let it see it. Who may not is told the same of one that is not there.
    pub(crate) async fn seen(
        &self,
        action: &'static str,
        key: &AccessKey,
        id: &FleetCallId,
    ) -> Result<FleetCall, ActionError> {
        let found = self.fleets.calls.fleet_call(&key.account, id).await;
        let is_allowed = match &found {
            Ok(call) => sees(action, key, (call.order.product.as_str(), call.order.key.as_deref())),
            Err(FleetError::NotFound(_)) => key.allows(action, Target::AllProducts),
            Err(_) => true,
        };
        if !is_allowed {
            return Err(GatewayError::Forbidden { action, what: format!("fleet call {id}") }.into());
        }
        Ok(found?)
    }

    /// Those of the key's account that its rules let it see, newest first: at most so many behind so many.
    pub(crate) async fn all_seen(
        &self,
        action: &'static str,
        key: &AccessKey,
        (skip, max): (u64, u64),
    ) -> Result<Part<FleetCall>, ActionError> {
        let calls = &self.fleets.calls;
        if key.allows(action, Target::AllProducts) {
            return Ok(calls.fleet_calls(&key.account, skip, max).await?);
        }
        let mut marks = calls.fleet_marks(&key.account).await?;
        marks.retain(|FleetMark { product, key: by, .. }| sees(action, key, (product.as_str(), by.as_deref())));
        let (skip, max) = (usize::try_from(skip).unwrap_or(usize::MAX), usize::try_from(max).unwrap_or(usize::MAX));
        let mut shown = Vec::new();
        for mark in marks.iter().skip(skip).take(max) {
            match calls.fleet_call(&key.account, &mark.id).await {
                // It made room for another one just now.
                Err(FleetError::NotFound(_)) => {}
                found => shown.push(found?),
            }
        }
        Ok(Part { shown, total: marks.len() as u64 })
    }

    /// Refuses what each device's call would be refused for, before any is made.
    pub(crate) fn check(&self, order: &FleetOrder) -> Result<(), CallError> {
        let unknown = || CallError::UnknownProduct(order.product.to_string());
        let product = self.products.product(&order.product).ok_or_else(unknown)?;
        let (bytes, max) = (order.args.len(), self.fleets.args_bytes_max);
        if bytes > max {
            return Err(CallError::TooLarge(format!("Args has {bytes} bytes; at most {max} are allowed")));
        }
        let check = product.settings.args_check;
        let violated = |violation: thingcall_tsl::Violation| CallError::InvalidArgs(violation.to_string());
        if product.settings.validation == Validation::Free {
            return thingcall_tsl::check_object("Args", &order.args, check).map(drop).map_err(violated);
        }
        let model = product.model.as_ref().ok_or_else(|| CallError::NoModel(product.key.to_string()))?;
        let service = model.service(&order.service).map_err(|why| CallError::UnknownService(why.to_string()))?;
        service.check_args(&order.args, check).map(drop).map_err(violated)
    }
}

/// Whether a key's rules let it see a fleet call of this product that this key made: as much as they say of the product, and its
/// own as long as they say something of its devices.
fn sees(action: &str, key: &AccessKey, (product, by): (&str, Option<&str>)) -> bool {
    let is_own = by == Some(&key.id);
    key.allows(action, Target::Product(product))
        || (is_own && key.allow.as_ref().is_some_and(|rules| rules.allow_some_of(action, product)))
}

impl From<FleetError> for ActionError {
    fn from(error: FleetError) -> Self {
        match &error {
            FleetError::NotFound(_) | FleetError::NoDevices(_) | FleetError::Full(_) => {
                Self::illegal(error.to_string())
            }
            FleetError::Unwritable(why) => CallError::Internal(why.clone()).into(),
            FleetError::Store(why) => {
                tracing::error!(why, "fleet calls cannot be read or written");
                CallError::Internal("the store failed".to_owned()).into()
            }
        }
    }
}
