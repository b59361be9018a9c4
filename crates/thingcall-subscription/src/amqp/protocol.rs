//! AMQP's phases: headers, login, open, and what comes then.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::frames::{self, AMQP, AMQP_HEADER, BYTES_MAX_BEFORE_OPEN, Frame, MECHANISMS, SASL, SASL_HEADER, header};
use super::heard::{Heard, SaslInit};
use super::said::{self, SaslCode};
use super::walk::Malformed;
use crate::core::{Core, Protocol};
use crate::machine::{Condition, Decision, DeliveryId, Fault, NotSent, Notice, Why};

/// The smallest max-frame-size there is.
const FRAME_BYTES_MIN: usize = 512;
/// An empty frame is sent no more often than this, whatever the peer asks for.
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    SaslHeader,
    SaslInit,
    AmqpHeader,
    Open,
    Running,
}

#[derive(Debug)]
pub(crate) struct AmqpProtocol {
    phase: Phase,
    endpoint: Endpoint,
    heartbeat: Option<Duration>,
}

fn malformed(error: Malformed) -> Fault {
    Fault { condition: Condition::DecodeError, text: error.text() }
}

const fn framing(text: &'static str) -> Fault {
    Fault { condition: Condition::FramingError, text }
}

impl AmqpProtocol {
    /// With all serial numbers beginning there.
    pub(crate) fn new(first_serial: u32) -> Self {
        Self { phase: Phase::SaslHeader, endpoint: Endpoint::new(first_serial), heartbeat: None }
    }

    /// A wrong header is answered with the right one, and the end.
    fn hear_header<'a>(&mut self, core: &mut Core, bytes: &'a [u8], wanted: [u8; 8]) -> Option<&'a [u8]> {
        let right = header(bytes, wanted)?;
        core.say().extend_from_slice(&wanted);
        if !right {
            core.over(Why::Fault(framing("not the protocol header that is spoken here")));
            return None;
        }
        if self.phase == Phase::SaslHeader {
            core.say().extend_from_slice(&MECHANISMS);
            self.phase = Phase::SaslInit;
        } else {
            self.phase = Phase::Open;
        }
        bytes.get(wanted.len()..)
    }

    fn hear_sasl(&mut self, core: &mut Core, frame: &Frame<'_>) -> Result<(), Fault> {
        if frame.kind != SASL {
            return Err(framing("a frame that is not SASL's before the login"));
        }
        let init = SaslInit::read(frame.body).map_err(malformed)?;
        match init.filter(|init| init.mechanism == "PLAIN").and_then(|init| init.plain()) {
            Some((user, password)) => core.ask(user, password),
            None => {
                self.say_decision(core, Decision::Refused);
                core.over(Why::Refused);
            }
        }
        Ok(())
    }

    fn hear_frame(&mut self, core: &mut Core, frame: &Frame<'_>) -> Result<(), Fault> {
        if frame.kind != AMQP {
            return Err(framing("a frame of SASL's after the login"));
        }
        if frame.body.is_empty() {
            return Ok(());
        }
        match (self.phase, Heard::read(frame.body).map_err(malformed)?) {
            (Phase::Running, Heard::Close(reason)) => {
                said::close(core.say(), None);
                core.over(Why::Peer(reason));
                Ok(())
            }
            (Phase::Running, heard) => self.endpoint.hear(core, frame.channel, &heard),
            (_, Heard::Open(open)) => {
                say_open(core);
                self.endpoint.frames_up_to((open.frame_bytes_max as usize).max(FRAME_BYTES_MIN));
                let idle = Some(open.idle_timeout_ms).filter(|idle| *idle > 0);
                // Half of it: some clients hang up when nothing came for exactly what they said (`PROTOCOL.md` 10.6).
                self.heartbeat = idle.map(|idle| (Duration::from_millis(idle.into()) / 2).max(HEARTBEAT_MIN));
                self.phase = Phase::Running;
                Ok(())
            }
            _ => Err(Fault { condition: Condition::NotAllowed, text: "the first frame must be an open" }),
        }
    }
}

fn say_open(core: &mut Core) {
    let frame_bytes_max = u32::try_from(core.limits.frame_bytes_max).unwrap_or(u32::MAX);
    let idle_ms = u32::try_from((core.limits.silence_timeout / 2).as_millis()).unwrap_or(u32::MAX);
    let channel_max = u16::try_from(core.limits.sessions_max.saturating_sub(1)).unwrap_or(u16::MAX);
    said::open(core.say(), frame_bytes_max, channel_max, idle_ms);
}

impl Protocol for AmqpProtocol {
    fn step<'a>(&mut self, core: &mut Core, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Fault> {
        let bytes_max = match self.phase {
            Phase::SaslHeader => return Ok(self.hear_header(core, bytes, SASL_HEADER)),
            Phase::AmqpHeader => return Ok(self.hear_header(core, bytes, AMQP_HEADER)),
            Phase::SaslInit | Phase::Open => BYTES_MAX_BEFORE_OPEN,
            Phase::Running => core.limits.frame_bytes_max,
        };
        let Some((frame, rest)) = frames::cut(bytes, bytes_max)? else { return Ok(None) };
        if self.phase == Phase::SaslInit {
            self.hear_sasl(core, &frame)?;
        } else {
            self.hear_frame(core, &frame)?;
        }
        Ok(Some(rest))
    }

    fn say_decision(&mut self, core: &mut Core, decision: Decision) {
        match decision {
            Decision::Accepted(body) => {
                self.phase = Phase::AmqpHeader;
                self.endpoint.write_bodies(body);
                said::sasl_outcome(core.say(), SaslCode::Ok);
            }
            Decision::Refused => said::sasl_outcome(core.say(), SaslCode::Auth),
            // Not a word, not even SASL's code for "later": rhea gives up for ever at any code but that of success, and
            // every client comes again after a connection that just ended (`PROTOCOL.md` 10.4).
            Decision::Unavailable => {}
        }
    }

    fn room(&self, core: &Core) -> usize {
        self.endpoint.room(core)
    }

    fn send(&mut self, core: &mut Core, notice: &Notice<'_>) -> Result<DeliveryId, NotSent> {
        self.endpoint.send(core, notice)
    }

    fn is_draining(&self) -> bool {
        self.endpoint.is_draining()
    }

    fn pump(&mut self, core: &mut Core, nothing_to_send: bool) {
        self.endpoint.pump(core, nothing_to_send);
    }

    fn say_close(&mut self, core: &mut Core, condition: Condition, text: &str) {
        match self.phase {
            Phase::SaslHeader | Phase::SaslInit | Phase::AmqpHeader => {}
            Phase::Open => {
                say_open(core);
                said::close(core.say(), Some((condition, text)));
            }
            Phase::Running => said::close(core.say(), Some((condition, text))),
        }
    }

    fn say_stop(&mut self, _core: &mut Core) {
        // Nothing: behind a close proton would wait for its next heartbeat before it comes again (`PROTOCOL.md` 10.4).
    }

    fn silence_timeout(&self, core: &Core) -> Option<Duration> {
        Some(core.limits.silence_timeout)
    }

    fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat
    }

    fn say_heartbeat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0, 0, 0, 8, 2, AMQP, 0, 0]);
    }
}
