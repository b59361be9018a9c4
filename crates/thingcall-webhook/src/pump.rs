//! Takes one target's messages from the log, sends them, and tells the log what became of each.
//!
//! A target that does not take a message is left alone for a while, longer each time, and then tried with one message until it
//! takes one; what is new waits in the log meanwhile. A message that was not taken is tried again by a time-table of its own.
//!
//! **Invariants:** requests go on, and their answers are seen, however much there is to take. It is never interrupted while it takes, so nothing that was taken is lost. When it ends, what the target has
//! not taken is given back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use thingcall_core::{GivenBack, JournalError, MessageId, MessageLog, PeerText, ReaderName, Taken, UnixMillis};
use thingcall_metrics::gauge_of;
use thingcall_subscription::concerns;
use thingcall_transport::Backoff;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info, warn};

use crate::config::Config;
use crate::metrics::{Fate, Metrics, Waits};
use crate::name::TargetName;
use crate::poster::{Again, NotTaken, Poster};

/// How many messages are taken at once for a target that wants those of some modules only, since most may be others'. As many as
/// this may wait in memory.
const SKIM: usize = 256;
/// How often it is looked whether the time has come for what came back.
const AGAIN_EVERY: Duration = Duration::from_secs(1);
/// How often it is counted what waits.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// How long it rests where the log cannot be read.
const LOG_PAUSE: Duration = Duration::from_secs(1);
/// How long a target that takes nothing is left alone, at first and at most.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);
/// What a stop leaves for requests that are on their way.
const STOP_TIME: Duration = Duration::from_secs(2);

/// A message that is on its way.
struct Sent {
    id: MessageId,
    /// How often it was sent before.
    tries: u32,
    /// How much it holds.
    bytes: usize,
}

/// One target's task.
pub(crate) struct Pump {
    name: TargetName,
    reader: ReaderName,
    config: Config,
    log: Arc<dyn MessageLog>,
    poster: Arc<Poster>,
    metrics: Metrics,
    stopping: CancellationToken,
    /// Taken, and not sent since too much is on its way.
    waiting: VecDeque<Taken>,
    /// On its way, by place.
    out: BTreeMap<i64, Sent>,
    out_bytes: usize,
    sending: FuturesUnordered<BoxFuture<'static, (i64, Result<(), NotTaken>)>>,
    /// The last request was not taken.
    failing: bool,
    /// The log could not be read.
    unread: bool,
    backoff: Backoff,
    /// Nothing is taken before.
    rest_until: Instant,
    /// When the log is asked for what came back.
    again_at: Instant,
    count_at: Instant,
}

impl Pump {
    pub(crate) fn new(
        name: TargetName,
        config: Config,
        (log, poster): (Arc<dyn MessageLog>, Poster),
        metrics: Metrics,
        stopping: CancellationToken,
    ) -> Self {
        let (reader, now) = (name.reader(), Instant::now());
        Self {
            name,
            reader,
            config,
            log,
            poster: Arc::new(poster),
            metrics,
            stopping,
            waiting: VecDeque::new(),
            out: BTreeMap::new(),
            out_bytes: 0,
            sending: FuturesUnordered::new(),
            failing: false,
            unread: false,
            backoff: Backoff::new(REST_MIN, REST_MAX),
            rest_until: now,
            again_at: now,
            count_at: now,
        }
    }

    /// Sends until the server stops.
    pub(crate) async fn run(mut self) {
        while !self.stopping.is_cancelled() {
            let newest = self.log.newest();
            self.count().await;
            self.answered();
            self.send();
            match self.take().await {
                Ok(found) => {
                    if std::mem::take(&mut self.unread) {
                        info!(webhook = %self.name, "messages are taken for the webhook again");
                    }
                    if found {
                        continue;
                    }
                }
                Err(error) => {
                    self.rest_until = Instant::now() + LOG_PAUSE;
                    if !std::mem::replace(&mut self.unread, true) {
                        warn!(webhook = %self.name, %error, "no messages can be taken for the webhook");
                    }
                }
            }
            self.wait(newest).await;
        }
        self.end().await;
    }

    /// How many more messages may be taken now.
    fn room(&self) -> usize {
        if !self.waiting.is_empty() || !self.may_send(0) {
            return 0;
        }
        if !self.config.modules.is_empty() {
            return SKIM;
        }
        if self.failing { 1 } else { self.config.in_flight_requests_max.get().saturating_sub(self.out.len()) }
    }

    /// Whether a message that holds so much may be sent now.
    fn may_send(&self, bytes: usize) -> bool {
        if Instant::now() < self.rest_until {
            return false;
        }
        let has_room = self.out.len() < self.config.in_flight_requests_max.get()
            && self.out_bytes.saturating_add(bytes.max(1)) <= self.config.in_flight_bytes_max.get();
        self.out.is_empty() || (has_room && !self.failing)
    }

    /// Takes what there is room for, and sends it; whether there was anything.
    async fn take(&mut self) -> Result<bool, JournalError> {
        let room = self.room();
        if room == 0 {
            return Ok(false);
        }
        let mut found = 0;
        if Instant::now() >= self.again_at {
            // What is new has its part, whatever came back.
            let most = room.div_ceil(2);
            let again = self.log.take_again(&self.reader, most).await?;
            if again.len() < most {
                self.again_at = Instant::now() + AGAIN_EVERY;
            }
            found += again.len();
            self.accept(again);
        }
        if room > found {
            let fresh = self.log.take(&self.reader, room - found).await?;
            found += fresh.len();
            self.accept(fresh);
        }
        Ok(found > 0)
    }

    fn accept(&mut self, taken: Vec<Taken>) {
        let (wanted, others): (Vec<_>, Vec<_>) =
            taken.into_iter().partition(|taken| concerns(&self.config.modules, &taken.message));
        if !others.is_empty() {
            let places: Vec<_> = others.iter().map(|taken| taken.message.place).collect();
            self.log.settle(&self.reader, &places);
            self.metrics.deliveries[Fate::Unwanted].inc_by(u64::try_from(places.len()).unwrap_or(u64::MAX));
        }
        self.waiting.extend(wanted);
        self.send();
    }

    /// Sends of what waits as much as may be on its way.
    fn send(&mut self) {
        while let Some(next) = self.waiting.front() {
            let bytes = next.message.words.topic.len() + next.message.words.body.len();
            if !self.may_send(bytes) {
                break;
            }
            let Some(Taken { message, tries }) = self.waiting.pop_front() else { break };
            self.out.insert(message.place, Sent { id: message.id, tries, bytes });
            self.out_bytes += bytes;
            let (poster, seconds) = (self.poster.clone(), self.metrics.seconds.clone());
            let place = message.place;
            // A task of its own: it goes on while messages are taken.
            let request = AbortOnDropHandle::new(tokio::spawn(async move {
                let began = Instant::now();
                let done = poster.post(&message).await;
                seconds.observe(began.elapsed().as_secs_f64());
                done
            }));
            let failed = |error: JoinError| Err(NotTaken { why: error.to_string(), again: Again::Later });
            self.sending.push(request.map(move |done| (place, done.unwrap_or_else(failed))).boxed());
        }
        self.metrics.in_flight.set(gauge_of(self.out.len()));
        self.metrics.bytes.set(gauge_of(self.out_bytes));
    }

    /// Returns when there may be something to do.
    async fn wait(&mut self, newest: i64) {
        let rests = Instant::now() < self.rest_until;
        let has_room = self.room() > 0;
        tokio::select! {
            Some((place, done)) = self.sending.next() => self.ended(place, done),
            () = self.stopping.cancelled() => {}
            () = sleep_until(self.rest_until), if rests => {}
            () = self.log.appended(newest), if has_room => {}
            () = sleep_until(self.again_at), if has_room => {}
            () = sleep_until(self.count_at) => {}
        }
    }

    /// Of the requests that have their answers by now.
    fn answered(&mut self) {
        while let Some(Some((place, done))) = self.sending.next().now_or_never() {
            self.ended(place, done);
        }
    }

    /// A request has its answer, or none.
    fn ended(&mut self, place: i64, done: Result<(), NotTaken>) {
        let Some(sent) = self.out.remove(&place) else { return };
        self.out_bytes -= sent.bytes;
        match done {
            Ok(()) => {
                self.log.settle(&self.reader, &[place]);
                self.metrics.deliveries[Fate::Delivered].inc();
                self.backoff.begin_anew();
                self.metrics.failing.set(0);
                if std::mem::take(&mut self.failing) {
                    info!(webhook = %self.name, "the webhook takes messages again");
                }
            }
            Err(NotTaken { why, again }) => {
                self.rest(&why, again);
                self.back(place, &sent, why, again);
            }
        }
        self.send();
    }

    /// A message is tried again, or is a dead letter.
    fn back(&self, place: i64, sent: &Sent, why: String, again: Again) {
        let (id, tries) = (sent.id, sent.tries);
        let sent = tries.saturating_add(1);
        let pause = match again {
            Again::Never => None,
            Again::After(at_least) => Some(self.pause(tries).max(at_least)),
            Again::Later => Some(self.pause(tries)),
        };
        let pause = pause.filter(|_| sent < self.config.tries_max.get());
        self.metrics.deliveries[if pause.is_some() { Fate::Failed } else { Fate::Dead }].inc();
        if pause.is_none() {
            error!(webhook = %self.name, message = %id, sent, why = %PeerText::new(&why), "a message is a dead letter");
        }
        let again_at = pause.map(|pause| {
            let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            UnixMillis(UnixMillis::now().0.saturating_add(millis))
        });
        self.log.give_back(&self.reader, vec![GivenBack { place, again_at, tried: true, why }]);
    }

    /// How long a message waits that was sent so often before: twice as long each time, half to all of it.
    fn pause(&self, tries: u32) -> Duration {
        let (min, max) = (self.config.retry_pause_min, self.config.retry_pause_max);
        let pause = min.saturating_mul(2_u32.saturating_pow(tries)).min(max);
        pause.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// The target is left alone for a while; of several failures at once the first one counts.
    fn rest(&mut self, why: &str, again: Again) {
        self.metrics.failing.set(1);
        if !std::mem::replace(&mut self.failing, true) {
            warn!(webhook = %self.name, why = %PeerText::new(why), "the webhook does not take messages; it is left alone for a while");
        }
        let now = Instant::now();
        if now >= self.rest_until {
            let asked = if let Again::After(pause) = again { pause } else { Duration::ZERO };
            self.rest_until = now + self.backoff.next_wait().max(asked);
        }
    }

    /// Counts what waits, from time to time.
    async fn count(&mut self) {
        if Instant::now() < self.count_at {
            return;
        }
        self.count_at = Instant::now() + COUNT_EVERY;
        // That the log cannot be read is told where messages are taken.
        let Ok(standing) = self.log.standing(&self.reader).await else { return };
        for (waits, count) in
            [(Waits::Unread, standing.unread), (Waits::Again, standing.again), (Waits::Dead, standing.dead)]
        {
            self.metrics.waiting[waits].set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Lets what is on its way end, for a while, and gives back the rest.
    async fn end(&mut self) {
        let fresh: Vec<_> = self.waiting.drain(..).map(|taken| taken.message.place).collect();
        let all = async {
            while let Some((place, done)) = self.sending.next().await {
                self.ended(place, done);
            }
        };
        // What has no answer by then may have been taken: it is sent again, under its id.
        let _late = timeout(STOP_TIME, all).await;
        let left = fresh.into_iter().map(|place| (place, false)).chain(self.out.keys().map(|place| (*place, true)));
        let (again_at, why) = (Some(UnixMillis::now()), "the server stops");
        let back = |(place, tried)| GivenBack { place, again_at, tried, why: why.to_owned() };
        let back: Vec<_> = left.map(back).collect();
        if !back.is_empty() {
            self.log.give_back(&self.reader, back);
        }
    }
}

#[cfg(test)]
mod tests;
