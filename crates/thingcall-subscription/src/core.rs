//! What the connections of all protocols hold.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::machine::{Condition, Decision, DeliveryId, Event, Fault, NotSent, Notice, Password, Why};
use crate::output::Output;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Login,
    /// Our answer to the login is waited for.
    Decision,
    In,
    Over,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) limits: Limits,
    pub(crate) now: Duration,
    pub(crate) stage: Stage,
    pub(crate) output: Output,
    pub(crate) events: VecDeque<Event>,
    pub(crate) ledger: Ledger,
    /// Since when the consumer is logged in and has no link.
    pub(crate) linkless_since: Option<Duration>,
}

impl Core {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            ledger: Ledger::new(&limits),
            limits,
            now: Duration::ZERO,
            stage: Stage::Login,
            output: Output::default(),
            events: VecDeque::new(),
            linkless_since: None,
        }
    }

    /// Where what is said to the peer is appended.
    pub(crate) fn say(&mut self) -> &mut Vec<u8> {
        self.output.end(self.now)
    }

    pub(crate) fn is_output_full(&self) -> bool {
        self.output.len() >= self.limits.output_bytes_max
    }

    pub(crate) fn ask(&mut self, user: &str, password: &[u8]) {
        self.stage = Stage::Decision;
        self.events.push_back(Event::Authenticate { user: user.to_owned(), password: Password(password.to_owned()) });
    }

    pub(crate) fn linked(&mut self) {
        self.linkless_since = None;
        self.events.push_back(Event::Attached);
    }

    /// The link is gone: what is out goes back first.
    pub(crate) fn unlinked(&mut self) {
        self.linkless_since = Some(self.now);
        self.ledger.give_back(&mut self.events);
        self.events.push_back(Event::Detached);
    }

    pub(crate) fn over(&mut self, why: Why) {
        if self.stage != Stage::Over {
            self.stage = Stage::Over;
            self.ledger.give_back(&mut self.events);
            self.events.push_back(Event::Closed(why));
        }
    }
}

/// What one protocol says and understands.
pub(crate) trait Protocol: Send {
    /// Takes one unit of what the peer sent, and says what is left; `None` if it is not all there. Not called while our
    /// decision is waited for.
    fn step<'a>(&mut self, core: &mut Core, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Fault>;

    /// Tells the peer what became of its login.
    fn say_decision(&mut self, core: &mut Core, decision: Decision);

    fn room(&self, core: &Core) -> usize;

    fn send(&mut self, core: &mut Core, notice: &Notice<'_>) -> Result<DeliveryId, NotSent>;

    /// Whether the peer waits to be told that there is nothing more.
    fn is_draining(&self) -> bool {
        false
    }

    /// Sends on what did not fit before.
    fn pump(&mut self, core: &mut Core, nothing_to_send: bool);

    /// Says why the connection ends, if the protocol has come to a point where that can be said.
    fn say_close(&mut self, core: &mut Core, condition: Condition, text: &str);

    /// The same where the server stops.
    fn say_stop(&mut self, core: &mut Core) {
        self.say_close(core, Condition::ConnectionForced, "the server stops");
    }

    /// How long the peer may send nothing.
    fn silence_timeout(&self, core: &Core) -> Option<Duration>;

    /// How often the peer is to hear something.
    fn heartbeat(&self) -> Option<Duration>;

    fn say_heartbeat(&self, out: &mut Vec<u8>);
}
