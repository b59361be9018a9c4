//! Calls that are made once, however often they are asked for: `ClientToken`, or the header `Idempotency-Key`.
//!
//! Who asks first *leads*: it claims the token, makes the call in a task of its own, and has the answer kept. Who asks
//! for the same meanwhile follows it, at other instances by looking again and again; who asks later gets what was kept.
//!
//! **Invariants:** a token is claimed, durably, before its call may leave. A call that may have reached its device keeps its token,
//! whatever becomes of its callers; one that did not gives it back. Who led and did not live to tell is never followed by
//! another call: its callers are told that nobody knows, or the MessageId that the journal has. A request without a token
//! pays for two look-ups.

mod ask;
mod kept;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::{
    CallError, Claimed, ErrorCode, Executed, OnceEnd, OnceError, OnceKept, OnceKey, OnceState, OnceTokens, Outcome,
};
use thingcall_metrics::Maker;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::answer::{Fields, Node, text};
use crate::error::{ActionError, ServiceFailure};
use crate::gateway::GatewayError;
use crate::reached::{self, Reached};

pub(crate) use ask::OnceAsk;

/// How often it is looked for the answer to a call that another instance makes.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How soon what could not be written is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How many tokens this instance is about at once.
const FLIGHTS_MAX: usize = 20_000;

/// What an action answers.
pub(crate) type Answered = Result<Fields, ActionError>;

/// How a request with a token was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum How {
    /// It made the call.
    Made,
    /// By the call of another request, which was under way.
    Joined,
    /// With the answer that was kept.
    Kept,
    /// Not at all: its token is of something else.
    Differs,
    /// By what is known of a call whose server is gone.
    Lost,
    /// Not in time: the call was under way and did not end.
    NotYet,
    /// Not at all: the token could not be claimed.
    NotClaimed,
}

/// The calls that are made once.
pub(crate) struct Once {
    tokens: Arc<dyn OnceTokens>,
    flights: Arc<Flights>,
    tasks: TaskTracker,
    answered: EnumMap<How, IntCounter>,
}

/// Those that are led here.
struct Flights {
    all: Mutex<HashMap<OnceKey, Flight>>,
    count: IntGauge,
}

struct Flight {
    digest: [u8; 32],
    landed: watch::Receiver<Option<Landed>>,
}

/// How a flight ended for all who follow it; `NotYet`: for whoever led it alone.
#[derive(Debug, Clone)]
enum Landed {
    With(How, Answered),
    NotYet,
}

/// A place among the flights; it leaves with this value.
struct Place {
    flights: Arc<Flights>,
    key: OnceKey,
    landed: watch::Sender<Option<Landed>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
        self.flights.count.dec();
    }
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<OnceKey, Flight>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request is to do.
enum Turn {
    Lead(Place, watch::Receiver<Option<Landed>>),
    Follow(watch::Receiver<Option<Landed>>),
    Differs,
    Full,
}

impl Once {
    pub(crate) fn new(tokens: Arc<dyn OnceTokens>, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let help = "Requests with an idempotency token that were taken, by how they were answered";
        let count = make.gauge("idempotent_calls_pending", "Idempotency tokens whose calls this instance is about")?;
        Ok(Self {
            tokens,
            flights: Arc::new(Flights { all: Mutex::default(), count }),
            tasks: TaskTracker::new(),
            answered: make.counters("idempotent_requests_total", help, ["result"])?,
        })
    }

    /// Answers a request with a token. `call` makes the call; it is asked at most once, and outlives the request.
    pub(crate) async fn answer<C>(self: &Arc<Self>, ask: OnceAsk, call: impl FnOnce() -> C) -> (How, Answered)
    where
        C: Future<Output = Answered> + Send + 'static,
    {
        let (how, answered) = self.turns(ask, call).await;
        self.answered[how].inc();
        (how, answered)
    }

    async fn turns<C>(self: &Arc<Self>, ask: OnceAsk, call: impl FnOnce() -> C) -> (How, Answered)
    where
        C: Future<Output = Answered> + Send + 'static,
    {
        loop {
            match self.turn(&ask) {
                Turn::Differs => return differs(),
                Turn::Full => {
                    let why = format!("{FLIGHTS_MAX} calls with a ClientToken are under way");
                    return (How::NotClaimed, Err(CallError::Overloaded(why).into()));
                }
                Turn::Lead(place, mut landed) => {
                    // A task of its own: others may wait for it when this caller has gone.
                    self.tasks.spawn(self.clone().lead(ask, place, call()));
                    let landed = landed.wait_for(Option::is_some).await;
                    return match landed.ok().and_then(|landed| landed.clone()) {
                        Some(Landed::With(how, answered)) => (how, answered),
                        Some(Landed::NotYet) | None => not_yet(),
                    };
                }
                Turn::Follow(mut landed) => match timeout_at(ask.deadline, landed.wait_for(Option::is_some)).await {
                    Err(_elapsed) => return not_yet(),
                    Ok(landed) => match landed.ok().and_then(|landed| landed.clone()) {
                        Some(Landed::With(How::Made, answered)) => return (How::Joined, answered),
                        Some(Landed::With(how, answered)) => return (how, answered),
                        // It had less time than this one has.
                        Some(Landed::NotYet) | None if Instant::now() >= ask.deadline => return not_yet(),
                        Some(Landed::NotYet) | None => {}
                    },
                },
            }
        }
    }

    fn turn(&self, ask: &OnceAsk) -> Turn {
        let mut all = self.flights.lock();
        if let Some(flight) = all.get(&ask.claim.key) {
            let same = flight.digest == ask.claim.digest;
            return if same { Turn::Follow(flight.landed.clone()) } else { Turn::Differs };
        }
        if all.len() >= FLIGHTS_MAX {
            return Turn::Full;
        }
        let (landed, seen) = watch::channel(None);
        let key = ask.claim.key.clone();
        all.insert(key.clone(), Flight { digest: ask.claim.digest, landed: seen.clone() });
        self.flights.count.inc();
        Turn::Lead(Place { flights: self.flights.clone(), key, landed }, seen)
    }

    async fn lead(self: Arc<Self>, ask: OnceAsk, place: Place, call: impl Future<Output = Answered> + Send) {
        let landed = loop {
            match self.tokens.claim(&ask.claim).await {
                Ok(Claimed::Ours) => return self.make(&ask, &place, call).await,
                Ok(Claimed::Theirs(kept)) => {
                    if let Some(landed) = self.follow(&ask, kept).await {
                        break landed;
                    }
                }
                Err(error) => {
                    let in_doubt = matches!(error, OnceError::Unwritable { in_doubt: true, .. });
                    place.lands(Landed::With(How::NotClaimed, Err(not_claimed(error))));
                    if in_doubt {
                        self.end(&ask, OnceEnd::Release).await;
                    }
                    return;
                }
            }
        };
        place.lands(landed);
    }

    /// Makes the call, has its answer kept, and tells it.
    async fn make(&self, ask: &OnceAsk, place: &Place, call: impl Future<Output = Answered> + Send) {
        let (answered, reached) = reached::watched(call).await;
        let end = match (&answered, reached) {
            // What was accepted and found no device at QoS 0 is called by who asks again.
            (Ok(_), Reached::Nobody) => OnceEnd::Release,
            (Ok(_) | Err(_), Reached::Nobody | Reached::Perhaps) => kept::end_of(&answered),
        };
        let landed = Landed::With(How::Made, answered);
        // Once a caller has an answer, no other is told: so it is written first, if that can be.
        let first = self.tokens.end(&ask.claim.key, &ask.claim.request_id.to_string(), end.clone()).await;
        place.lands(landed);
        if let Err(error) = first {
            warn!(%error, "the answer to a call that is made once is not kept yet; it is tried again");
            self.end(ask, end).await;
        }
    }

    /// Ends the claim, as often as it must be tried; what nobody wrote is found by who asks when this server is gone.
    async fn end(&self, ask: &OnceAsk, end: OnceEnd) {
        let request = ask.claim.request_id.to_string();
        loop {
            match self.tokens.end(&ask.claim.key, &request, end.clone()).await {
                Ok(_) | Err(OnceError::Closed) => return,
                Err(OnceError::Full(_) | OnceError::NoLease | OnceError::Unwritable { .. } | OnceError::Unread(_)) => {
                    sleep(TRY_AGAIN_AFTER).await;
                }
            }
        }
    }

    /// Waits for the answer to what somebody else claimed; `None`: it is free again.
    async fn follow(&self, ask: &OnceAsk, mut kept: OnceKept) -> Option<Landed> {
        let mut how = How::Kept;
        loop {
            if kept.digest != ask.claim.digest {
                let (how, answered) = differs();
                return Some(Landed::With(how, answered));
            }
            match kept.state {
                OnceState::Ended(answer) => return Some(Landed::With(how, kept::answer_of(&answer))),
                OnceState::Lost { accepted } => {
                    let answered = match accepted {
                        Some(id) => Ok(vec![("Data", Node::Object(vec![("MessageId", text(id.to_string()))]))]),
                        None => Err(lost()),
                    };
                    let end = kept::end_of(&answered);
                    match self.tokens.end(&ask.claim.key, &kept.request_id, end).await {
                        // Somebody else ended it meanwhile, with an answer of his own.
                        Ok(false) => {}
                        Ok(true) | Err(_) => return Some(Landed::With(How::Lost, answered)),
                    }
                }
                OnceState::OnItsWay => {
                    how = How::Joined;
                    if Instant::now() + LOOK_EVERY >= ask.deadline {
                        return Some(Landed::NotYet);
                    }
                    sleep(LOOK_EVERY).await;
                }
            }
            match self.tokens.look(&ask.claim.key).await {
                Ok(Some(now)) => kept = now,
                Ok(None) => return None,
                Err(error) => return Some(Landed::With(How::NotClaimed, Err(not_claimed(error)))),
            }
        }
    }
}

impl Place {
    fn lands(&self, landed: Landed) {
        self.landed.send_replace(Some(landed));
    }
}

fn differs() -> (How, Answered) {
    (How::Differs, Err(GatewayError::OnceDiffers.into()))
}

fn not_yet() -> (How, Answered) {
    let why = "the call that this ClientToken is of was begun by another request and has not ended; ask again with the \
               same token";
    (How::NotYet, Err(failure(ErrorCode::Timeout, Outcome::Timeout, Executed::Maybe, why)))
}

fn lost() -> ActionError {
    let why = "the server that made the call of this ClientToken ended before it knew the answer; the device may have \
               executed it. With another token it would be called again";
    failure(ErrorCode::SystemException, Outcome::Internal, Executed::Maybe, why)
}

/// Somebody may have called the device with this token.
fn unread(why: &str) -> ActionError {
    let why = format!(
        "{why}, so nobody can say now what became of this ClientToken; the device may have executed the call. Ask again with the \
         same token"
    );
    failure(ErrorCode::SystemException, Outcome::Internal, Executed::Maybe, &why)
}

fn not_claimed(error: OnceError) -> ActionError {
    match error {
        OnceError::Full(what) => CallError::Overloaded(what),
        OnceError::NoLease => CallError::NoLease,
        OnceError::Unwritable { why, .. } => CallError::NotRecorded { why, executed: Executed::No },
        OnceError::Unread(why) => return unread(&why),
        OnceError::Closed => CallError::Draining,
    }
    .into()
}

fn failure(code: ErrorCode, outcome: Outcome, executed: Executed, text: &str) -> ActionError {
    ActionError::Service(ServiceFailure { code, outcome, executed, text: text.to_owned(), data: None })
}
