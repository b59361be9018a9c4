//! Who fills the history: a look at the metrics every ten seconds, as long as there is a console.

use std::sync::Weak;
use std::time::Duration;

use thingcall_core::UnixMillis;
use tokio::time::{MissedTickBehavior, interval};

use crate::desk::Desk;
use crate::figures::Figures;
use crate::history::Look;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// Looks again and again, as long as there is a console.
pub(crate) async fn keep(desk: Weak<Desk>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(desk) = desk.upgrade() else { return };
        let figures = Figures::read(&desk.operations.metrics());
        desk.history.take(Look::of(&figures, UnixMillis::now()));
    }
}
