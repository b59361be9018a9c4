//! What a listener counts.
//!
//! **Invariant:** the name of a listener is a constant label, so each registers its own figures; every series is there
//! from the start, at zero.

use prometheus::{IntCounter, IntGauge, Opts, Registry};

/// Why a connection was cut by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It waited longest, and another came for which there was no room.
    MadeRoom,
    /// It did not send in time what it had begun.
    SlowToSend,
    /// It did not read in time what it had asked for.
    SlowToRead,
    /// It sent more than there was room for before anybody vouched for it.
    NoBytesLeft,
    /// What it sent was no request.
    Unreadable,
}

impl Cut {
    const ALL: [(Self, &str); 5] = [
        (Self::MadeRoom, "made_room"),
        (Self::SlowToSend, "slow_to_send"),
        (Self::SlowToRead, "slow_to_read"),
        (Self::NoBytesLeft, "no_bytes_left"),
        (Self::Unreadable, "unreadable"),
    ];
}

/// The figures of one listener.
#[derive(Debug, Clone)]
pub struct Figures {
    pub(crate) name: &'static str,
    pub(crate) connections: IntGauge,
    pub(crate) unauthenticated: IntGauge,
    connections_limit: IntGauge,
    unauthenticated_limit: IntGauge,
    cut: Vec<IntCounter>,
}

impl Figures {
    /// Registers those of the listener with this name.
    ///
    /// # Errors
    /// If they are registered already.
    pub fn register(name: &'static str, registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |metric: &str, help: &str| {
            let gauge = IntGauge::with_opts(Opts::new(metric, help).const_label("listener", name))?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let cut = Cut::ALL.iter().map(|(_, reason)| {
            let help = "Connections that the listener closed, by what they lacked";
            let opts = Opts::new("thingcall_listener_connections_cut_total", help);
            let counter = IntCounter::with_opts(opts.const_label("listener", name).const_label("reason", *reason))?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        });
        let bytes = "thingcall_listener_unauthenticated_bytes";
        Ok(Self {
            name,
            cut: cut.collect::<Result<_, _>>()?,
            connections: gauge("thingcall_listener_connections", "Open connections")?,
            connections_limit: gauge("thingcall_listener_connections_limit", "How many there may be")?,
            unauthenticated: gauge(bytes, "What requests hold that nobody has vouched for yet, large ones alone")?,
            unauthenticated_limit: gauge(&format!("{bytes}_limit"), "How much they may hold together")?,
        })
    }

    pub(crate) fn limits(&self, connections_max: usize, unauthenticated_bytes_max: usize) {
        let of = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
        self.connections_limit.set(of(connections_max));
        self.unauthenticated_limit.set(of(unauthenticated_bytes_max));
    }

    pub(crate) fn cut(&self, why: Cut) {
        let of_this = Cut::ALL.iter().zip(&self.cut).find(|((cut, _), _)| *cut == why);
        if let Some((_, counter)) = of_this {
            counter.inc();
        }
    }
}
