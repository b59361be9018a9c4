//! A request becomes a call: the one place where it is checked.

use std::sync::Arc;

use thingcall_core::{
    Args, Asks, Call, CallError, CallMode, Codec, Deadline, Device, DeviceRef, LookedUp, RecordedKey, Request,
};
use thingcall_tsl::{CallType, DataFormat, Found, Product, Service, Validation, Violation, Way, check_object};
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Engine;
use crate::metrics::Checked;

/// A checked call and the product it was checked against.
pub(crate) struct Admitted {
    pub(crate) call: Call,
    pub(crate) product: Arc<Product>,
    /// What the caller asked for it.
    pub(crate) action: &'static str,
    /// Who signed.
    pub(crate) key: Option<RecordedKey>,
    /// Who translates, where the product's devices speak their own bytes.
    pub(crate) codec: Option<Arc<dyn Codec>>,
    /// What is learnt of the way to the device.
    pub(crate) way: Option<Arc<dyn Way>>,
    /// The service that the arguments were checked against, where they were.
    pub(crate) service: Option<Arc<Service>>,
}

/// A request that was let in.
pub(crate) struct Arrived {
    pub(crate) request: Request,
    pub(crate) started: Instant,
    /// A drain waits for it.
    pub(crate) running: TaskTrackerToken,
}

/// What the checks of a request found.
pub(crate) struct Checks {
    device: Arc<Device>,
    product: Arc<Product>,
    codec: Option<Arc<dyn Codec>>,
    way: Option<Arc<dyn Way>>,
    asked: Asked,
}

/// What is asked of the device.
struct Asked {
    mode: CallMode,
    /// The arguments, where they were not quite JSON.
    mended: Option<String>,
    service: Option<Arc<Service>>,
}

/// A call that was let in and checked.
pub(crate) struct Begun {
    /// A drain waits for it.
    pub(crate) _running: TaskTrackerToken,
    pub(crate) admitted: Admitted,
    pub(crate) deadline: Deadline,
    /// When the request came.
    pub(crate) arrived: Instant,
    pub(crate) started: Instant,
    pub(crate) validated: Instant,
    /// Whether the caller gets a device's code other than 200 as an error.
    pub(crate) fails_by_code: bool,
}

impl Engine {
    /// Checks a request against what the registry found and the product's model.
    pub(crate) fn check(&self, request: &Request, found: LookedUp<Found>) -> Result<Checks, CallError> {
        let found = found?.ok_or_else(|| self.not_found(&request.target))?;
        let Found { device, product, way } = found;
        if !device.enabled {
            return Err(CallError::DeviceDisabled(device.key.to_string()));
        }
        let of_letter = match &request.asks {
            Asks::Letter(letter) if letter.to.is_question() => Some(CallMode::Sync),
            Asks::Letter(_) | Asks::LetterUnawaited(_) => Some(CallMode::Async),
            Asks::Service | Asks::ServiceUnawaited | Asks::Properties => None,
        };
        if let Some(mode) = of_letter {
            let asked = Asked { mode, mended: Some("{}".to_owned()), service: None };
            return Ok(Checks { device, product, codec: None, way, asked });
        }
        self.check_size(request)?;
        let codec = self.codec(&product)?;
        let asked = self.check_args(request, &product)?;
        Ok(Checks { device, product, codec, way, asked })
    }

    /// Makes a call of a request that was checked, with an id in this slot.
    pub(crate) fn admit(&self, request: Request, slot: u8, checks: Checks) -> Admitted {
        let Checks { device, product, codec, way, asked: Asked { mode, mended, service } } = checks;
        let letter = match request.asks {
            Asks::Letter(letter) | Asks::LetterUnawaited(letter) => Some(letter),
            Asks::Service | Asks::ServiceUnawaited | Asks::Properties => None,
        };
        let call = Call {
            letter,
            id: self.ids.next(slot, |id| self.pending.contains(id) || self.unawaited.contains(id)),
            request_id: request.request_id,
            device,
            service: request.service,
            mode,
            qos: request.qos,
            args: Args::checked(mended.as_deref().unwrap_or(&request.args)),
            deadline: (mode == CallMode::Sync).then_some(request.deadline),
            trace: request.trace,
        };
        Admitted { call, product, action: request.action, key: request.key, codec, way, service }
    }

    fn not_found(&self, target: &DeviceRef) -> CallError {
        match target {
            DeviceRef::IotId(id) => CallError::UnknownIotId(id.to_string()),
            DeviceRef::Key(key) if self.registry.product(&key.product).is_none() => {
                CallError::UnknownProduct(key.product.to_string())
            }
            DeviceRef::Key(key) => CallError::UnknownDevice(key.to_string()),
        }
    }

    fn codec(&self, product: &Product) -> Result<Option<Arc<dyn Codec>>, CallError> {
        if product.settings.data_format != DataFormat::Custom {
            return Ok(None);
        }
        self.router.codec(&product.key).map(Some).ok_or_else(|| {
            CallError::NotDelivered(format!(
                "product {} has the data format `custom`, and no plugin translates to its devices' bytes; load one \
                whose `codecs` name the product",
                product.key
            ))
        })
    }

    fn check_size(&self, request: &Request) -> Result<(), CallError> {
        let (bytes, max) = (request.args.len(), self.config.args_bytes_max.get());
        if bytes <= max {
            return Ok(());
        }
        let name = request.asks.args_name();
        Err(CallError::TooLarge(format!("{name} has {bytes} bytes; at most {max} are allowed")))
    }

    /// Checks the arguments against the model, and says who waits for the device. Gives the arguments' right text where
    /// the caller's had to be mended.
    fn check_args(&self, request: &Request, product: &Product) -> Result<Asked, CallError> {
        let refuse = |violation: Violation| {
            self.metrics.violation(Checked::Args, violation.kind);
            CallError::InvalidArgs(violation.to_string())
        };
        let check = product.settings.args_check;
        if product.settings.validation == Validation::Free {
            let checked = check_object(request.asks.args_name(), &request.args, check);
            return Ok(Asked { mode: CallMode::Async, mended: checked.map_err(refuse)?, service: None });
        }
        let model = product.model.as_ref().ok_or_else(|| CallError::NoModel(product.key.to_string()))?;
        if request.asks == Asks::Properties {
            let mended = model.check_properties(&request.args, check).map_err(refuse)?;
            return Ok(Asked { mode: CallMode::Async, mended, service: None });
        }
        let service = model.shared_service(&request.service).map_err(|e| CallError::UnknownService(e.to_string()))?;
        let mended = service.check_args(&request.args, check).map_err(refuse)?;
        let mode = match (service.call_type(), &request.asks) {
            (CallType::Sync, Asks::Service) => CallMode::Sync,
            (CallType::Async, _)
            | (
                CallType::Sync,
                Asks::ServiceUnawaited | Asks::Properties | Asks::Letter(_) | Asks::LetterUnawaited(_),
            ) => CallMode::Async,
        };
        Ok(Asked { mode, mended, service: Some(service.clone()) })
    }
}
