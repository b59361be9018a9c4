//! One connection, from its first byte to its last: drives its machine.
//!
//! **Invariants:** when it ends, all that it was handed is settled, given back, or its group's again. While it ends it holds up
//! nobody: who must make room for another goes at once, also in the middle of its last words.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thingcall_core::PeerText;
use thingcall_listen::Place;
use thingcall_subscription::{Condition, Decision, Event, Machine, NotSent, Notice, User, Why};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use crate::deliveries::Deliveries;
use crate::group::{Handed, Order};
use crate::groups::{Groups, Joined};
use crate::login::{self, NotIn};
use crate::metrics::{End, Login};
use crate::rate::Rate;
use crate::wire::{Moved, Wire};

/// The most messages that wait for one connection to be sent.
const HANDED_MAX: usize = 128;
/// A connection whose machine waits for nothing looks around after this time.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// What begins a conversation.
pub(crate) struct Arrival {
    pub(crate) groups: Arc<Groups>,
    pub(crate) address: SocketAddr,
    pub(crate) machine: Box<dyn Machine>,
    /// Dropped behind the socket, whose descriptor it counts.
    pub(crate) place: Place,
}

struct Conversation<S> {
    wire: Wire<S>,
    groups: Arc<Groups>,
    address: SocketAddr,
    machine: Box<dyn Machine>,
    began: Instant,
    joined: Option<Joined>,
    deliveries: Deliveries,
    held: VecDeque<Handed>,
    rate: Rate,
    /// Why the server ends this connection. What is out is due at once then, since nobody failed on it.
    ordered: Option<&'static str>,
    /// Another has its place.
    made_room: bool,
    place: Place,
}

/// Runs until the connection is over.
pub(crate) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(arrival: Arrival, stream: S) {
    let Arrival { groups, address, machine, place } = arrival;
    let began = Instant::now();
    let rate = Rate::new(groups.config.messages_per_second_per_connection_max.get(), Duration::from_secs(1), began);
    let mut conversation = Conversation {
        wire: Wire::new(stream),
        groups,
        address,
        machine,
        began,
        joined: None,
        deliveries: Deliveries::default(),
        held: VecDeque::new(),
        rate,
        ordered: None,
        made_room: false,
        place,
    };
    while conversation.turn().await {}
    conversation.leave();
    let Conversation { wire, machine, place, made_room, .. } = conversation;
    if !made_room {
        // Behind it the socket is gone.
        tokio::select! { () = Box::pin(wire.end(machine.output())) => {}, () = place.must_leave() => {} }
    }
    drop(place);
}

/// A user name in the log: client id, key and group, each short enough to be shown.
fn named(user: &str) -> (String, Option<String>, Option<String>) {
    let (client, key, group) = User::shown(user);
    let shown = |text| PeerText::new(text).to_string();
    (shown(client), key.map(shown), group.map(shown))
}

/// Why a connection is over, and where the server ended it, why that.
fn reason(why: &Why, ordered: Option<&'static str>) -> String {
    if let (Why::Ordered(_), Some(ordered)) = (why, ordered) { format!("{why}: {ordered}") } else { why.to_string() }
}

/// What woke a connection.
enum Woken {
    Moved(Moved),
    Due,
    /// Its group has something for it.
    Called,
    Stopping,
    MustLeave,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// Does what can be done now and waits for more; `false` when it is over.
    async fn turn(&mut self) -> bool {
        self.hear_machine();
        self.tell();
        // What was ordered ends it with events.
        self.hear_machine();
        self.report();
        if self.machine.is_over() {
            return false;
        }
        match self.woken().await {
            Woken::Moved(Moved::Read) => self.machine.receive(&self.wire.input(), self.began.elapsed()),
            Woken::Moved(Moved::Written(bytes)) => self.machine.written(bytes, self.began.elapsed()),
            Woken::Moved(Moved::Ended) => self.machine.disconnected(),
            Woken::Due => self.machine.tick(self.began.elapsed()),
            Woken::Called => {}
            Woken::Stopping => {
                self.ordered = Some("the server stops");
                self.machine.stop(self.began.elapsed());
            }
            Woken::MustLeave => {
                debug!(peer = %self.address, "made room for another");
                self.made_room = true;
                self.machine.disconnected();
            }
        }
        true
    }

    async fn woken(&mut self) -> Woken {
        let due = self.machine.next_tick().map_or_else(|| Instant::now() + IDLE, |due| self.began + due);
        // It is the rate alone that holds messages back.
        let waits_for_rate = self.machine.room() > 0 && self.rate.room(Instant::now()) == 0;
        let due = if waits_for_rate { due.min(self.rate.next()) } else { due };
        let Self { wire, machine, joined, groups, place, .. } = self;
        let stranger = joined.is_none();
        let called = async {
            match joined {
                Some(joined) => joined.member.called().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            moved = wire.moves(machine.wants_input(), machine.output()) => Woken::Moved(moved),
            () = called => Woken::Called,
            () = sleep_until(due) => Woken::Due,
            () = groups.stopping.cancelled() => Woken::Stopping,
            () = place.must_leave(), if stranger => Woken::MustLeave,
        }
    }

    fn hear_machine(&mut self) {
        while let Some(event) = self.machine.next_event() {
            match event {
                Event::Authenticate { user, password } => {
                    let decision = self.login(&user, password.as_bytes());
                    self.machine.authenticated(decision, self.began.elapsed());
                }
                // There is room from now on, or none any more: `tell` sees it.
                Event::Attached | Event::Detached => {}
                Event::Settled { delivery, outcome } => {
                    let Some(joined) = &self.joined else { continue };
                    let after = if self.ordered.is_some() { Duration::ZERO } else { self.groups.config.retry_after };
                    let around = (&joined.member, &*self.groups.metrics);
                    self.deliveries.ended(delivery, outcome, after, around);
                }
                Event::Late { delivery, outcome } => {
                    if let Some(joined) = &self.joined {
                        self.deliveries.late(delivery, outcome, &joined.member);
                    }
                }
                Event::Closed(why) => self.closed(&why),
            }
        }
    }

    fn login(&mut self, user: &str, password: &[u8]) -> Decision {
        let peer = self.address;
        match login::admit(&self.groups, user, password, peer) {
            Ok((joined, body)) => {
                self.place.busy();
                self.groups.metrics.logins[Login::Accepted].inc();
                let (client, key, group) = named(user);
                info!(%peer, client, key, group, "consumer connected");
                self.joined = Some(joined);
                Decision::Accepted(body)
            }
            Err(why) => {
                self.refused(user, &why);
                why.decision()
            }
        }
    }

    fn refused(&self, user: &str, why: &NotIn) {
        self.groups.metrics.logins[why.login()].inc();
        let (client, key, group) = named(user);
        info!(peer = %self.address, client, key, group, reason = %why, "consumer not let in");
    }

    fn closed(&self, why: &Why) {
        self.groups.metrics.ended[End::from(why)].inc();
        let (peer, reason) = (self.address, reason(why, self.ordered));
        let reason = PeerText::new(&reason);
        match &self.joined {
            Some(joined) => info!(%peer, group = %joined.member.group(), %reason, "consumer disconnected"),
            // Whoever sees nothing come wants to know that its client speaks otherwise.
            None if matches!(why, Why::Fault(_)) => {
                info!(%peer, %reason, "no consumer: not understood before its login")
            }
            None => debug!(%peer, %reason, "connection ended before its login"),
        }
    }

    /// Sends what the group handed over, as far as there is room, and asks for as much as there is room for then.
    fn tell(&mut self) {
        let Some(joined) = &self.joined else { return };
        let given = joined.member.given();
        self.held.extend(given.messages);
        match given.order {
            Some(Order::KeyGone) => {
                return self.close("the access key is disabled or has ended, or its rules allow this group no more");
            }
            Some(Order::GroupGone) => return self.close("the consumer group was deleted"),
            None => {}
        }
        let now = Instant::now();
        while self.machine.room() > 0 && self.rate.room(now) > 0 {
            let Some(handed) = self.held.pop_front() else { break };
            if let Some(handed) = self.send(handed, now) {
                self.held.push_front(handed);
                break;
            }
        }
        let Some(joined) = &self.joined else { return };
        if self.machine.room() == 0 {
            joined.member.put_back(std::mem::take(&mut self.held));
        } else if given.nothing && self.held.is_empty() {
            self.machine.nothing_to_send(self.began.elapsed());
        }
        let room = self.machine.room().min(self.rate.room(now)).min(HANDED_MAX).saturating_sub(self.held.len());
        joined.member.wants(room, self.machine.is_draining());
    }

    /// Sends one; gives it back where there was no room for it.
    fn send(&mut self, handed: Handed, now: Instant) -> Option<Handed> {
        let message = &handed.taken.message;
        let id = message.id.to_string();
        let notice = Notice {
            id: &id,
            topic: &message.words.topic,
            generated_ms: message.at.0,
            tries_before: handed.taken.tries,
            body: &message.words.body,
            trace: message.words.trace.as_ref(),
        };
        match self.machine.send(&notice, self.began.elapsed()) {
            Ok(delivery) => {
                self.rate.take(1, now);
                let max = self.groups.config.unsettled_messages_max.get();
                self.deliveries.sent(delivery, &handed, max, &self.groups.metrics);
                None
            }
            Err(NotSent::NoRoom) => Some(handed),
            Err(NotSent::TooLarge) => {
                let after = self.groups.config.retry_after;
                self.deliveries.too_large(message.place, after, &self.groups.metrics);
                info!(peer = %self.address, message = %id, bytes = notice.body.len(), "larger than the consumer takes");
                None
            }
        }
    }

    /// Ends it with a reason; every client comes again after this one.
    fn close(&mut self, text: &'static str) {
        self.ordered = Some(text);
        self.machine.close(Condition::ConnectionForced, text, self.began.elapsed());
    }

    fn report(&mut self) {
        if let Some(joined) = &self.joined {
            self.deliveries.report(&*self.groups.around.log, &joined.member);
        }
    }

    /// Leaves the group, so that others may have what was not sent.
    fn leave(&mut self) {
        self.report();
        if let Some(joined) = self.joined.take() {
            joined.member.put_back(std::mem::take(&mut self.held));
            // From here on it is like one that has not logged in.
            self.place.waits();
        }
    }
}

#[cfg(test)]
mod tests {
    //! What log lines say of who comes and why it goes.

    use super::*;

    #[test]
    fn key_and_group_are_shown_however_long_the_client_id_is() {
        let user = format!("{}|authMode=aksign,authId=K,consumerGroupId=G", "c".repeat(200));
        let (client, key, group) = named(&user);
        assert!(client.len() < 200, "{client}");
        assert_eq!((key.as_deref(), group.as_deref()), (Some("K"), Some("G")));
    }

    #[test]
    fn why_the_server_ends_a_connection_is_said_whole() {
        let why = Why::Ordered(Condition::ConnectionForced);
        for text in ["the access key is disabled", "the consumer group was deleted", "the server stops"] {
            let said = PeerText::new(&reason(&why, Some(text))).to_string();
            assert_eq!(said, format!("closed by the server: amqp:connection:forced: {text}"));
        }
        assert_eq!(reason(&Why::Lost, Some("the server stops")), "the connection was lost");
    }
}
