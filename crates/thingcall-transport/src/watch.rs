//! Looks whether the broker that holds our connection carries messages: by a probe to ourselves, and by whatever else its
//! protocol tells.
//!
//! **Invariant:** a probe travels as commands do, by the same queue and connection, so what holds those up holds it up.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::protocol::Protocol;
use crate::section::BrokerSection;

/// How often it is looked at, at most and at least.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(20);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);

/// A protocol whose broker is probed: by a message that comes back to ourselves.
pub trait Probed: Protocol {
    /// Sees to it that probes on this connection come back. `false` if they cannot.
    fn hear_probes(&self, open: &Self::Open) -> bool {
        let _ = open;
        true
    }

    /// Sends a probe, and waits for the broker's word on it.
    fn send_probe(self: &Arc<Self>, open: &Self::Open, probe: Bytes) -> impl Future<Output = Said> + Send + 'static;

    /// Whether probes are sent.
    fn probes(&self) -> bool {
        self.config().keys().probe
    }

    /// The broker said that probes may not be.
    fn probe_refused(&self) {
        self.contact().probe.refused();
    }

    /// A message came where probes come.
    fn probe_came(&self, payload: &Bytes) {
        self.contact().probe.came(payload, Instant::now().into_std());
        self.look();
    }
}

/// The broker's word on a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It took it.
    Taken,
    /// It may not be.
    Refused,
    /// None came.
    Nothing,
}

/// The task that looks at one connection. It ends with this value.
pub struct Watch(#[expect(dead_code, reason = "held for its end")] AbortOnDropHandle<()>);

impl Watch {
    /// Begins to look.
    pub fn start<P: Probed>(protocol: Arc<P>, open: P::Open) -> Self {
        Self(AbortOnDropHandle::new(tokio::spawn(watch(protocol, open))))
    }
}

async fn watch<P: Probed>(protocol: Arc<P>, open: P::Open) {
    let keys = protocol.config().keys();
    if protocol.probes() && !protocol.hear_probes(&open) {
        protocol.probe_refused();
    }
    let pause = (keys.probe_interval.min(keys.probe_timeout) / 4).clamp(LOOK_PAUSE_MIN, LOOK_PAUSE_MAX);
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut word = nothing();
    loop {
        tokio::select! {
            biased;
            said = &mut word => {
                word = nothing();
                match said {
                    Said::Taken => protocol.contact().probe.accepted(),
                    Said::Refused => protocol.probe_refused(),
                    Said::Nothing => {}
                }
            }
            _ = ticks.tick() => {}
            () = protocol.contact().probe.hurried(Instant::now().into_std()) => {}
        }
        protocol.look();
        let now = Instant::now().into_std();
        let due = protocol.probes().then(|| protocol.contact().probe.due(now)).flatten();
        if let Some(probe) = due {
            word = Box::pin(protocol.send_probe(&open, probe));
        }
    }
}

type Word = Pin<Box<dyn Future<Output = Said> + Send>>;

fn nothing() -> Word {
    Box::pin(pending())
}
