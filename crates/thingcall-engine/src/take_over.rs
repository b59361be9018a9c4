//! Calls that somebody else accepted: an instance that died, or this server before it was started anew.
//!
//! **Invariants:** a QoS 1 command that may not have arrived leaves under its own id, again where it may have left; one at
//! QoS 0 never leaves twice. No call is ended before a reply to it that is here was heard. What was accepted later is
//! left alone: whoever accepted it lives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{
    Args, CallId, CallMode, DeliverError, Delivery, Device, DeviceKey, DeviceRef, Ending, KeptHop, OpenCall, Outcome,
    Qos, Record, RecordState, Sent, Transport, TransportKind, UnixMillis,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::Engine;
use crate::failures::of_record;
use crate::metrics::Brought;
use crate::transports::NoWay;

/// How many calls are read at once, and are on their way at once.
const PAGE_CALLS: usize = 256;
/// How long replies that are on their way already have to end a QoS 0 call of which nobody knows whether it left.
const GRACE: Duration = Duration::from_secs(2);
/// Before what could not leave is tried again; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Which calls to bring to their end.
#[derive(Debug, Clone)]
pub struct TakeOver {
    /// The slot of their ids.
    pub slot: u8,
    /// Whether new calls get ids of it, too.
    pub own: bool,
    /// The last place in the journal before ours: [`thingcall_core::Journal::last_place`] before the slot was held.
    pub upto: i64,
    /// Who brings them on, for their records.
    pub by: String,
}

/// What is to be done with a call.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing: its reply ends it, or its device's connection to the embedded broker takes it.
    Waits,
    /// It leaves.
    Send,
    /// Nobody knows whether it left, and it must not leave twice.
    GiveUp,
}

/// How far one look at the calls came.
#[derive(Debug, Default)]
struct Pass {
    /// The first that could not leave yet.
    left: Option<i64>,
    sent: u64,
    ended: u64,
}

impl Engine {
    /// Brings calls to their end that somebody else accepted: sends what did not leave for sure, ends what cannot be sent.
    /// Returns when each was sent, has ended, or waits for its reply; or when the slot is lost, or the engine drains. To be
    /// called once the slot is held and [`Self::slots_changed`] was told.
    pub async fn take_over(&self, what: TakeOver) {
        let (began, mut from, mut pause) = (Instant::now(), 0, PAUSE_MIN);
        let (mut sent, mut ended, mut told) = (0, 0, false);
        while self.brings_on(what.slot) {
            let pass = self.pass(&what, from, began.elapsed() >= GRACE).await;
            (sent, ended) = (sent + pass.sent, ended + pass.ended);
            let Some(left) = pass.left else { break };
            from = left;
            if began.elapsed() > GRACE + PAUSE_MAX && !std::mem::replace(&mut told, true) {
                warn!(slot = what.slot, "calls from before cannot be sent yet; they are kept and tried again");
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if sent + ended > 0 {
            info!(slot = what.slot, sent, ended, "calls from before were brought on");
        }
    }

    fn brings_on(&self, slot: u8) -> bool {
        self.slots.holds(CallId::new(slot, 0)) && !self.is_draining()
    }

    /// Looks at all calls from this place on.
    async fn pass(&self, what: &TakeOver, from: i64, settled: bool) -> Pass {
        let (mut pass, mut from) = (Pass::default(), from);
        while from <= what.upto && self.brings_on(what.slot) {
            let page = match self.journal.open_in_slot(what.slot, from..=what.upto, PAGE_CALLS).await {
                Ok(page) => page,
                Err(problem) => {
                    warn!(slot = what.slot, %problem, "calls from before cannot be read; tries again");
                    pass.left = pass.left.or(Some(from));
                    break;
                }
            };
            let (full, last) = (page.len() >= PAGE_CALLS, page.last().map_or(from, |call| call.place));
            if let Err(problem) = self.mark(what, &page, settled).await {
                warn!(slot = what.slot, %problem, "it cannot be noted that calls are taken over; tries again");
                pass.left = pass.left.or(Some(from));
                break;
            }
            self.bring_on(page, settled, &mut pass).await;
            if !full {
                break;
            }
            from = last + 1;
        }
        pass
    }

    /// Notes in the records who brings their calls on: in all of another's, and of one's own before in those that do not
    /// just wait.
    async fn mark(
        &self,
        what: &TakeOver,
        page: &[OpenCall],
        settled: bool,
    ) -> Result<(), thingcall_core::JournalError> {
        let mut places = Vec::new();
        for OpenCall { place, record, .. } in page {
            let marked = record.taken_over.as_ref().is_some_and(|taken| taken.by == what.by);
            if !marked && (!what.own || self.acts(record, settled).await) {
                places.push(*place);
            }
        }
        if places.is_empty() { Ok(()) } else { self.journal.taken_over(&places, &what.by).await }
    }

    /// Whether anything is done with a call of this server's own before its start. What waits for a device of the embedded
    /// broker waits as before.
    async fn acts(&self, record: &Record, settled: bool) -> bool {
        match self.next(record) {
            Next::Waits => false,
            Next::GiveUp => settled,
            Next::Send => match self.way(record).await {
                Ok(Some(Way(_, Ok(transport)))) => transport.kind() != TransportKind::Embedded,
                Ok(Some(Way(_, Err(_))) | None) | Err(NotYet) => true,
            },
        }
    }

    /// The device and the way to it; `None` if it is not registered any more.
    async fn way(&self, record: &Record) -> Result<Option<Way>, NotYet> {
        let key = DeviceRef::Key(record.device.key.clone());
        let Some(found) = self.registry.find(&key).await.map_err(|_| NotYet)? else { return Ok(None) };
        let route = || found.way.as_ref().map(|way| way.route()).unwrap_or_default();
        let transport = self.transports.choose(&found.device, &found.product.settings, route);
        Ok(Some(Way(found.device, transport)))
    }

    /// Does what is to be done with each: devices beside each other, the calls of one in their order.
    async fn bring_on(&self, page: Vec<OpenCall>, settled: bool, pass: &mut Pass) {
        let mut devices: BTreeMap<DeviceKey, Vec<OpenCall>> = BTreeMap::new();
        for call in page {
            match self.next(&call.record) {
                Next::Waits => {}
                Next::GiveUp if !settled => pass.leaves(call.place),
                Next::Send | Next::GiveUp => devices.entry(call.record.device.key.clone()).or_default().push(call),
            }
        }
        let mut running = JoinSet::new();
        for calls in devices.into_values() {
            let Some(engine) = self.me.upgrade() else { return };
            running.spawn(async move { engine.bring_on_of_one(calls).await });
        }
        while let Some(done) = running.join_next().await {
            // One that panicked is tried again with the others.
            let Ok(done) = done else { return pass.leaves(0) };
            done.left.into_iter().for_each(|place| pass.leaves(place));
            (pass.sent, pass.ended) = (pass.sent + done.sent, pass.ended + done.ended);
        }
    }

    async fn bring_on_of_one(self: Arc<Self>, calls: Vec<OpenCall>) -> Pass {
        let mut pass = Pass::default();
        for call in calls {
            let done = match self.next(&call.record) {
                Next::Waits => Ok(None),
                Next::GiveUp => Ok(Some((Outcome::Internal, GAVE_UP.to_owned()))),
                Next::Send if !self.slots.holds(call.record.id) => Err(NotYet),
                Next::Send => self.send(&call, &mut pass).await,
            };
            match done {
                Ok(None) => {}
                Ok(Some((outcome, why))) => {
                    pass.ended += 1;
                    self.end_taken_over(&call.record, outcome, why);
                }
                // The ones behind it wait, so that they stay in their order.
                Err(NotYet) => {
                    pass.leaves(call.place);
                    break;
                }
            }
        }
        pass
    }

    /// Sends a command; gives how the call ended where it cannot be.
    async fn send(&self, call: &OpenCall, pass: &mut Pass) -> Result<Option<(Outcome, String)>, NotYet> {
        let record = &call.record;
        let Some(Way(device, transport)) = self.way(record).await? else {
            return Ok(Some((Outcome::UnknownTarget, "the device is not registered any more".to_owned())));
        };
        if !device.enabled {
            return Ok(Some((Outcome::Denied, "the device was disabled before its command left".to_owned())));
        }
        let transport = match transport {
            Ok(transport) => transport,
            Err(NoWay::Nothing) => return Err(NotYet),
            Err(NoWay::NotHere(name)) => {
                return Ok(Some((Outcome::NotDelivered, format!("its transport {name} is not configured here"))));
            }
        };
        if transport.kind() == TransportKind::Embedded {
            return Ok(None);
        }
        if !transport.ready() {
            return Err(NotYet);
        }
        match transport.deliver(&again(call, device)).await {
            Ok(Sent::Kept) => Ok(None),
            Ok(how) => {
                pass.sent += 1;
                self.metrics.brought(Brought::Sent);
                self.journal.note(&record.device.key, record.id, transport.kind(), how);
                Ok(None)
            }
            Err(DeliverError::Down | DeliverError::Lost | DeliverError::QueueFull(_)) => Err(NotYet),
            Err(problem @ DeliverError::Offline) => Ok(Some((Outcome::Offline, problem.to_string()))),
            Err(problem @ DeliverError::TooLarge { .. }) => Ok(Some((Outcome::TooLarge, problem.to_string()))),
            Err(problem @ DeliverError::Refused(_)) => Ok(Some((Outcome::NotDelivered, problem.to_string()))),
        }
    }

    fn next(&self, record: &Record) -> Next {
        let at_least_once = record.qos == Qos::AtLeastOnce.level();
        match (record.state, record.transport) {
            (RecordState::Acked | RecordState::Ended, _)
            | (_, Some(TransportKind::Embedded | TransportKind::Plugin)) => Next::Waits,
            // Without another way it is in the outbox: no look at each of many devices.
            (RecordState::Queued | RecordState::Sent, _) if at_least_once && self.transports.only_embedded() => {
                Next::Waits
            }
            (RecordState::Queued | RecordState::Sent, _) if at_least_once => Next::Send,
            (RecordState::Sent, _) => Next::Waits,
            (RecordState::Queued, _) => Next::GiveUp,
        }
    }

    fn end_taken_over(&self, record: &Record, outcome: Outcome, why: String) {
        let (device, id) = (record.device.key.clone(), record.id);
        self.journal.end(Ending::Failed { device, id, outcome, why: why.clone() });
        self.metrics.brought(Brought::Ended);
        self.metrics.posted_ended(&record.device.key, record.transport, outcome);
        let ended = Record { message: Some(why), ended_at: Some(UnixMillis::now()), ..record.clone() };
        self.failures.ended(of_record(&ended, outcome));
    }
}

/// It cannot leave now.
struct NotYet;

/// A device, and what leads to it.
struct Way(Arc<Device>, Result<Arc<dyn Transport>, NoWay>);

const GAVE_UP: &str = "whoever accepted it ended before it was noted whether the command left; at QoS 0 it is not sent \
                       again, and the device may have executed it";

impl Pass {
    fn leaves(&mut self, place: i64) {
        self.left = Some(self.left.map_or(place, |left| left.min(place)));
    }
}

/// The command as it was accepted.
fn again(call: &OpenCall, device: Arc<Device>) -> Delivery {
    Delivery {
        letter: None,
        id: call.record.id,
        device,
        service: call.record.service.clone(),
        params: Args::checked(&call.record.params),
        raw: call.raw.clone(),
        mode: CallMode::Async,
        qos: Qos::AtLeastOnce,
        deadline: None,
        sync_topic: None,
        trace: call.record.trace.clone().map(KeptHop::hop),
    }
}
