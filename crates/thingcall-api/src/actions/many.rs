//! One call for many devices: InvokeThingsService and SetDevicesProperty.
//!
//! **Invariant:** all are looked over before the first is called: where one of them would be refused, none is called, and
//! the caller is told which. Their answers are told to whoever wants results, each for itself.

use futures_util::{StreamExt as _, stream};
use thingcall_core::{CallError, DeviceKey, DeviceName, DeviceRef, ErrorCode, Outcome, ProductKey, Request};

use super::target;
use crate::answer::Fields;
use crate::calls::CallDesk;
use crate::error::ActionError;
use crate::params::Params;

/// How many devices one of them is for. Source: Alibaba's reference.
const DEVICES_MAX: usize = 100;

/// How many of them are called at once: the journal writes them together.
const AT_ONCE: usize = 32;

/// Several devices of one product, one at least, each once.
pub(super) struct To {
    product: ProductKey,
    first: DeviceName,
    others: Vec<DeviceName>,
}

impl To {
    pub(super) fn first(&self) -> DeviceRef {
        self.device(&self.first)
    }

    fn device(&self, name: &DeviceName) -> DeviceRef {
        DeviceRef::Key(DeviceKey { product: self.product.clone(), name: name.clone() })
    }
}

/// The devices of `ProductKey` and `DeviceName.N`.
pub(super) fn devices(params: &Params<'_>) -> Result<To, ActionError> {
    let product = target::product(params)?;
    params.has_none(
        "IotId",
        "it is not read here; devices are named by ProductKey and DeviceName.1, DeviceName.2, ...",
    )?;
    let names = params.list("DeviceName")?;
    if names.len() > DEVICES_MAX {
        return Err(too_many(DEVICES_MAX));
    }
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let name = target::device_name(name)?;
        if !all.contains(&name) {
            all.push(name);
        }
    }
    let mut all = all.into_iter();
    let Some(first) = all.next() else {
        return Err(none_named("give DeviceName.1, DeviceName.2, ..."));
    };
    Ok(To { product, first, others: all.collect() })
}

/// What is told where no device is named.
pub(super) fn none_named(right: &str) -> ActionError {
    let text = format!("no device is named; {right}");
    ActionError::service(ErrorCode::NoneDeviceNameElement, Outcome::UnknownTarget, text)
}

/// What is told where too many are.
pub(super) fn too_many(max: usize) -> ActionError {
    ActionError::illegal(format!("DeviceName.N or IotId.N: more than {max} devices are named; name fewer at a time"))
}

/// The same asked of several devices.
pub(crate) struct Many {
    pub(super) first: Request,
    pub(super) to: To,
}

impl Many {
    /// Makes all calls; there is nothing to tell of them beside that they are on their way.
    pub(super) async fn run(self, desk: &CallDesk) -> Result<Fields, ActionError> {
        let Self { first, to } = self;
        let others = to.others.iter().map(|name| Request { target: to.device(name), ..first.clone() });
        let mut requests: Vec<Request> = std::iter::once(first.clone()).chain(others).collect();
        requests.iter_mut().for_each(|request| request.trace = request.trace.as_ref().map(|trace| trace.branch()));
        let looks: Vec<_> = requests.iter().map(|request| desk.look_over(request)).collect();
        let looks = stream::iter(looks).buffered(AT_ONCE);
        let refused = looks.filter_map(|look| std::future::ready(look.err())).collect::<Vec<_>>().await;
        if let Some(why) = refused.into_iter().next() {
            desk.count_refused(why.outcome());
            return Err(why.into());
        }
        let count = requests.len();
        let calls: Vec<_> = requests.into_iter().map(|request| Box::pin(desk.make(request))).collect();
        let calls = stream::iter(calls).buffer_unordered(AT_ONCE);
        let failed = calls.filter_map(|call| std::future::ready(call.err())).collect::<Vec<_>>().await;
        failed.first().map_or(Ok(Vec::new()), |why| Err(some(why, failed.len(), count)))
    }
}

/// What is told where some calls failed that should not have.
fn some(why: &CallError, failed: usize, count: usize) -> ActionError {
    if count == 1 {
        return why.clone().into();
    }
    let text = format!("{failed} of {count} devices were not called, the others were; the first reason: {why}");
    ActionError::partly(why, text)
}
