//! What actions of fleet calls work with.

use std::sync::Arc;

use thingcall_core::{CallError, FleetCalls, FleetError, FleetLimits, FleetOrder};
use thingcall_tsl::{Registry, Validation};

use crate::error::ActionError;

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
