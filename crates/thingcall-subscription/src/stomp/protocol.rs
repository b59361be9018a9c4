//! What a STOMP connection does: login, subscription, messages and their acknowledgements. Source: `PROTOCOL.md` 10.13.

use std::time::Duration;

use thingcall_core::TraceContext;

use super::frames::{self, Frame};
use crate::core::{Core, Protocol, Stage};
use crate::machine::{BodyEncoding, Condition, Decision, DeliveryId, Fault, NotSent, Notice, Outcome, Why};

/// The frame that logs in. A user name may hold a token of the platform's.
const LOGIN_BYTES_MAX: usize = 8 * 1024;
/// Heart-beats are neither sent nor wanted more often than this.
const HEARTBEAT_MIN_MS: u32 = 1000;
/// However often a peer wants to beat its heart, it may be busy for this long.
const SILENCE_MIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1_1,
    V1_2,
}

/// What settles a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ack {
    /// That it was sent.
    Auto,
    /// An ACK for it or for a later one.
    Client,
    /// An ACK for it.
    Individual,
}

#[derive(Debug)]
struct Subscription {
    id: String,
    ack: Ack,
}

#[derive(Debug)]
pub(crate) struct StompProtocol {
    version: Version,
    body: BodyEncoding,
    subscription: Option<Subscription>,
    /// What the peer asked for: how often it is to hear something, how often something is heard of it.
    beats_ms: (u32, u32),
}

const fn not_allowed(text: &'static str) -> Fault {
    Fault { condition: Condition::NotAllowed, text }
}

const fn malformed(text: &'static str) -> Fault {
    Fault { condition: Condition::FramingError, text }
}

fn milliseconds(ms: u32) -> Option<Duration> {
    Some(ms).filter(|ms| *ms > 0).map(|ms| Duration::from_millis(ms.into()))
}

impl StompProtocol {
    pub(crate) fn new() -> Self {
        Self { version: Version::V1_1, body: BodyEncoding::Plain, subscription: None, beats_ms: (0, 0) }
    }

    fn hear_login(&mut self, core: &mut Core, frame: &Frame<'_>) -> Result<(), Fault> {
        if !matches!(frame.command, "CONNECT" | "STOMP") {
            return Err(not_allowed("the first frame must be CONNECT or STOMP"));
        }
        let mut versions = frame.header("accept-version").unwrap_or("1.0").split(',').map(str::trim);
        self.version =
            match (versions.clone().any(|version| version == "1.2"), versions.any(|version| version == "1.1")) {
                (true, _) => Version::V1_2,
                (false, true) => Version::V1_1,
                (false, false) => return Err(not_allowed("versions 1.1 and 1.2 are spoken here")),
            };
        if let Some(beats) = frame.header("heart-beat") {
            let (sends, wants) = beats.split_once(',').ok_or(malformed("heart-beat must be two numbers"))?;
            let number =
                |text: &str| text.trim().parse::<u32>().map_err(|_| malformed("heart-beat must be two numbers"));
            self.beats_ms = (number(wants)?, number(sends)?);
        }
        // Both as they stand there: login frames have no escapes.
        let (login, passcode) = (frame.header("login").unwrap_or(""), frame.header("passcode").unwrap_or(""));
        core.ask(login, passcode.as_bytes());
        Ok(())
    }

    fn hear(&mut self, core: &mut Core, frame: &Frame<'_>) -> Result<(), Fault> {
        match frame.command {
            "SUBSCRIBE" => self.hear_subscribe(core, frame)?,
            "UNSUBSCRIBE" => {
                let id = frame.unescaped("id")?.ok_or(malformed("UNSUBSCRIBE needs an id"))?;
                if self.subscription.take_if(|subscription| subscription.id == id).is_none() {
                    return Err(not_allowed("there is no subscription of this id"));
                }
                core.unlinked();
            }
            "ACK" => self.hear_ack(core, frame, Outcome::Accepted)?,
            "NACK" => self.hear_ack(core, frame, Outcome::Rejected)?,
            "DISCONNECT" => {
                say_receipt(core, frame)?;
                core.over(Why::Peer(None));
                return Ok(());
            }
            "SEND" => return Err(not_allowed("consumers send nothing")),
            "BEGIN" | "COMMIT" | "ABORT" => return Err(not_allowed("there are no transactions here")),
            "CONNECT" | "STOMP" => return Err(not_allowed("a second login")),
            _ => return Err(malformed("no such command")),
        }
        say_receipt(core, frame)
    }

    fn hear_subscribe(&mut self, core: &mut Core, frame: &Frame<'_>) -> Result<(), Fault> {
        if self.subscription.is_some() {
            return Err(not_allowed("a connection has one subscription"));
        }
        // The destination means nothing: the group comes from the user name.
        let id = frame.unescaped("id")?.ok_or(malformed("SUBSCRIBE needs an id"))?.into_owned();
        let ack = match frame.header("ack").unwrap_or("auto") {
            "auto" => Ack::Auto,
            "client" => Ack::Client,
            "client-individual" => Ack::Individual,
            _ => return Err(malformed("ack must be auto, client or client-individual")),
        };
        self.subscription = Some(Subscription { id, ack });
        core.linked();
        Ok(())
    }

    fn hear_ack(&mut self, core: &mut Core, frame: &Frame<'_>, outcome: Outcome) -> Result<(), Fault> {
        let ack = self.subscription.as_ref().map_or(Ack::Auto, |subscription| subscription.ack);
        let Core { ledger, events, .. } = core;
        let named = match self.version {
            Version::V1_1 => {
                let name = frame.unescaped("message-id")?.ok_or(malformed("ACK and NACK need a message-id"))?;
                ledger.named(&name)
            }
            Version::V1_2 => {
                let name = frame.unescaped("id")?.ok_or(malformed("ACK and NACK need an id"))?;
                name.parse().ok()
            }
        };
        // One that is not known was settled, or given back: the peer need not know.
        match (ack, named) {
            (Ack::Client, Some(last)) if last < ledger.next() => {
                ledger.settle(ledger.oldest().unwrap_or(last)..=last, outcome, events);
            }
            (Ack::Individual, Some(one)) => drop(ledger.settle(one..=one, outcome, events)),
            (Ack::Client, Some(_)) | (_, None) | (Ack::Auto, Some(_)) => {}
        }
        Ok(())
    }
}

fn say_receipt(core: &mut Core, frame: &Frame<'_>) -> Result<(), Fault> {
    if let Some(receipt) = frame.unescaped("receipt")? {
        frames::write(core.say(), "RECEIPT", &[("receipt-id", &receipt)], &[]);
    }
    Ok(())
}

fn say_error(core: &mut Core, text: &str) {
    let text = text.replace('\0', " ");
    // In the body, too: what clients print of an error is that.
    let headers = [("version", "1.1,1.2"), ("message", &*text), ("content-type", "text/plain")];
    frames::write(core.say(), "ERROR", &headers, text.as_bytes());
}

impl Protocol for StompProtocol {
    fn step<'a>(&mut self, core: &mut Core, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
        // Line ends between frames are heart-beats.
        let beats = bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        if beats > 0 {
            return Ok(bytes.get(beats..));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let is_login = core.stage == Stage::Login;
        let bytes_max = if is_login { LOGIN_BYTES_MAX } else { core.limits.frame_bytes_max };
        let Some((frame, rest)) = frames::cut(bytes, bytes_max)? else { return Ok(None) };
        if is_login {
            self.hear_login(core, &frame)?;
        } else {
            self.hear(core, &frame)?;
        }
        Ok(Some(rest))
    }

    fn say_decision(&mut self, core: &mut Core, decision: Decision) {
        match decision {
            Decision::Accepted(body) => {
                self.body = body;
                let (peer_hears, peer_sends) = self.beats_ms;
                let ours = if peer_hears > 0 { peer_hears.max(HEARTBEAT_MIN_MS) } else { 0 };
                let wanted = if peer_sends > 0 { peer_sends.max(HEARTBEAT_MIN_MS) } else { 0 };
                self.beats_ms = (ours, wanted);
                let version = match self.version {
                    Version::V1_1 => "1.1",
                    Version::V1_2 => "1.2",
                };
                let beats = format!("{ours},{wanted}");
                frames::write(core.say(), "CONNECTED", &[("version", version), ("heart-beat", &beats)], &[]);
            }
            Decision::Refused => say_error(core, "the login was refused"),
            Decision::Unavailable => say_error(core, "the login cannot be checked now"),
        }
    }

    fn room(&self, core: &Core) -> usize {
        if self.subscription.is_none() || core.is_output_full() { 0 } else { core.ledger.room() }
    }

    fn send(&mut self, core: &mut Core, notice: &Notice<'_>) -> Result<DeliveryId, NotSent> {
        let subscription = self.subscription.as_ref().ok_or(NotSent::NoRoom)?;
        let body = self.body.apply(notice.body);
        let asks_by_name = self.version == Version::V1_1 && subscription.ack != Ack::Auto;
        let delivery = core.ledger.open(asks_by_name.then_some(notice.id), core.now);
        let (number, length) = (delivery.0.to_string(), body.len().to_string());
        let generated = notice.generated_ms.to_string();
        let pairs: Vec<_> = notice.trace.into_iter().flat_map(TraceContext::pairs).collect();
        let mut headers = vec![
            ("subscription", subscription.id.as_str()),
            ("message-id", notice.id),
            ("destination", notice.topic),
            ("messageId", notice.id),
            ("generateTime", &generated),
            ("content-length", &length),
        ];
        headers.extend(pairs.iter().map(|(name, value)| (*name, value.as_str())));
        if self.version == Version::V1_2 && subscription.ack != Ack::Auto {
            headers.push(("ack", &number));
        }
        frames::write(core.say(), "MESSAGE", &headers, &body);
        if subscription.ack == Ack::Auto {
            core.ledger.done_when_taken(delivery, core.output.position());
        }
        Ok(delivery)
    }

    fn pump(&mut self, _core: &mut Core, _nothing_to_send: bool) {}

    fn say_close(&mut self, core: &mut Core, _condition: Condition, text: &str) {
        say_error(core, text);
    }

    fn silence_timeout(&self, _core: &Core) -> Option<Duration> {
        // Twice what was agreed on: a beat may be late. A peer that beats not at all may be silent for ever.
        milliseconds(self.beats_ms.1).map(|every| (every * 2).max(SILENCE_MIN))
    }

    fn heartbeat(&self) -> Option<Duration> {
        milliseconds(self.beats_ms.0).map(|every| every / 2)
    }

    fn say_heartbeat(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
    }
}
