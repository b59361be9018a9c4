//! Calls that wait for a reply: the one map.
//!
//! **Invariants:** an entry lives exactly as long as its [`PendingCall`], or until a reply or a loss takes it, whichever
//! is first; a guard removes only its own entry. Taking an entry is one atomic step, so a call has one end. No function
//! that touches the map is async: no shard stays locked while something waits.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use thingcall_core::{
    CallId, CallMode, Device, DeviceKey, MalformedReply, Reply, ReplyBody, RequestId, ServiceId, TransportName,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::of_devices::OfDevices;
use crate::recent::{Answer, Recent, Remembered};
use crate::room::{NoRoom, Place, Room};
use crate::waits::{RunningCall, WaitsFor};

/// The calls that wait, and what became of the latest ones.
#[derive(Debug)]
pub(crate) struct PendingCalls {
    /// Its keys are ids of our own making, so a quick hash will do.
    waiting: DashMap<CallId, Waiter, RandomState>,
    /// Counts the guards. The map's own length would need a lock on every shard.
    pub(crate) room: Room,
    /// Tells an entry from an earlier one under the same id.
    generations: AtomicU64,
    of_devices: OfDevices,
    recent: Recent,
}

#[derive(Debug)]
struct Waiter {
    generation: u64,
    device: Arc<Device>,
    transport: TransportName,
    opened_at: Instant,
    request_id: RequestId,
    /// What was asked.
    service: ServiceId,
    /// Whether the device speaks its own bytes: they may not say what they answer.
    raw: bool,
    /// It waits for bytes, and no Alink reply is an answer to it.
    takes_bytes: bool,
    end: oneshot::Sender<End>,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The device answered.
    Replied(Result<ReplyBody, MalformedReply>),
    /// The device answered in bytes that are the caller's to read.
    Said(Bytes),
    /// The device's connection ended.
    DeviceGone,
    /// The broker's connection ended.
    TransportLost,
    /// The engine stops.
    CutOff,
    /// The slot of its id is lost.
    LeaseLost,
    /// An operator ended it.
    Cancelled,
}

/// A call to be entered.
pub(crate) struct Opening<'a> {
    pub(crate) id: CallId,
    pub(crate) device: &'a Arc<Device>,
    pub(crate) transport: TransportName,
    pub(crate) request_id: RequestId,
    pub(crate) service: &'a ServiceId,
    /// Whose call it is, where an account made it.
    pub(crate) account: Option<&'a str>,
}

/// Why a call cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// There is no room for it.
    NoRoom(NoRoom),
    /// A call with this id waits.
    InUse,
}

/// A reply to a call that had ended without one.
#[derive(Debug)]
pub(crate) struct LateReply {
    pub(crate) id: CallId,
    /// So long ago it ended.
    pub(crate) by: Duration,
    /// Its request; of the first such reply alone.
    pub(crate) request_id: Option<RequestId>,
    pub(crate) body: Result<ReplyBody, MalformedReply>,
}

/// What a reply met.
#[derive(Debug)]
pub(crate) enum Met {
    /// The call that waited for it.
    Waiting,
    /// A call that had its answer.
    Duplicate,
    /// A call that ended without an answer.
    Late(LateReply),
    /// A call to another device.
    OtherDevice,
    /// No call that is remembered here. Its body is not taken.
    Nothing,
}

impl PendingCalls {
    pub(crate) fn new(calls_max: usize, recent_calls_max: usize) -> Self {
        Self {
            waiting: DashMap::default(),
            room: Room::new(calls_max),
            generations: AtomicU64::new(0),
            of_devices: OfDevices::new(calls_max),
            recent: Recent::new(recent_calls_max),
        }
    }

    /// Enters a call. It waits until the guard is dropped.
    pub(crate) fn open(&self, opening: Opening<'_>, now: Instant) -> Result<PendingCall<'_>, NotOpened> {
        let Opening { id, device, transport, request_id, service, account } = opening;
        let place = self.room.enter(device.key.product.as_str(), account).map_err(NotOpened::NoRoom)?;
        let (end, ended) = oneshot::channel();
        let shard = self.of_devices.shard(&device.key);
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        match self.waiting.entry(id) {
            dashmap::Entry::Occupied(_) => {
                self.room.leave(&place);
                return Err(NotOpened::InUse);
            }
            dashmap::Entry::Vacant(vacant) => {
                let (device, service) = (device.clone(), service.clone());
                let (opened_at, raw, takes_bytes) = (now, false, false);
                let waiting =
                    Waiter { generation, device, transport, opened_at, request_id, service, raw, takes_bytes, end };
                let _entry = vacant.insert(waiting);
            }
        }
        self.of_devices.enter(shard, id);
        Ok(PendingCall { calls: self, id, generation, shard, place, taken: false, ended })
    }

    /// Whether a call with this id waits.
    pub(crate) fn contains(&self, id: CallId) -> bool {
        self.waiting.contains_key(&id)
    }

    /// Notes that the answer to a call may not say what it answers.
    pub(crate) fn asks_raw(&self, id: CallId) {
        if let Some(mut waiting) = self.waiting.get_mut(&id) {
            waiting.raw = true;
        }
    }

    /// Notes that a call waits for bytes.
    pub(crate) fn takes_bytes(&self, id: CallId) {
        if let Some(mut waiting) = self.waiting.get_mut(&id) {
            waiting.takes_bytes = true;
        }
    }

    /// Whether a call to this device with this id waits for bytes.
    pub(crate) fn waits_for_bytes(&self, device: &DeviceKey, id: CallId) -> bool {
        self.room.taken() > 0
            && self.waiting.get(&id).is_some_and(|waiting| waiting.takes_bytes && waiting.device.key == *device)
    }

    /// Hands bytes to the call that waits for them. Says whether it took them.
    pub(crate) fn said(&self, device: &DeviceKey, id: CallId, bytes: Bytes) -> bool {
        let its = |waiting: &Waiter| waiting.takes_bytes && waiting.device.key == *device;
        let Some((_, waiting)) = self.waiting.remove_if(&id, |_, waiting| its(waiting)) else { return false };
        self.recent.note(id, (waiting.device, waiting.request_id), (Answer::Came, waiting.opened_at));
        waiting.end.send(End::Said(bytes)).is_ok()
    }

    /// What a message of this device answers, if this id says so, or the only call that waits for it.
    pub(crate) fn asked(&self, device: &DeviceKey, id: Option<CallId>) -> Option<ServiceId> {
        let of = |id: CallId| {
            let found = self.waiting.get(&id)?;
            (found.raw && found.device.key == *device).then(|| found.service.clone())
        };
        match id {
            Some(id) => of(id),
            None => {
                let mut all = self.of_devices.near(device).into_iter().filter_map(of);
                all.next().filter(|_| all.next().is_none())
            }
        }
    }

    /// Whether a call to this device waits.
    pub(crate) fn waits_for(&self, device: &DeviceKey) -> bool {
        self.waits_for_named(device.product.as_str(), device.name.as_str())
    }

    /// Whether a call to the device of this product key and name waits.
    pub(crate) fn waits_for_named(&self, product: &str, name: &str) -> bool {
        let is_its = |key: &DeviceKey| key.product.as_str() == product && key.name.as_str() == name;
        let is_to = |id: CallId| self.waiting.get(&id).is_some_and(|waiting| is_its(&waiting.device.key));
        self.room.taken() > 0 && self.of_devices.near_named(product, name).into_iter().any(is_to)
    }

    /// How many calls wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many ended calls are remembered.
    pub(crate) fn remembered(&self) -> usize {
        self.recent.len()
    }

    /// When the oldest waiting call was opened. Looks at every call: for a scrape, not for the path of a call.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.waiting.iter().map(|entry| entry.opened_at).min()
    }

    /// So many of the oldest that wait. Looks at every call: for who asks now and then.
    pub(crate) fn oldest_calls(&self, max: usize) -> Vec<RunningCall> {
        let mut all: Vec<_> = self.waiting.iter().map(|entry| (entry.opened_at, *entry.key())).collect();
        all.sort_unstable_by_key(|(opened_at, _)| *opened_at);
        let call = |(_, id): (Instant, CallId)| {
            let waiting = self.waiting.get(&id)?;
            Some(RunningCall {
                id,
                request_id: waiting.request_id,
                device: waiting.device.key.clone(),
                service: waiting.service.clone(),
                mode: CallMode::Sync,
                waits_for: WaitsFor::Device(waiting.transport),
                age: waiting.opened_at.elapsed(),
            })
        };
        all.into_iter().take(max).filter_map(call).collect()
    }

    /// Ends a call; `false` if none of this id waits.
    pub(crate) fn cancel(&self, id: CallId) -> bool {
        let waits = self.contains(id);
        self.end(id, |_| true, End::Cancelled);
        waits
    }

    /// Hands a reply to the call that waits for it, if that call was made to the device that answers. Takes its body where
    /// that call, or one that has ended, has use for it.
    pub(crate) fn accept(&self, id: CallId, reply: &mut Reply) -> Met {
        let body = |reply: &mut Reply| std::mem::replace(&mut reply.body, Ok(ReplyBody::EMPTY));
        let its = |waiting: &Waiter| waiting.device.key == reply.device && !waiting.takes_bytes;
        match self.waiting.remove_if(&id, |_, waiting| its(waiting)) {
            Some((_, waiting)) => {
                self.recent.note(id, (waiting.device, waiting.request_id), (Answer::Came, waiting.opened_at));
                let request_id = Some(waiting.request_id);
                // A caller that stopped waiting this very moment dropped its receiver: the call has ended its own way.
                match waiting.end.send(End::Replied(body(reply))) {
                    Err(End::Replied(body)) => Met::Late(LateReply { id, by: Duration::ZERO, request_id, body }),
                    Ok(()) | Err(_) => Met::Waiting,
                }
            }
            None if self.contains(id) => Met::OtherDevice,
            None => match self.recent.recall(id, &reply.device) {
                Remembered::Answered => Met::Duplicate,
                Remembered::Unanswered(by, request_id) => {
                    Met::Late(LateReply { id, by, request_id, body: body(reply) })
                }
                Remembered::OtherDevice => Met::OtherDevice,
                Remembered::Nothing => Met::Nothing,
            },
        }
    }

    /// Ends the calls that a device cannot answer any more.
    pub(crate) fn device_gone(&self, device: &DeviceKey, transport: TransportName) {
        let ended = |waiting: &Waiter| waiting.transport == transport && waiting.device.key == *device;
        for id in self.of_devices.near(device) {
            self.end(id, ended, End::DeviceGone);
        }
    }

    /// Ends the calls whose way broke.
    pub(crate) fn transport_lost(&self, transport: TransportName) {
        self.end_all(|waiting| waiting.transport == transport, || End::TransportLost);
    }

    /// Ends every call: the engine stops.
    pub(crate) fn cut_off(&self) {
        self.end_all(|_| true, || End::CutOff);
    }

    /// Ends every call: their slots are lost, and with them the replies.
    pub(crate) fn lease_lost(&self) {
        self.end_all(|_| true, || End::LeaseLost);
    }

    fn end_all(&self, ended: impl Fn(&Waiter) -> bool, end: impl Fn() -> End) {
        let ids: Vec<CallId> = self.waiting.iter().filter(|entry| ended(entry)).map(|entry| *entry.key()).collect();
        for id in ids {
            self.end(id, &ended, end());
        }
    }

    fn end(&self, id: CallId, ended: impl Fn(&Waiter) -> bool, end: End) {
        if let Some((_, waiting)) = self.waiting.remove_if(&id, |_, waiting| ended(waiting)) {
            self.recent.note(id, (waiting.device, waiting.request_id), (Answer::Missing, Instant::now()));
            // Nobody waits any more: the call ended at this moment by itself.
            let _unheard = waiting.end.send(end);
        }
    }
}

/// A call that waits. Dropping it ends the wait and leaves nothing behind.
#[derive(Debug)]
pub(crate) struct PendingCall<'a> {
    calls: &'a PendingCalls,
    id: CallId,
    generation: u64,
    /// Where its device's calls are listed.
    shard: u32,
    place: Place,
    /// Who ended the wait took the entry.
    taken: bool,
    ended: oneshot::Receiver<End>,
}

impl PendingCall<'_> {
    /// Waits for the end. Cancel-safe.
    pub(crate) async fn wait(&mut self) -> End {
        poll_fn(|context| self.poll_wait(context)).await
    }

    /// As [`Self::wait`], for a future that keeps it.
    pub(crate) fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<End> {
        let ended = ready!(Pin::new(&mut self.ended).poll(context));
        self.taken = true;
        // The sender is dropped unsent only with the map itself.
        Poll::Ready(ended.unwrap_or(End::TransportLost))
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.calls.room.leave(&self.place);
        self.calls.of_devices.leave(self.shard, self.id);
        if self.taken {
            return;
        }
        let own = self.calls.waiting.remove_if(&self.id, |_, waiting| waiting.generation == self.generation);
        if let Some((id, waiting)) = own {
            self.calls.recent.note(id, (waiting.device, waiting.request_id), (Answer::Missing, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests;
