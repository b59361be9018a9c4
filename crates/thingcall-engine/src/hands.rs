//! Calls that plugins have in hand.
//!
//! **Invariant:** an entry lives as long as its guard, or until somebody ends the call, whichever is first.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use foldhash::fast::RandomState;
use thingcall_core::{Call, CallId, CallMode, Device, Handler, RequestId, ServiceId};
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
    /// Who is to hear that somebody ended the call.
    caller: Option<Waker>,
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
        let in_hand = InHand {
            request_id: call.request_id,
            device: call.device.clone(),
            service: call.service.clone(),
            mode: call.mode,
            handler: handler.clone(),
            since,
            caller: None,
        };
        self.lock().insert(call.id, in_hand);
        HeldCall { hands: self, id: call.id }
    }

    /// Ends a call, if a plugin has it in hand, and says of what mode it is.
    pub(crate) fn end(&self, id: CallId) -> Option<CallMode> {
        let in_hand = self.lock().remove(&id)?;
        if let Some(caller) = in_hand.caller {
            caller.wake();
        }
        Some(in_hand.mode)
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
}

impl HeldCall<'_> {
    /// Returns when somebody ends the call; else never.
    pub(crate) async fn ended(&self) {
        poll_fn(|context| match self.hands.lock().get_mut(&self.id) {
            Some(in_hand) => {
                in_hand.caller.get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
        .await;
    }
}

impl Drop for HeldCall<'_> {
    fn drop(&mut self) {
        self.hands.lock().remove(&self.id);
    }
}
