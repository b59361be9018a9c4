//! Calls that plugins have in hand.
//!
//! **Invariant:** an entry lives as long as its guard, or until somebody ends the call, whichever is first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use thingcall_core::{Call, CallId, CallMode, Device, Handler, RequestId, ServiceId};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The calls.
#[derive(Default)]
pub(crate) struct Hands(Mutex<HashMap<CallId, InHand, RandomState>>);

struct InHand {
    request_id: RequestId,
    device: Arc<Device>,
    service: ServiceId,
    mode: CallMode,
    handler: Arc<dyn Handler>,
    since: Instant,
    end: oneshot::Sender<()>,
}

/// One of them, for whoever looks.
pub(crate) struct Held {
    pub(crate) id: CallId,
    pub(crate) request_id: RequestId,
    pub(crate) device: Arc<Device>,
    pub(crate) service: ServiceId,
    pub(crate) mode: CallMode,
    pub(crate) plugin: Option<String>,
    pub(crate) since: Instant,
}

impl Hands {
    /// A plugin got a call. It has it until the guard is dropped.
    pub(crate) fn enter(&self, call: &Call, handler: &Arc<dyn Handler>, since: Instant) -> HeldCall<'_> {
        let (end, ended) = oneshot::channel();
        let in_hand = InHand {
            request_id: call.request_id,
            device: call.device.clone(),
            service: call.service.clone(),
            mode: call.mode,
            handler: handler.clone(),
            since,
            end,
        };
        self.lock().insert(call.id, in_hand);
        HeldCall { hands: self, id: call.id, ended }
    }

    /// Ends a call, if a plugin has it in hand, and says of what mode it is.
    pub(crate) fn end(&self, id: CallId) -> Option<CallMode> {
        let in_hand = self.lock().remove(&id)?;
        in_hand.end.send(()).ok().map(|()| in_hand.mode)
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Held> {
        let held = |(id, in_hand): (&CallId, &InHand)| Held {
            id: *id,
            request_id: in_hand.request_id,
            device: in_hand.device.clone(),
            service: in_hand.service.clone(),
            mode: in_hand.mode,
            plugin: in_hand.handler.plugin(),
            since: in_hand.since,
        };
        self.lock().iter().map(held).collect()
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, InHand, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that a plugin has in hand.
pub(crate) struct HeldCall<'a> {
    hands: &'a Hands,
    id: CallId,
    ended: oneshot::Receiver<()>,
}

impl HeldCall<'_> {
    /// Returns when somebody ends the call; else never.
    pub(crate) async fn ended(&mut self) {
        if (&mut self.ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for HeldCall<'_> {
    fn drop(&mut self) {
        self.hands.lock().remove(&self.id);
    }
}
