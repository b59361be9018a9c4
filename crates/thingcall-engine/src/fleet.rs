//! Makes the calls of fleet calls: each like a caller's own, by [`Engine::invoke`].
//!
//! **Invariants:** no call is made before the store has that it begins. So many are under way as a fleet call says, and no more
//! begin a second. Of what another instance had begun, none is made again. Each is made with the access key that ordered it, as
//! long as there is that key, it is enabled, and its rules allow it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{
    AccessKey, Answer, Asks, Begins, CallError, Deadline, DeviceKey, DeviceRef, Executed, FleetCall, FleetCallId,
    FleetCalls, FleetDevice, FleetEnd, FleetOutcome, Keys, RecordedKey, ReplyBody, Request, RequestId, Target,
    UnixMillis,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Engine, Invoked};

/// For how long an instance has a fleet call, unless it says again that it does.
const LEASE: Duration = Duration::from_secs(15);
/// How often it looks for some.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// How often what has ended since is written, and what begins next is asked for.
const ROUND: Duration = Duration::from_millis(100);
/// How often those that ended long ago are forgotten.
const FORGET_EACH: Duration = Duration::from_secs(600);

/// What their keys' rules must allow.
const ORDERED_BY: &str = "CreateFleetCall";
/// What is told of a device that they do not allow any more.
const FORBIDDEN: &str = "Forbidden.RAM";

/// What fleet calls are made of.
pub struct FleetParts {
    /// Who keeps them.
    pub fleets: Arc<dyn FleetCalls>,
    /// The access keys.
    pub keys: Arc<dyn Keys>,
    /// Names this instance, and no other.
    pub by: String,
}

/// Who makes them here.
struct Runner {
    engine: Arc<Engine>,
    fleets: Arc<dyn FleetCalls>,
    keys: Arc<dyn Keys>,
    by: String,
    stop: CancellationToken,
}

impl Engine {
    /// Makes the calls of fleet calls until `stop`. Then begins none, waits at most `within` for those under way, and lets
    /// others go on.
    pub async fn run_fleet_calls(self: Arc<Self>, parts: FleetParts, stop: CancellationToken, within: Duration) {
        let FleetParts { fleets, keys, by } = parts;
        let runner = Arc::new(Runner { engine: self, fleets, keys, by, stop });
        let mut running = JoinSet::new();
        let mut ours = HashSet::new();
        let mut forget_at = Instant::now();
        while !runner.stop.is_cancelled() {
            while let Some(Ok(ended)) = running.try_join_next() {
                ours.remove(&ended);
            }
            runner.look(&mut ours, &mut running).await;
            if Instant::now() >= forget_at {
                forget_at = Instant::now() + FORGET_EACH;
                runner.forget().await;
            }
            let _stopped = runner.stop.run_until_cancelled(sleep(LOOK_EACH)).await;
        }
        let _late = timeout(within, async { while running.join_next().await.is_some() {} }).await;
        running.shutdown().await;
        if let Err(error) = runner.fleets.let_go(&runner.by).await {
            warn!(%error, "fleet calls could not be let go of; another instance goes on when their time is over");
        }
    }
}

impl Runner {
    /// Takes those that nobody has.
    async fn look(self: &Arc<Self>, ours: &mut HashSet<FleetCallId>, running: &mut JoinSet<FleetCallId>) {
        let taken = match self.fleets.take_fleet_calls(&self.by, LEASE).await {
            Ok(taken) => taken,
            // The store itself says it in the log, once.
            Err(error) => return debug!(%error, "fleet calls cannot be read; tries again"),
        };
        for call in taken {
            if ours.insert(call.id.clone()) {
                let (runner, id) = (self.clone(), call.id.clone());
                running.spawn(async move {
                    runner.run(call).await;
                    id
                });
            }
        }
    }

    async fn forget(&self) {
        let kept_for = i64::try_from(self.engine.config.fleet_calls_kept_for.as_millis()).unwrap_or(i64::MAX);
        let before = UnixMillis(UnixMillis::now().0.saturating_sub(kept_for));
        match self.fleets.forget_fleet_calls(before).await {
            Ok(0) => {}
            Ok(forgotten) => info!(forgotten, "fleet calls that ended long ago were forgotten"),
            Err(error) => warn!(%error, "old fleet calls cannot be forgotten; tries again"),
        }
    }

    /// Makes the calls of one.
    async fn run(&self, call: FleetCall) {
        info!(id = %call.id, product = %call.order.product, service = %call.order.service, devices = call.total, "fleet call");
        self.engine.fleet.running.inc();
        let call = Arc::new(call);
        let (mut under_way, mut ends) = (JoinSet::new(), Vec::new());
        let (mut next_at, mut is_over) = (Instant::now(), false);
        loop {
            // From here, so that what is written in it is no part of the pace.
            let round = Instant::now() + ROUND;
            ends = self.keep(&call, ends).await;
            let (begun, key) = match self.key(&call) {
                Ok(key) => (self.begin(&call, under_way.len()).await, key),
                Err(why) => {
                    is_over = is_over || self.gives_up(&call, &why).await;
                    (Vec::new(), None)
                }
            };
            if begun.is_empty() && under_way.is_empty() && ends.is_empty() {
                break;
            }
            for device in begun {
                sleep_until(next_at).await;
                next_at =
                    next_at.max(Instant::now() - ROUND) + Duration::from_secs(1) / call.order.calls_per_second.max(1);
                let (engine, call, key) = (self.engine.clone(), call.clone(), key.clone());
                under_way.spawn(async move { (device.number, engine.of_fleet(&call, key, device).await) });
            }
            // Those that have ended go first: a round that is over takes no more room.
            while let Some(Ok(ended)) = tokio::select! {
                biased;
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => Some(ended),
                () = sleep_until(round) => None,
            } {
                ends.push(ended);
            }
        }
        self.engine.fleet.running.dec();
    }

    /// The key that its calls are made with; none for one that was ordered when that was not kept.
    fn key(&self, call: &FleetCall) -> Result<Option<Arc<AccessKey>>, String> {
        let Some(id) = &call.order.key else { return Ok(None) };
        match self.keys.key(id) {
            Some(key) if key.stands(UnixMillis::now()) => Ok(Some(key)),
            Some(key) if key.enabled => Err(format!("its access key {id} has ended")),
            Some(_) => Err(format!("its access key {id} is disabled")),
            None => Err(format!("its access key {id} is not there any more")),
        }
    }

    /// Begins no more calls of it, ever.
    async fn gives_up(&self, call: &FleetCall, why: &str) -> bool {
        let kept = self.fleets.give_up(&call.id, why).await;
        match &kept {
            Ok(()) => warn!(id = %call.id, why, "no more calls of a fleet call begin"),
            Err(error) => warn!(id = %call.id, why, %error, "a fleet call cannot be given up; tries again"),
        }
        kept.is_ok()
    }

    /// Which devices are called next.
    async fn begin(&self, call: &FleetCall, under_way: usize) -> Vec<FleetDevice> {
        let room = call.order.in_flight.saturating_sub(u32::try_from(under_way).unwrap_or(u32::MAX));
        // No more than begin until the next round: what has begun and was not made is told as what may have been executed.
        let max = room.min(call.order.calls_per_second.div_ceil(10).max(1));
        if max == 0 || self.stop.is_cancelled() {
            return Vec::new();
        }
        self.fleets.begin_devices(&call.id, &self.by, max).await.unwrap_or_else(|error| {
            warn!(id = %call.id, %error, "a fleet call cannot go on now; tries again");
            Vec::new()
        })
    }

    /// Keeps how calls ended; gives back what could not be written.
    async fn keep(&self, call: &FleetCall, ends: Vec<(i64, FleetEnd)>) -> Vec<(i64, FleetEnd)> {
        if ends.is_empty() {
            return ends;
        }
        if let Err(error) = self.fleets.end_devices(&call.id, &ends).await {
            warn!(id = %call.id, %error, "ends of a fleet call cannot be written; tries again");
            return ends;
        }
        ends.iter().for_each(|(_, end)| self.engine.fleet.ended(end.outcome));
        Vec::new()
    }
}

impl Engine {
    /// Calls one device of it.
    async fn of_fleet(&self, call: &FleetCall, key: Option<Arc<AccessKey>>, device: FleetDevice) -> FleetEnd {
        let now = Instant::now();
        let order = &call.order;
        let target = Target::Device { product: order.product.as_str(), name: device.name.as_str() };
        if let Some(key) = key.as_ref().filter(|key| !key.allows(ORDERED_BY, target)) {
            return forbidden(&key.id);
        }
        let request = Request {
            request_id: RequestId::random(),
            action: ORDERED_BY,
            key: key.map(RecordedKey::Signed),
            arrived: now.into_std(),
            target: DeviceRef::Key(DeviceKey { product: order.product.clone(), name: device.name }),
            asks: Asks::Service,
            service: order.service.clone(),
            args: order.args.clone(),
            qos: order.qos,
            deadline: Deadline::at((now + self.reply_timeout()).into_std()),
            fails_by_code: false,
            trace: self.tracer.as_ref().map(|tracer| tracer.clone().begin(Begins::Call, now.into_std())),
        };
        end_of(self.invoke(request).await)
    }
}

/// What is kept of a device that this key's rules do not allow any more.
fn forbidden(key: &str) -> FleetEnd {
    let message = format!("it was not called: no rule of access key {key} allows {ORDERED_BY} of it any more");
    FleetEnd {
        outcome: FleetOutcome::Failed,
        code: Some(FORBIDDEN.to_owned()),
        message: Some(message),
        message_id: None,
        result: None,
        at: UnixMillis::now(),
    }
}

/// What is kept of a call that ended so.
fn end_of(invoked: Result<Invoked, CallError>) -> FleetEnd {
    let at = UnixMillis::now();
    let nothing =
        FleetEnd { outcome: FleetOutcome::Succeeded, code: None, message: None, message_id: None, result: None, at };
    match invoked {
        Ok(Invoked { id, answer: Answer::Accepted, .. }) => FleetEnd { message_id: Some(id.to_string()), ..nothing },
        Ok(Invoked { id, answer: Answer::Replied(body), .. }) => {
            let is_success = body.code == ReplyBody::SUCCESS;
            let outcome = if is_success { FleetOutcome::Succeeded } else { FleetOutcome::Failed };
            let code = (!is_success).then(|| body.code.to_string());
            let (message_id, result) = (Some(id.to_string()), Some(body.data));
            FleetEnd { outcome, code, message: body.message, message_id, result, at }
        }
        Err(error) => {
            let outcome = match error.executed() {
                Executed::Maybe => FleetOutcome::Unknown,
                Executed::No | Executed::Yes => FleetOutcome::Failed,
            };
            let (code, message) = (Some(error.code().as_str().to_owned()), Some(error.to_string()));
            FleetEnd { outcome, code, message, ..nothing }
        }
    }
}
