//! The pauses between attempts, and the order in which a connection's end is told.

use std::sync::{Mutex, Weak};

use thingcall_core::{
    Arrival, Check, DeliverError, Delivery, DeviceKey, Dropped, HeardOnce, Login, Post, PresenceSink, Problem,
    Problems, RawReply, Reply, ReplySink, Section, Sent, Slots, Transport, TransportKind, TransportName, UnixMillis,
};
use tokio::sync::mpsc;

use super::*;
use crate::{Around, BrokerTransport, Contact, NotSent, Scheme, broker_section};

broker_section! {
    /// Of a broker that the test plays.
    struct Config(&[Scheme::plain("fake", 1)]);
    /// It goes nowhere.
    url = "fake://nowhere";
    after url {
        /// What becomes of the attempts to connect, the last first.
        #[serde(skip)]
        attempts: Mutexed<Vec<Attempt>> = Mutexed::default(),
        /// What happened.
        #[serde(skip)]
        events: Option<mpsc::UnboundedSender<Event>> = None,
    }
}

type Mutexed<T> = Arc<Mutex<T>>;

#[derive(Debug, Clone, Copy)]
enum Attempt {
    Fails,
    Hangs,
    Lasts(Duration),
    /// Until it is cut off.
    LastsForEver,
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Attempt(Instant),
    Closed { refuses: bool },
    Dropped,
    Ended,
    Told { refuses: bool },
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        self.check_keys(&mut check);
        check.into_problems()
    }
}

struct Fake {
    config: Config,
    contact: Contact<()>,
}

impl Fake {
    fn happens(&self, event: Event) {
        self.config.events.as_ref().unwrap().send(event).unwrap();
    }

    fn refuses(&self) -> bool {
        self.contact.present().is_none()
    }
}

impl Protocol for Fake {
    type Config = Config;
    type Open = ();
    type Session = Playing;
    const KIND: TransportKind = TransportKind::Mqtt;

    fn new(config: Config, contact: Contact<()>) -> Result<Self, Problems> {
        Ok(Self { config, contact })
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn contact(&self) -> &Contact<()> {
        &self.contact
    }

    async fn connect(self: &Arc<Self>) -> Result<Playing, Ended> {
        self.happens(Event::Attempt(Instant::now()));
        let attempt = self.config.attempts.lock().unwrap().pop();
        let lasts = match attempt.unwrap_or(Attempt::Hangs) {
            Attempt::Fails => return Err(Ended::refused("it fails")),
            Attempt::Hangs => std::future::pending().await,
            Attempt::Lasts(time) => Some(time),
            Attempt::LastsForEver => None,
        };
        Ok(Playing { fake: self.clone(), lasts })
    }

    async fn deliver(&self, _: &Delivery) -> Result<Sent, NotSent> {
        Err(DeliverError::Down.into())
    }

    fn ended(&self) {
        self.happens(Event::Ended);
    }
}

struct Playing {
    fake: Arc<Fake>,
    lasts: Option<Duration>,
}

impl Session for Playing {
    type Open = ();

    fn open(&self) {}

    async fn run(&mut self, _: &CancellationToken) -> Ended {
        match self.lasts {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
        Ended::refused("it is over")
    }

    async fn close(self) {
        self.fake.happens(Event::Closed { refuses: self.fake.refuses() });
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.fake.happens(Event::Dropped);
    }
}

/// The engine and the store.
#[derive(Default)]
struct Engine(Mutex<Weak<BrokerTransport<Fake>>>);

impl ReplySink for Engine {
    fn dropped(&self, _: Dropped<'_>) {}
    fn accept(&self, _: Reply, _: &str, _: &dyn Arrival) {}
    fn speaks_raw(&self, _: &DeviceKey) -> bool {
        false
    }
    fn accept_raw(&self, _: RawReply, _: &str, _: &dyn Arrival) {}
    fn accept_post(&self, _: Post, _: TransportName, _: &str, _: &dyn Arrival) {}
    fn accept_raw_post(&self, _: RawReply, _: HeardOnce, _: &str, _: &dyn Arrival) {}
    fn waits_for(&self, _: &str, _: &str) -> bool {
        false
    }
    fn device_gone(&self, _: &DeviceKey, _: TransportName) {}
    fn transport_lost(&self, _: TransportName) {
        let transport = self.0.lock().unwrap().upgrade().unwrap();
        let refuses = transport.protocol().refuses() && !transport.ready();
        transport.protocol().happens(Event::Told { refuses });
    }
}

impl PresenceSink for Engine {
    fn online(&self, _: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {}
    fn offline(&self, _: &DeviceKey, _: UnixMillis) {}
    fn seen(&self, _: &DeviceKey, _: TransportName, _: UnixMillis) {}
    fn logged_in(&self, _: &DeviceKey, _: &Login<'_>, _: UnixMillis) {}
}

fn start(mut attempts: Vec<Attempt>) -> (Arc<BrokerTransport<Fake>>, mpsc::UnboundedReceiver<Event>) {
    attempts.reverse();
    let (events, happened) = mpsc::unbounded_channel();
    let config = Config { attempts: Arc::new(Mutex::new(attempts)), events: Some(events), ..Config::default() };
    let (engine, registry) = (Arc::new(Engine::default()), prometheus::Registry::new());
    let around = Around { replies: engine.clone(), presence: engine.clone(), slots: Slots::alone(0) };
    let transport = BrokerTransport::start(TransportName::MQTT, config, around, &registry);
    let transport = transport.unwrap();
    *engine.0.lock().unwrap() = Arc::downgrade(&transport);
    (transport, happened)
}

async fn attempt(happened: &mut mpsc::UnboundedReceiver<Event>) -> Instant {
    loop {
        if let Event::Attempt(at) = happened.recv().await.unwrap() {
            return at;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_their_limit_and_begin_anew_after_a_good_connection() {
    let mut attempts = vec![Attempt::Fails; 9];
    let short = GOOD_AFTER / 2;
    attempts.extend([Attempt::Lasts(short), Attempt::Lasts(GOOD_AFTER), Attempt::Fails]);
    let (_transport, mut happened) = start(attempts);
    let mut before = attempt(&mut happened).await;
    // What each pause may be at most, and how long the connection before it lasted.
    let failed = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000].map(|ms| (ms, Duration::ZERO));
    for (ms, lasted) in failed.into_iter().chain([(10_000, short), (100, GOOD_AFTER), (200, Duration::ZERO)]) {
        let now = attempt(&mut happened).await;
        let (paused, most) = (now - before - lasted, Duration::from_millis(ms));
        // The clock of tests counts whole milliseconds.
        let slack = Duration::from_millis(2);
        assert!((most / 2..=most + slack).contains(&paused), "{paused:?} of {most:?}");
        before = now;
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up() {
    let (transport, mut happened) = start(vec![Attempt::Hangs, Attempt::LastsForEver]);
    let first = attempt(&mut happened).await;
    let second = attempt(&mut happened).await;
    assert!(second - first >= Config::default().connect_timeout);
    while !transport.ready() {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(!transport.protocol().refuses());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_after_deliveries_are_refused_and_the_session_is_gone() {
    let (_transport, mut happened) = start(vec![Attempt::Lasts(Duration::from_secs(1))]);
    attempt(&mut happened).await;
    for event in [Event::Closed { refuses: true }, Event::Dropped, Event::Ended, Event::Told { refuses: true }] {
        assert_eq!(happened.recv().await, Some(event));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_end_is_cut_off_and_its_end_is_told_in_order() {
    let (transport, mut happened) = start(vec![Attempt::LastsForEver]);
    attempt(&mut happened).await;
    while !transport.ready() {
        sleep(Duration::from_millis(1)).await;
    }
    transport.shutdown(Duration::from_secs(3)).await;
    for event in [Event::Dropped, Event::Ended, Event::Told { refuses: true }] {
        assert_eq!(happened.try_recv(), Ok(event));
    }
    transport.shutdown(Duration::from_secs(3)).await;
    assert!(happened.try_recv().is_err(), "once");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_an_attempt_and_a_pause() {
    for attempt_that in [Attempt::Hangs, Attempt::Fails] {
        let (transport, mut happened) = start(vec![attempt_that]);
        let began = attempt(&mut happened).await;
        transport.shutdown(Duration::from_secs(3)).await;
        assert!(began.elapsed() < Duration::from_millis(50));
        assert!(happened.try_recv().is_err(), "there was no connection whose end could be told");
    }
}
